package test

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var (
	tampers  = flag.Int("tampers", 27, "how often TestTampering changes a database")
	headless = flag.Bool("headless", false, "let TestTampering forget the head of the log: it must fail")
)

// tamperings are what somebody can do who can write to the database, most of whom know how
// the log is hashed. Each reports whether it changed anything.
var tamperings = []struct {
	name string
	do   func(t *testing.T, v *copied) bool
}{
	{"edit an event", func(t *testing.T, v *copied) bool {
		t.Helper()
		return v.edit(t, "events", eventFields[v.rand.IntN(len(eventFields))])
	}},
	{"delete an event", func(t *testing.T, v *copied) bool {
		t.Helper()
		return v.exec(t, "DELETE FROM events WHERE position = ?", v.position(t))
	}},
	{"swap two events", func(t *testing.T, v *copied) bool {
		t.Helper()
		a, b := v.position(t), v.position(t)
		return a != b && v.exec(t, "UPDATE events SET position = -1 WHERE position = ?", a) &&
			v.exec(t, "UPDATE events SET position = ? WHERE position = ?", a, b) && v.exec(t, "UPDATE events SET position = ? WHERE position = -1", b)
	}},
	{"cut the end off", func(t *testing.T, v *copied) bool {
		t.Helper()
		return v.exec(t, "DELETE FROM events WHERE position >= ?", v.position(t))
	}},
	{"empty the log", func(t *testing.T, v *copied) bool { t.Helper(); return v.exec(t, "DELETE FROM events") }},
	{"edit a row", func(t *testing.T, v *copied) bool {
		t.Helper()
		table := v.table()
		columns := append(append([]string(nil), table.Key...), table.Columns...)
		return v.edit(t, table.Name, columns[v.rand.IntN(len(columns))])
	}},
	{"delete a row", func(t *testing.T, v *copied) bool {
		t.Helper()
		table := v.table()
		return v.exec(t, "DELETE FROM "+table.Name+" WHERE ("+strings.Join(table.Key, ", ")+") = ("+v.row(table.Name, table.Key)+")")
	}},
	{"write history again", func(t *testing.T, v *copied) bool { t.Helper(); return v.rewrite(t) }},
	{"put a backup in the place", nil}, // See copyOf: nothing else is done.
}

var eventFields = []string{"position", "instance_id", "aggregate_type", "aggregate_id", "sequence", "type", "owner", "creator", "created", "payload", "digest", "hash"}

// TestTampering changes a database in random ways, each time from the same state: a check
// against the head that the log had finds every one of them (G-29).
func TestTampering(t *testing.T) {
	t.Parallel()
	if testdb.Postgres() {
		t.Skip("copies files of the embedded database")
	}
	dir := t.TempDir()
	s := startRealms(t)
	whole, before := filepath.Join(dir, "whole.db"), filepath.Join(dir, "before.db")
	if err := s.DB.Backup(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	newRealm(t, s, rsaKey(t), 0, "")
	if err := s.DB.Backup(t.Context(), whole); err != nil {
		t.Fatal(err)
	}
	blank := filepath.Join(dir, "blank.db")
	if err := testdb.Scratch(t).Backup(t.Context(), blank); err != nil {
		t.Fatal(err)
	}
	untouched := copyOf(t, whole, filepath.Join(dir, "untouched.db"), nil)
	report := untouched.check(t, blank)
	untouched.close(t)
	if len(report.Problems) > 0 {
		t.Fatalf("before anything: %q", report.Problems)
	}
	known := []eventstore.Head{report.Head}
	if *headless {
		known = nil
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, seed))
	found := map[string]int{}
	for i := 0; i < *tampers; {
		how := tamperings[i%len(tamperings)]
		from := whole
		if how.do == nil {
			from = before
		}
		v := copyOf(t, from, filepath.Join(dir, "copy.db"), random)
		if how.do != nil && !how.do(t, v) {
			v.close(t)
			continue
		}
		i++
		if len(v.check(t, blank, known...).Problems) == 0 {
			t.Errorf("seed %d: nobody noticed: %s: %q", seed, how.name, v.did)
		}
		found[how.name]++
		v.close(t)
	}
	t.Logf("%d events, tampered with: %v", report.Events, found)
}

// copied is a copy of a database that somebody tampers with.
type copied struct {
	db   *database.DB
	rand *rand.Rand
	did  []string
}

func copyOf(t *testing.T, from, file string, r *rand.Rand) *copied {
	t.Helper()
	copyDatabase(t, from, file)
	db, err := database.Open(t.Context(), database.Config{URL: file})
	if err != nil {
		t.Fatal(err)
	}
	return &copied{db: db, rand: r}
}

func (v *copied) close(t *testing.T) {
	t.Helper()
	if err := v.db.Close(); err != nil {
		t.Fatal(err)
	}
}

// check is what gatehouse verify does, with a copy of a blank database. That it cannot go
// on is a finding, too.
func (v *copied) check(t *testing.T, blank string, known ...eventstore.Head) eventstore.Report {
	t.Helper()
	scratch := copyOf(t, blank, blank+".copy", nil)
	defer scratch.close(t)
	report, err := eventstore.New(v.db, nil).Verify(context.Background(), scratch.db, nil, known...)
	if err != nil {
		report.Problems = append(report.Problems, err.Error())
	}
	return report
}

// exec reports whether the statement changed something: what the schema refuses does not.
func (v *copied) exec(t *testing.T, sql string, args ...any) bool {
	t.Helper()
	var n int
	err := v.db.Write(t.Context(), func(tx *database.Tx) error {
		tx.Exec(database.Statement{SQL: sql, Args: args})
		return tx.Read(database.Query{SQL: "SELECT changes()", Row: func(scan database.Scan) error { return scan(&n) }})
	})
	v.did = append(v.did, fmt.Sprint(sql, args))
	return err == nil && n > 0
}

// edit changes one value, in a row by chance.
func (v *copied) edit(t *testing.T, table, column string) bool {
	t.Helper()
	key := []string{"position"}
	for _, declared := range eventstore.Tables() {
		if declared.Name == table {
			key = declared.Key
		}
	}
	return v.exec(t, "UPDATE "+table+" SET "+column+" = CASE WHEN typeof("+column+") = 'integer' THEN "+column+" + 1 ELSE COALESCE("+column+", '') || 'x' END WHERE ("+
		strings.Join(key, ", ")+") = ("+v.row(table, key)+")")
}

// row selects the key of a row by chance.
func (v *copied) row(table string, key []string) string {
	return fmt.Sprintf("SELECT %s FROM %s LIMIT 1 OFFSET %d %% (SELECT max(1, count(*)) FROM %s)", strings.Join(key, ", "), table, v.rand.IntN(1<<20), table)
}

func (v *copied) table() eventstore.Table {
	tables := eventstore.Tables()
	return tables[v.rand.IntN(len(tables))]
}

func (v *copied) position(t *testing.T) (position int64) {
	t.Helper()
	if err := v.db.Read(t.Context(), database.Query{SQL: v.row("events", []string{"position"}), Row: func(scan database.Scan) error { return scan(&position) }}); err != nil {
		t.Fatal(err)
	}
	return position
}

// rewrite gives somebody else the blame for an event, and makes all hashes fit.
func (v *copied) rewrite(t *testing.T) bool {
	t.Helper()
	type link struct {
		position, sequence, created                           int64
		instance, kind, id, owner, name, creator, digest, old string
	}
	at := v.position(t)
	var stream []*link
	if err := v.db.Read(t.Context(), database.Query{
		SQL: `SELECT e.position, e.sequence, e.created, e.instance_id, e.aggregate_type, e.aggregate_id, e.owner, e.type, e.creator, e.digest, e.hash FROM events e
			JOIN events x ON x.position = ? AND x.instance_id = e.instance_id AND x.aggregate_type = e.aggregate_type AND x.aggregate_id = e.aggregate_id ORDER BY e.sequence`,
		Args: []any{at}, Row: func(scan database.Scan) error {
			var l link
			stream = append(stream, &l)
			return scan(&l.position, &l.sequence, &l.created, &l.instance, &l.kind, &l.id, &l.owner, &l.name, &l.creator, &l.digest, &l.old)
		},
	}); err != nil {
		t.Fatal(err)
	}
	previous := ""
	for _, l := range stream {
		if l.position == at {
			l.creator = "somebody else"
		}
		var buf []byte
		for _, field := range []string{previous, l.instance, l.kind, l.id, l.owner, l.name, l.creator, l.digest} {
			buf = append(binary.BigEndian.AppendUint32(buf, uint32(len(field))), field...)
		}
		buf = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(buf, uint64(l.sequence)), uint64(l.created))
		sum := sha256.Sum256(buf)
		previous = hex.EncodeToString(sum[:])
		if !v.exec(t, "UPDATE events SET creator = ?, hash = ? WHERE position = ?", l.creator, previous, l.position) {
			return false
		}
	}
	last := stream[len(stream)-1]
	return v.exec(t, "UPDATE aggregates SET hash = ? WHERE instance_id = ? AND type = ? AND id = ?", previous, last.instance, last.kind, last.id)
}

// copyDatabase copies a file that nobody has open to one that nobody needs any more.
func copyDatabase(t *testing.T, from, to string) {
	t.Helper()
	for _, suffix := range []string{"-wal", "-shm"} {
		_ = os.Remove(to + suffix)
	}
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
