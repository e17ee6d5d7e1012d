package database_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// compared are the comparisons of texts, as Go makes them.
var compared = map[database.TextMethod]func(text, value string) bool{
	database.Equals: func(a, b string) bool { return a == b }, database.StartsWith: strings.HasPrefix,
	database.Contains: strings.Contains, database.EndsWith: strings.HasSuffix,
}

// FuzzText: the database finds a text by a value where Go does, whatever characters they
// have, by each method and its opposite.
func FuzzText(f *testing.F) {
	f.Add("Müller", "mÜ", 2)
	f.Add(`50%_\'"$1?`, `%`, 5)
	f.Add("a\U0010FFFF", "a\U0010FFFF", 3)
	f.Add("x'); DROP TABLE claims; --", "'", 4)
	f.Add("a\uD7FF", "", 6)
	db := testdb.Open(f)
	f.Fuzz(func(t *testing.T, text, value string, number int) {
		if !utf8.ValidString(text) || !utf8.ValidString(value) || strings.Contains(text+value, "\x00") { // The contract refuses them.
			return
		}
		m := database.TextMethod(uint(number) % 8)
		a, b := text, value
		if m&1 == 1 {
			a, b = strings.ToLower(text), strings.ToLower(value)
		}
		want := compared[m&^1](a, b)
		filter := database.Text{Exact: "value", Lower: "aggregate_id"}.Match(m, value)
		err := db.DryRun(context.Background(), func(tx *database.Tx) error {
			tx.Exec(database.Statement{
				SQL:  "INSERT INTO claims (instance_id, kind, value, aggregate_type, aggregate_id) VALUES ('1', 'fuzz', ?, '', ?)",
				Args: []any{text, strings.ToLower(text)},
			})
			var found, others uint64
			of := func(f database.Filter) *database.Select {
				return database.From("value", "claims").Where("kind = ?", "fuzz").Filter(f)
			}
			if err := tx.Read(of(filter).Count(&found), of(database.Not(database.AnyOf(filter))).Count(&others)); err != nil {
				return err
			}
			if (found == 1) != want || found+others != 1 {
				t.Errorf("method %d finds %q in %q: %d, and not: %d, want %v", m, value, text, found, others, want)
			}
			return nil
		})
		if err != nil {
			t.Errorf("%q, %q: %v", text, value, err)
		}
	})
}

// FuzzCursor: whatever a caller says about where a page ended, they see rows of the list or
// are refused.
func FuzzCursor(f *testing.F) {
	db := testdb.Open(f)
	values := []string{"a", "b", "c"}
	err := db.Write(context.Background(), func(tx *database.Tx) error {
		for i, v := range values {
			tx.Exec(database.Statement{
				SQL:  "INSERT INTO claims (instance_id, kind, value, aggregate_type, aggregate_id) VALUES (?, 'fuzz', ?, '', '')",
				Args: []any{"12"[i%2 : i%2+1], v},
			})
		}
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	page := func(after string, asc bool) (rows []string, next string, err error) {
		c := database.Cursor{After: after}
		l, err := database.List(context.Background(), db, database.From("value", "claims").Where("kind = 'fuzz' AND instance_id = '1'"),
			database.Page{Limit: 1, Asc: asc, Cursor: &c}, []string{"instance_id", "value"}, func(scan database.Scan, s *string) error { return scan(s) })
		return l.Rows, c.Next, err
	}
	_, next, err := page("", true)
	if err != nil || next == "" {
		f.Fatalf("%q, %v", next, err)
	}
	f.Add(next, true)
	f.Add("eyJsIjowLCJrIjpbMSwyXX0", false)
	f.Add("' OR 1=1", false)
	f.Fuzz(func(t *testing.T, after string, asc bool) {
		rows, _, err := page(after, asc)
		if err != nil && fault.KindOf(err) != fault.KindInvalid {
			t.Errorf("%q: %v", after, err)
		}
		for _, r := range rows {
			if !slices.Contains([]string{"a", "c"}, r) {
				t.Errorf("%q shows %q", after, r)
			}
		}
	})
}
