package test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// TestSearchesUseTheirIndex: who names the columns of an index behind the instance, up to
// one that tells rows apart, is led by them and not through all rows of an instance.
func TestSearchesUseTheirIndex(t *testing.T) {
	t.Parallel()
	db := testdb.Open(t)
	if db.Dialect() != database.SQLite {
		t.Skip("PostgreSQL counts its rows by itself")
	}
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	columns, conditions := map[string][]string{}, map[string]string{}
	err := db.Read(t.Context(), database.Query{
		SQL: `SELECT m.name, l.name, c.name, COALESCE((SELECT s.sql FROM sqlite_schema s WHERE s.name = l.name), '')
			FROM sqlite_schema m, pragma_index_list(m.name) l, pragma_index_info(l.name) c
			WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, l.name, c.seqno`,
		Row: func(scan database.Scan) error {
			var table, index, column, sql string
			err := scan(&table, &index, &column, &sql)
			columns[table+" "+index] = append(columns[table+" "+index], column)
			if _, condition, ok := strings.Cut(sql, "WHERE "); ok {
				conditions[table+" "+index] = " AND " + condition
			}
			return err
		},
	})
	if err != nil || len(columns) < 40 {
		t.Fatalf("%d indexes, %v", len(columns), err)
	}
	for name, list := range columns {
		table, _, _ := strings.Cut(name, " ")
		if len(list) < 2 || list[0] != "instance_id" {
			continue
		}
		named := list[:2]
		if slices.Contains([]string{"kind", "type", "aggregate_type", "owner", "state"}, list[1]) {
			named = list[:min(3, len(list))]
		}
		sql := "SELECT * FROM " + table + " WHERE " + strings.Join(named, " = ? AND ") + " = ?" + conditions[name]
		plan, err := explain(t.Context(), db, database.Query{SQL: sql, Args: []any{"1", "2", "3"}[:len(named)]})
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(plan) {
			if want := fmt.Sprintf("(%s=? AND %s=?", named[0], named[1]); !strings.Contains(line, want) && !strings.Contains(line, "(rowid=?)") {
				t.Errorf("%s: %s, want one by %s)", sql, line, want)
			}
		}
	}
}

// explain says how SQLite comes by the rows of a query, a line for each step.
func explain(ctx context.Context, r database.Reader, q database.Query) (plan string, err error) {
	q.SQL = "EXPLAIN QUERY PLAN " + q.SQL
	q.Row = func(scan database.Scan) error {
		var line string
		err := scan(new(int), new(int), new(int), &line)
		plan += line + "\n"
		return err
	}
	err = r.Read(ctx, q)
	return plan, err
}

// TestEventsAreFoundByTheirIndex: each condition of a search in the log leads to its first events,
// in order. Of several the one counts that few events meet, as a rule.
func TestEventsAreFoundByTheirIndex(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	if s.DB.Dialect() != database.SQLite {
		t.Skip("PostgreSQL counts its rows by itself")
	}
	by := func(column string) string { return "(instance_id=? AND " + column }
	for _, c := range []struct {
		filter eventstore.Filter
		want   string
	}{
		{eventstore.Filter{}, "events_created (instance_id=?)"},
		{eventstore.Filter{Asc: true, Since: time.Unix(1, 0)}, by("created>?")},
		{eventstore.Filter{Until: time.Unix(1, 0)}, by("created<?")},
		{eventstore.Filter{Types: []string{"a"}}, by("type=?)")},
		{eventstore.Filter{Types: []string{"a"}, Since: time.Unix(1, 0)}, by("type=? AND created>?")},
		{eventstore.Filter{Types: []string{"a", "b"}}, by("type=?)")},
		{eventstore.Filter{AggregateTypes: []string{"a", "b"}}, by("aggregate_type=?)")},
		{eventstore.Filter{AggregateTypes: []string{"a"}, Owner: "o"}, by("owner=?)")},
		{eventstore.Filter{Owner: "o", Types: []string{"a"}}, by("type=?)")},
		{eventstore.Filter{Owner: "o", Creator: "c", Types: []string{"a"}}, by("creator=?)")},
		{eventstore.Filter{AggregateID: "i"}, by("aggregate_id=?)")},
		{eventstore.Filter{AggregateID: "i", AggregateTypes: []string{"a"}, Owner: "o"}, by("aggregate_id=? AND aggregate_type=?)")},
		{eventstore.Filter{AggregateID: "i", AggregateTypes: []string{"a"}, AfterSequence: 7}, by("aggregate_id=? AND aggregate_type=? AND sequence<?)")},
		{eventstore.Filter{AggregateID: "i", Creator: "c", Types: []string{"a", "b"}}, by("aggregate_id=?)")},
	} {
		c.filter.Instance, c.filter.Limit = s.InstanceID, 100
		q := c.filter.Search(nil)
		plan, err := explain(t.Context(), s.DB, q)
		if err != nil {
			t.Fatal(err)
		}
		sorts := strings.Contains(plan, "TEMP B-TREE FOR ORDER BY")
		several := len(c.filter.Types)+len(c.filter.AggregateTypes) > 1 || c.filter.AggregateID != "" && len(c.filter.AggregateTypes) == 0
		if !strings.Contains(plan, c.want) || strings.Contains(plan, "SCAN events") || sorts && !several {
			t.Errorf("%+v: want %s:\n%s%s", c.filter, c.want, q.SQL, plan)
		}
	}
}

// explaining answers as the database does, and keeps how it comes by a page.
type explaining struct {
	*database.DB
	plan string
}

func (e *explaining) Read(ctx context.Context, queries ...database.Query) (err error) {
	if e.plan, err = explain(ctx, e.DB, queries[1]); err != nil {
		return err
	}
	return e.DB.Read(ctx, queries...)
}

// TestPagesBeginWhereTheLastEnded: also where a search bounds the column of the order, nothing
// is read of the pages before.
func TestPagesBeginWhereTheLastEnded(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	if s.DB.Dialect() != database.SQLite {
		t.Skip("PostgreSQL uses all bounds of a column")
	}
	for _, name := range []string{"org1", "org2"} {
		s.Run(t, testkit.Call{Name: name, Do: "POST /v2/organizations", Body: `{"name":"` + name + `"}`, Status: 201, Events: []string{"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set", "org.member.added"}})
	}
	e, cursor := &explaining{DB: s.DB}, &database.Cursor{}
	for range 2 {
		named := database.Text{Exact: "o.name", Lower: "o.name_lower"}.Match(database.StartsWithFold, "org")
		list := database.From("o.org_id", "orgs o").Where("o.instance_id = ?", s.InstanceID).Filter(named)
		if _, err := database.List(t.Context(), e, list, database.Page{Limit: 1, Asc: true, Cursor: cursor}, []string{"o.name_lower", "o.org_id"},
			func(scan database.Scan, id *string) error { return scan(id) }); err != nil {
			t.Fatal(err)
		}
		cursor = &database.Cursor{After: cursor.Next}
	}
	if !strings.Contains(e.plan, "(name_lower,org_id)>(?,?)") {
		t.Errorf("the second page comes from %q", e.plan)
	}
}

// TestIndexesSortNamesByBytes: only then does PostgreSQL go by an index to the texts that begin
// with one, whatever the language that the database was made for.
func TestIndexesSortNamesByBytes(t *testing.T) {
	t.Parallel()
	db := testdb.Open(t)
	if db.Dialect() != database.PostgreSQL {
		t.Skip("SQLite knows no other way")
	}
	if _, err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	n := 0
	err := db.Read(t.Context(), database.Query{
		SQL: `SELECT t.relname, a.attname, c.collname FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
			JOIN pg_attribute a ON a.attrelid = i.indexrelid JOIN pg_collation c ON c.oid = a.attcollation
			WHERE t.relnamespace = 'public'::regnamespace AND (a.attname LIKE '%#_lower' ESCAPE '#' OR a.attname = 'phone')`,
		Row: func(scan database.Scan) error {
			var table, column, collation string
			err := scan(&table, &column, &collation)
			if n++; collation != "C" {
				t.Errorf("%s.%s is sorted as %s says", table, column, collation)
			}
			return err
		},
	})
	if err != nil || n < 10 {
		t.Errorf("%d columns of indexes, %v", n, err)
	}
}

// TestGrowingTablesAreLookedAt: where an instance gets many users at once, PostgreSQL knows of
// them before it looks by itself, which it does once a minute.
func TestGrowingTablesAreLookedAt(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	if s.DB.Dialect() != database.PostgreSQL {
		t.Skip("the embedded database is told when it is made")
	}
	for i := range 40 {
		s.Run(t, testkit.Call{Name: "one more", Do: "POST /management/v1/users/machine", Body: fmt.Sprintf(`{"userName":"robot%[1]d","name":"%[1]d"}`, i), Events: []string{"user.machine.added"}})
	}
	known := -1.0
	for wait := 0; known < 1 && wait < 100; wait++ {
		time.Sleep(50 * time.Millisecond)
		if err := s.DB.Read(t.Context(), database.One(new(bool), "SELECT reltuples FROM pg_class WHERE oid = 'users'::regclass", nil, &known)); err != nil {
			t.Fatal(err)
		}
	}
	if known < 1 {
		t.Error("PostgreSQL knows of no users, and there are more than 40")
	}
}
