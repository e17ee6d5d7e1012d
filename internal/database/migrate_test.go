package database_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// changes is what a version of before would stumble over, or not go on with: it does not
// know a table that is filled from what was there.
var changes = regexp.MustCompile(`(?i)\bINSERT INTO\b|\bDROP (TABLE|COLUMN)|\bRENAME\b|\bALTER COLUMN\b|ADD COLUMN[^;,]*NOT NULL(?:[^;,D]|D[^E])*[;,]`)

// sorted is a change of nothing but the order of texts.
var sorted = regexp.MustCompile(`ALTER COLUMN \w+ TYPE TEXT COLLATE "C"`)

// TestMigrationsOnlyAdd: the version before goes on beside a new one, and can take its place again,
// unless the name of a step says that it cannot. The first 31 are older than the promise.
func TestMigrationsOnlyAdd(t *testing.T) {
	t.Parallel()
	all, err := database.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		if found := changes.FindString(sorted.ReplaceAllString(m.Text(), "")); m.Version > 31 && found != "" && !strings.HasSuffix(m.Name, "_breaking") {
			t.Errorf("migration %d (%s) has %q: split it into steps that only add, or let its name end in _breaking", m.Version, m.Name, found)
		}
	}
	for text, want := range map[string]bool{
		"ALTER TABLE a ADD COLUMN b TEXT NOT NULL DEFAULT '';": false, "ALTER TABLE a ADD COLUMN b TEXT NOT NULL;": true, "ALTER TABLE a ADD COLUMN b TEXT;": false,
		"CREATE TABLE a (b TEXT NOT NULL);": false, "DROP TABLE a;": true, "DROP INDEX a;": false, "alter table a rename to b;": true,
		"INSERT INTO a SELECT b FROM c;": true,
	} {
		if got := changes.MatchString(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// TestNewerSchema: a version starts on the schema of a newer one, and goes on with it, unless a step
// is said to break it.
func TestNewerSchema(t *testing.T) {
	t.Parallel()
	for name, fits := range map[string]bool{"more": true, "less_breaking": false} {
		db := testdb.Open(t)
		if err := db.Write(t.Context(), func(tx *database.Tx) error {
			tx.Exec(database.Statement{SQL: "INSERT INTO migrations (version, name, digest, applied) VALUES (9999, ?, '', 0)", Args: []any{name}})
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		steps, err := db.Migrate(t.Context())
		if len(steps) != 0 || (err == nil) != fits {
			t.Errorf("%s: %v %v", name, steps, err)
		}
		if step, err := db.OutgrownBy(t.Context()); err != nil || (step == "") != fits {
			t.Errorf("while it runs, %s: %q %v", name, step, err)
		}
	}
}
