package database

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"
)

// Page is the part of a list that a caller asks for.
type Page struct {
	Offset, Limit uint64
	Asc           bool
}

// Listing is one page of a list and the number of rows on all its pages.
type Listing[T any] struct {
	Rows  []T
	Total uint64
}

// List reads a page of s, ordered by columns, and the number of all rows in one
// round trip. The columns should end in a unique one, so that pages neither
// repeat nor skip rows.
func List[T any](ctx context.Context, r Reader, s *Select, p Page, columns []string, row func(Scan, *T) error) (Listing[T], error) {
	out := Listing[T]{Rows: []T{}}
	direction := " DESC"
	if p.Asc {
		direction = ""
	}
	s.Order(strings.Join(columns, direction+", ")+direction).Page(p.Offset, p.Limit)
	err := r.Read(ctx, s.Count(&out.Total), s.Rows(func(scan Scan) error {
		var t T
		err := row(scan, &t)
		out.Rows = append(out.Rows, t)
		return err
	}))
	return out, err
}

// Filter is a condition that a caller puts on a list.
type Filter func(*Select)

// Filter adds the conditions to the list.
func (s *Select) Filter(filters ...Filter) *Select {
	for _, f := range filters {
		f(s)
	}
	return s
}

// InSelect adds the condition that expr is one of the values that sub selects.
func (s *Select) InSelect(expr string, sub *Select) *Select {
	text, args := sub.text()
	return s.Where(expr+" IN ("+text+")", args...)
}

// Is is the filter that expr has a value.
func Is(expr string, value any) Filter {
	return func(s *Select) { s.Where(expr+" = ?", value) }
}

// AnyOf is met where one of the filters is; without filters nowhere.
func AnyOf(filters ...Filter) Filter {
	return func(s *Select) {
		conditions, args := []string{"1 = 0"}, []any(nil)
		for _, f := range filters {
			text, more := f.text()
			conditions, args = append(conditions, text), append(args, more...)
		}
		s.Where("("+strings.Join(conditions, " OR ")+")", args...)
	}
}

// AllOf is met where all of the filters are.
func AllOf(filters ...Filter) Filter { return func(s *Select) { s.Filter(filters...) } }

// Not is met where the filter is not.
func Not(f Filter) Filter {
	return func(s *Select) {
		text, args := f.text()
		s.Where("NOT "+text, args...)
	}
}

// text is the filter's condition in parentheses.
func (f Filter) text() (condition string, args []any) {
	var s Select
	f(s.Where("1 = 1"))
	return "(" + strings.Join(s.where, " AND ") + ")", s.args
}

// OneOf is the filter that expr has one of the values.
func OneOf(expr string, values []string) Filter {
	return func(s *Select) { s.In(expr, values) }
}

// TimeMethod says how a time is compared. The numbers are those of the contract.
type TimeMethod int32

// timeOperators are the comparisons, by method.
var timeOperators = map[TimeMethod]string{0: " = ?", 1: " > ?", 2: " >= ?", 3: " < ?", 4: " <= ?"}

// Time makes filters on a time, of which expr is the microseconds.
func Time(expr string) func(TimeMethod, time.Time) Filter {
	return func(m TimeMethod, t time.Time) Filter {
		return func(s *Select) {
			if operator, ok := timeOperators[m]; ok {
				s.Where(expr+operator, t.UnixMicro())
			} else {
				s.Where("1 = 0")
			}
		}
	}
}

// TextMethod says how a text is compared with a value. The numbers are those of
// the contract, in each of its versions.
type TextMethod int32

// The methods, each with its twin that ignores case.
const (
	Equals TextMethod = iota
	EqualsFold
	StartsWith
	StartsWithFold
	Contains
	ContainsFold
	EndsWith
	EndsWithFold
)

// Text is a text to search: the expression for it and the one for the same in
// lower case, as strings.ToLower makes it. Where there is only one case, both
// are the same.
type Text struct{ Exact, Lower string }

// Match is the filter that the text compares with value in the way of m. No
// character of value has a meaning of its own.
func (t Text) Match(m TextMethod, value string) Filter {
	return func(s *Select) {
		// The folded text is the one that indexes cover: it decides about most rows.
		match(s, m|1, t.Lower, strings.ToLower(value))
		if m&1 == 0 && t.Exact != t.Lower {
			match(s, m|1, t.Exact, value)
		}
	}
}

func match(s *Select, m TextMethod, expr, value string) {
	switch n := utf8.RuneCountInString(value); {
	case m == EqualsFold:
		s.Where(expr+" = ?", value)
	case n == 0: // Every text has the empty one at each place.
	case m == StartsWithFold:
		s.Where("substr("+expr+", 1, ?) = ?", n, value)
	case m == ContainsFold:
		s.Where("replace("+expr+", ?, '') <> "+expr, value)
	case m == EndsWithFold:
		s.Where("substr("+expr+", length("+expr+") - ? + 1) = ?", n, value)
	default:
		s.Where("1 = 0")
	}
}
