package database

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Select builds the SQL of a list: filters that the caller may or may not set,
// an order, a page, and the count of everything that matches. Texts come from
// the program, values from the caller; no value becomes text but the number of rows.
type Select struct {
	columns, from string
	details       []string // see With
	counts        string   // see Counted
	counted       []string
	where         []string
	args          []any
	order         string
	each          string // see Each
	values        []string
	offset, limit uint64
	uneven        bool // see Query
}

// From starts a list of columns from a table or join.
func From(columns, from string) *Select { return &Select{columns: columns, from: from} }

// With adds left joins of one table, each to one row at most: they tell more about its
// rows and make neither more nor fewer of them. They are left out where rows are
// counted or chosen, but for those that decide.
func (s *Select) With(joins string) *Select {
	for _, join := range strings.Split(joins, leftJoin)[1:] {
		s.details = append(s.details, " "+leftJoin+join)
	}
	return s
}

const leftJoin = "LEFT JOIN "

// Counted names a table that holds in n how many rows there are with the same values of
// some columns, in as many parts as it likes. Where the conditions are about these columns
// and nothing else, Count sums that up and looks at no row.
func (s *Select) Counted(table string, columns ...string) *Select {
	s.counts, s.counted = table, columns
	return s
}

var (
	words = regexp.MustCompile(`[A-Za-z_.']+`)
	plain = []string{"WHERE", "AND", "OR", "IN"}
)

func (s *Select) countable(where string) bool {
	for _, w := range words.FindAllString(where, -1) {
		if !slices.Contains(plain, w) && !slices.Contains(s.counted, w) {
			return false
		}
	}
	return s.counts != ""
}

// alias is what the texts call the table.
func (s *Select) alias() string { return s.from[strings.LastIndex(s.from, " ")+1:] }

// source is the tables of the select, and of the joins of With those that a text names.
func (s *Select) source(text string) string {
	out := []string{s.from}
	for _, join := range s.details {
		if alias := strings.Fields(join)[3]; strings.Contains(text, alias+".") {
			out = append(out, join)
		}
	}
	return strings.Join(out, "")
}

// page is the source of a page: where rows have details, they are chosen first, so that
// only those of the page are looked up.
func (s *Select) page() (sql string, args []any) {
	where, args := s.conditions()
	order, limit, skip := "", "", []any(nil)
	if s.order != "" {
		order = " ORDER BY " + s.order
	}
	if s.limit > 0 {
		// PostgreSQL plans a text once: for how many rows, it has to say.
		limit = " LIMIT " + strconv.FormatUint(s.limit, 10)
		if s.offset > 0 {
			limit += " OFFSET ?"
			skip = []any{s.offset}
		}
	}
	switch {
	case len(s.details) > 0:
	case s.each != "" && s.limit > 0:
		source, args := s.firstOfEach(order)
		return source + order + limit, append(args, skip...)
	default:
		return s.from + where + order + limit, append(args, skip...)
	}
	alias := s.alias()
	chosen := "(SELECT " + alias + ".* FROM " + s.source(where+order) + where + order + limit + ") " + alias
	return chosen + strings.Join(s.details, "") + order, append(args, skip...)
}

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

// firstOfEach is the source of a page: the rows that it can have with each value of Each.
func (s *Select) firstOfEach(order string) (source string, args []any) {
	one := "SELECT * FROM (SELECT " + s.alias() + ".* FROM " + s.from + " WHERE " +
		strings.Join(append(slices.Clone(s.where), s.each+" = ?"), " AND ") + order + " LIMIT " + strconv.FormatUint(s.offset+s.limit, 10) + ") AS one"
	for _, v := range s.values {
		args = append(append(args, s.args...), v)
	}
	return "(" + strings.Repeat(one+" UNION ALL ", len(s.values)-1) + one + ") " + s.alias(), args
}

// Each adds the condition that a column is one of values, for a page whose order an index gives
// for each value, and not for several: the first rows of each are looked up, and then chosen
// from. Of several such conditions the first is taken so, the rest as In.
func (s *Select) Each(column string, values []string) *Select {
	if len(values) < 2 || s.each != "" {
		return s.In(column, values)
	}
	s.each, s.values = column, values
	return s
}

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

// conditions is the WHERE of all rows.
func (s *Select) conditions() (where string, args []any) {
	all, args := slices.Clone(s.where), slices.Clone(s.args)
	if s.each != "" {
		all = append(all, s.each+" IN ("+placeholders(len(s.values))+")")
		for _, v := range s.values {
			args = append(args, v)
		}
	}
	if len(all) == 0 {
		return "", args
	}
	return " WHERE " + strings.Join(all, " AND "), args
}

// Uneven says so of the queries, see Query.
func (s *Select) Uneven() *Select {
	s.uneven = true
	return s
}

// Rows is the query for the page.
func (s *Select) Rows(row func(Scan) error) Query {
	sql, args := s.text()
	return Query{SQL: sql, Args: args, Row: row, Uneven: s.uneven}
}

func (s *Select) text() (sql string, args []any) {
	source, args := s.page()
	return "SELECT " + s.columns + " FROM " + source, args
}

// Count is the query for the number of rows on all pages.
func (s *Select) Count(total *uint64) Query {
	where, args := s.conditions()
	sql := "SELECT count(*) FROM " + s.source(where)
	if s.countable(where) {
		sql = "SELECT CAST(COALESCE(SUM(n), 0) AS BIGINT) FROM " + s.counts + " " + s.alias()
	}
	return Query{SQL: sql + where, Args: args, Row: func(scan Scan) error { return scan(total) }, Uneven: s.uneven}
}

// Tally is the query for how many rows of all pages have the same values of these
// expressions, whose own arguments are given.
func (s *Select) Tally(exprs []string, args []any, row func(Scan) error) Query {
	groups := make([]string, len(exprs))
	for i := range groups {
		groups[i] = strconv.Itoa(i + 1)
	}
	columns := strings.Join(exprs, ", ")
	where, conditions := s.conditions()
	return Query{
		SQL:  "SELECT " + columns + ", count(*) FROM " + s.source(columns+where) + where + " GROUP BY " + strings.Join(groups, ", "),
		Args: append(args, conditions...), Row: row, Uneven: s.uneven,
	}
}
