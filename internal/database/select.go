package database

import (
	"strconv"
	"strings"
)

// Select builds the SQL of a list: filters that the caller may or may not set,
// an order, a page, and the count of everything that matches. Texts come from
// the program, values from the caller; a value never becomes text.
type Select struct {
	columns, from string
	where         []string
	args          []any
	order         string
	offset, limit uint64
}

// From starts a list of columns from a table or join.
func From(columns, from string) *Select { return &Select{columns: columns, from: from} }

// Where adds a condition that rows must meet.
func (s *Select) Where(condition string, args ...any) *Select {
	s.where = append(s.where, condition)
	s.args = append(s.args, args...)
	return s
}

// In adds the condition that expr is one of values; no values match no row.
func (s *Select) In(expr string, values []string) *Select {
	if len(values) == 0 {
		return s.Where("1 = 0")
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	return s.Where(expr+" IN ("+placeholders(len(values))+")", args...)
}

func placeholders(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// Order sets the ORDER BY. It should end in a unique column, so that pages
// neither repeat nor skip rows.
func (s *Select) Order(by string) *Select {
	s.order = by
	return s
}

// Page limits the rows. A limit of 0 means all.
func (s *Select) Page(offset, limit uint64) *Select {
	s.offset, s.limit = offset, limit
	return s
}

// Only is the same list with other columns.
func (s *Select) Only(columns string) *Select {
	other := *s
	other.columns = columns
	return &other
}

func (s *Select) conditions() string {
	if len(s.where) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(s.where, " AND ")
}

// Rows is the query for the page.
func (s *Select) Rows(row func(Scan) error) Query {
	sql, args := s.text()
	return Query{SQL: sql, Args: args, Row: row}
}

func (s *Select) text() (sql string, args []any) {
	sql = "SELECT " + s.columns + " FROM " + s.from + s.conditions()
	args = append([]any(nil), s.args...)
	if s.order != "" {
		sql += " ORDER BY " + s.order
	}
	if s.limit > 0 {
		sql += " LIMIT ?"
		args = append(args, s.limit)
		if s.offset > 0 {
			sql += " OFFSET ?"
			args = append(args, s.offset)
		}
	}
	return sql, args
}

// Count is the query for the number of rows on all pages.
func (s *Select) Count(total *uint64) Query {
	return Query{
		SQL: "SELECT count(*) FROM " + s.from + s.conditions(), Args: s.args,
		Row: func(scan Scan) error { return scan(total) },
	}
}

// Tally is the query for how many rows of all pages have the same values of these
// expressions, whose own arguments are given.
func (s *Select) Tally(exprs []string, args []any, row func(Scan) error) Query {
	groups := make([]string, len(exprs))
	for i := range groups {
		groups[i] = strconv.Itoa(i + 1)
	}
	return Query{
		SQL:  "SELECT " + strings.Join(exprs, ", ") + ", count(*) FROM " + s.from + s.conditions() + " GROUP BY " + strings.Join(groups, ", "),
		Args: append(args, s.args...), Row: row,
	}
}
