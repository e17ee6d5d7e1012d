package database

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"hash/crc32"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// Page is the part of a list that a caller asks for.
type Page struct {
	Offset, Limit uint64
	Asc           bool
	// Cursor, if not nil, lets the caller go on where a page ended.
	Cursor *Cursor
}

// Cursor pages through a list by key: the database goes straight to where the
// page before ended, so the last page costs what the first does.
type Cursor struct {
	// After is the Next of the page before; empty for the first page.
	After string
	// Next is set by List where the page is full; empty where the list has ended.
	Next string
}

// Listing is one page of a list and the number of rows on all its pages.
type Listing[T any] struct {
	Rows  []T
	Total uint64
}

// List reads a page of s, ordered by columns, and the number of all rows in one
// round trip. The columns should end in a unique one, so that pages neither
// repeat nor skip rows. also makes queries of the page that travel along.
func List[T any](ctx context.Context, r Reader, s *Select, p Page, columns []string, row func(Scan, *T) error, also ...func(page *Select) Query) (Listing[T], error) {
	out := Listing[T]{Rows: []T{}}
	direction := " DESC"
	if p.Asc {
		direction = ""
	}
	s.Order(strings.Join(columns, direction+", ")+direction).Page(p.Offset, p.Limit)
	cursor := p.Cursor
	if cursor == nil {
		cursor = &Cursor{}
	}
	key := make([]any, len(columns))
	queries := []Query{s.Count(&out.Total)}
	if err := s.after(cursor, columns, p.Asc); err != nil {
		return out, err
	}
	queries = append(queries, s.Rows(func(scan Scan) error {
		var t T
		err := row(func(dest ...any) error {
			for i := range key {
				dest = append(dest, &key[i])
			}
			return scan(dest...)
		}, &t)
		out.Rows = append(out.Rows, t)
		return err
	}))
	for _, query := range also {
		queries = append(queries, query(s))
	}
	err := r.Read(ctx, queries...)
	if n := uint64(len(out.Rows)); n > 0 && n == p.Limit {
		cursor.Next = s.mark(key)
	}
	return out, err
}

var errCursor = fault.Invalid("LIST-page", "The page token is not one of this list: take the one that the page before gave.")

// bookmark is what a cursor holds: which list it is of, and the key of a row.
type bookmark struct {
	List uint32 `json:"l"`
	Key  []any  `json:"k"`
}

// after selects the columns of the key too, and what follows the cursor.
func (s *Select) after(c *Cursor, columns []string, asc bool) error {
	s.columns += ", " + strings.Join(columns, ", ")
	if c.After == "" {
		return nil
	}
	data, err := base64.RawURLEncoding.DecodeString(c.After)
	if err != nil {
		return errCursor
	}
	var b bookmark
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	if decoder.Decode(&b) != nil || b.List != s.list() || len(b.Key) != len(columns) {
		return errCursor
	}
	for i, v := range b.Key {
		if n, ok := v.(json.Number); ok {
			if b.Key[i], err = n.Int64(); err != nil {
				return errCursor
			}
		} else if _, ok := v.(string); !ok {
			return errCursor
		}
	}
	compare := " < "
	if asc {
		compare = " > "
	}
	// In front of the others: of two bounds of one column, SQLite goes straight to the first.
	s.where = append([]string{"(" + strings.Join(columns, ", ") + ")" + compare + "(" + placeholders(len(columns)) + ")"}, s.where...)
	s.args = append(b.Key, s.args...)
	return nil
}

// mark is the cursor behind the row with the key; none where a column is NULL.
func (s *Select) mark(key []any) string {
	for _, v := range key {
		if v == nil {
			return ""
		}
	}
	data, err := json.Marshal(bookmark{List: s.list(), Key: key})
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(data)
}

// list identifies the table and the order, so that a cursor of another list is
// noticed. It protects nothing: a caller sees the same rows without a cursor.
func (s *Select) list() uint32 { return crc32.ChecksumIEEE([]byte(s.from + s.order)) }

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
	s.uneven = s.uneven || sub.uneven
	return s.Where(expr+" IN ("+text+")", args...)
}

// OrFirst adds the condition that expr is value, or what the first row of sub has: an
// index leads to both.
func (s *Select) OrFirst(expr string, value any, sub *Select) *Select {
	text, args := sub.text()
	s.uneven = s.uneven || sub.uneven
	return s.Where(expr+" IN (?, ("+text+"))", append([]any{value}, args...)...)
}

// Rare is the filter, of which it depends on the values how many rows meet it: see Query.
func Rare(f Filter) Filter { return func(s *Select) { f(s.Uneven()) } }

// Is is the filter that expr has a value.
func Is(expr string, value any) Filter {
	return func(s *Select) { s.Where(expr+" = ?", value) }
}

// AnyOf is met where one of the filters is; without filters nowhere.
func AnyOf(filters ...Filter) Filter {
	return func(s *Select) {
		conditions, args := []string{"1 = 0"}, []any(nil)
		for _, f := range filters {
			text, more := f.text(s)
			conditions, args = append(conditions, text), append(args, more...)
		}
		s.Where("("+strings.Join(conditions, " OR ")+")", args...)
	}
}

// AllOf is met where all of the filters are.
func AllOf(filters ...Filter) Filter { return func(s *Select) { s.Filter(filters...) } }

// Not is met where the filter is not, be it for a column that a row does not have.
func Not(f Filter) Filter {
	return func(s *Select) {
		text, args := f.text(s)
		s.Where("NOT COALESCE("+text+", FALSE)", args...)
	}
}

// text is the filter's condition on a select, in parentheses.
func (f Filter) text(on *Select) (condition string, args []any) {
	var s Select
	f(s.Where("1 = 1"))
	on.uneven = on.uneven || s.uneven
	where, args := s.conditions()
	return "(" + strings.TrimPrefix(where, " WHERE ") + ")", args
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
		s.uneven = s.uneven || m > EqualsFold
		match(s, m|1, t.Lower, strings.ToLower(value))
		if m&1 == 0 && t.Exact != t.Lower {
			match(s, m|1, t.Exact, value)
		}
	}
}

// byBytes compares texts by their bytes, which is the order of their characters.
const byBytes = ` COLLATE "C"`

// successor is the first text, by bytes, behind all that start with prefix; empty where
// there is none.
func successor(prefix string) string {
	for prefix != "" {
		r, size := utf8.DecodeLastRuneInString(prefix)
		prefix = prefix[:len(prefix)-size]
		switch {
		case r == surrogates-1:
			return prefix + string(afterSurrogates)
		case r < utf8.MaxRune:
			return prefix + string(r+1)
		}
	}
	return ""
}

// Between these are no characters.
const surrogates, afterSurrogates = 0xD800, '\uE000'

func match(s *Select, m TextMethod, expr, value string) {
	switch n := utf8.RuneCountInString(value); {
	case m == EqualsFold:
		s.Where(expr+" = ?", value)
	case n == 0: // Every text has the empty one at each place.
	case m == StartsWithFold: // A range of the bytes, which an index can give.
		s.Where("("+expr+")"+byBytes+" >= ?", value)
		if after := successor(value); after != "" {
			s.Where("("+expr+")"+byBytes+" < ?", after)
		}
	case m == ContainsFold:
		s.Where("replace("+expr+", ?, '') <> "+expr, value)
	case m == EndsWithFold:
		s.Where("substr("+expr+", length("+expr+") - ? + 1) = ?", n, value)
	default:
		s.Where("1 = 0")
	}
}
