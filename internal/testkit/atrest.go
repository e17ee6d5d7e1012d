//go:build unix

package testkit

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// Deep says that the end of every test also searches a backup of its database, or a dump.
var Deep bool

// Needles finds secrets in bytes, as they are and in base64 and hexadecimal digits.
type Needles struct {
	what  map[string]string   // a form of a secret, and what it was
	heads map[uint64][]string // by their first eight bytes
	maybe [1 << 16]bool       // whether there is a head with this hash
}

const headBytes = 8

func headHash(head uint64) uint64 { return head * 0x9E3779B97F4A7C15 >> 48 }

// NewNeedles makes needles of secrets.
func NewNeedles(secrets map[string]string) *Needles {
	n := &Needles{what: map[string]string{}, heads: map[uint64][]string{}}
	for secret, what := range secrets {
		for _, form := range forms(secret) {
			if len(form) < headBytes || n.what[form] != "" {
				continue
			}
			n.what[form] = what
			head := binary.LittleEndian.Uint64([]byte(form))
			n.heads[head] = append(n.heads[head], form)
			n.maybe[headHash(head)] = true
		}
	}
	return n
}

// forms are how a secret may be written. In base64 it depends on what is before.
func forms(secret string) []string {
	out := []string{secret, hex.EncodeToString([]byte(secret))}
	for before := range 3 {
		padded := append(make([]byte, before), secret...)
		padded = padded[:len(padded)/3*3] // The rest depends on what is after.
		for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
			out = append(out, e.EncodeToString(padded)[(before*8+5)/6:])
		}
	}
	return out
}

// In says which secrets are in data.
func (n *Needles) In(data []byte) (found []string) {
	for i := 0; i+headBytes <= len(data); i++ {
		head := binary.LittleEndian.Uint64(data[i:])
		if !n.maybe[headHash(head)] {
			continue
		}
		for _, form := range n.heads[head] {
			if strings.HasPrefix(string(data[i:min(len(data), i+len(form))]), form) && !slices.Contains(found, n.what[form]) {
				found = append(found, n.what[form])
			}
		}
	}
	return found
}

// Secrets are those that the test's clients sent and got so far, and what they were.
func (s *Server) Secrets() map[string]string {
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	return maps.Clone(s.seen.values)
}

// ForgetSecrets is for a test that keeps one in the database on purpose.
func (s *Server) ForgetSecrets() {
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	clear(s.seen.values)
}

// AtRest says which of the secrets that the test's clients sent and got are in the database:
// in its rows and, where it is a file, in its free pages and in the log of writes.
func (s *Server) AtRest(t testing.TB) (found []string) {
	t.Helper()
	secrets := s.Secrets()
	needles := NewNeedles(secrets)
	s.eachText(t, func(where Cell, text string) {
		for _, what := range needles.In([]byte(text)) {
			found = append(found, where.String()+": "+what)
		}
		if short := words(text, secrets); short != "" {
			found = append(found, where.String()+": "+short)
		}
	})
	files := []string{s.config.URL, s.config.URL + "-wal"}
	if testdb.Postgres() {
		files = nil
	}
	if Deep {
		files = append(files, s.copies(t)...)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("search for secrets: %v", err)
		}
		for _, what := range needles.In(data) {
			found = append(found, file+": "+what)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// rest holds that the database keeps no secret that could be read from a copy of it.
func (s *Server) rest(t testing.TB) {
	t.Helper()
	for _, what := range s.AtRest(t) {
		t.Errorf("a secret can be read in %s", what)
	}
	for _, what := range s.Misplaced(t) {
		t.Error(what)
	}
	everything.add(s.seen)
}

// everything is what all tests of the process have learnt.
var everything = newHarvest(nil)

// AllSecrets are the secrets of all tests that have ended.
func AllSecrets() map[string]string { return everything.values }

// copies are a backup of the embedded database, or a dump of the other.
func (s *Server) copies(t testing.TB) []string {
	t.Helper()
	file := t.TempDir() + "/copy"
	copied := testdb.Dump(s.config.URL, file)
	if !testdb.Postgres() {
		copied = s.DB.Backup(context.Background(), file)
	}
	if copied != nil {
		t.Errorf("copy: %v", copied)
		return nil
	}
	return []string{file}
}

// A colour is no code.
var word = regexp.MustCompile(`#?\b[A-Za-z0-9]{6,7}\b`)

// words says which secret that is too short for needles is a word of the text.
func words(text string, secrets map[string]string) string {
	for _, w := range word.FindAllString(text, -1) {
		if what, ok := secrets[w]; ok && strings.ContainsAny(w, "0123456789") {
			return what
		}
	}
	return ""
}

// eachText gives every cell of every table, as text.
func (s *Server) eachText(t testing.TB, do func(at Cell, text string)) {
	t.Helper()
	for table, columns := range Schema(t, s.DB) {
		var all []string
		for _, c := range columns {
			all = append(all, "CAST("+c+" AS TEXT)")
		}
		cells, row := make([]*string, len(columns)), 0
		dest := make([]any, len(columns))
		for i := range cells {
			dest[i] = &cells[i]
		}
		q := database.Query{SQL: "SELECT " + strings.Join(all, ", ") + " FROM " + table, Row: func(scan database.Scan) error {
			row++
			if err := scan(dest...); err != nil {
				return err
			}
			at := Cell{Table: table, Row: row}
			if i := slices.Index(columns, "instance_id"); i >= 0 {
				at.Instance = *cells[i]
			}
			for i, cell := range cells {
				if at.Column = columns[i]; cell != nil {
					do(at, *cell)
				}
			}
			return nil
		}}
		if err := s.DB.Read(context.Background(), q); err != nil {
			t.Errorf("search %s for secrets: %v", table, err)
		}
	}
}

// Cell is where a text is in the database. Row counts the rows of a table.
type Cell struct {
	Table, Column, Instance string
	Row                     int
}

func (c Cell) String() string { return c.Table + "." + c.Column }

// sealedWord is what a sealed text looks like.
var sealedWord = regexp.MustCompile(`[A-Za-z0-9+/]{40,}`)

// Misplaced says which sealed texts of the database would open elsewhere than where they are.
func (s *Server) Misplaced(t testing.TB) (out []string) {
	t.Helper()
	s.seen.mu.Lock()
	seals := maps.Clone(s.seen.seals)
	s.seen.mu.Unlock()
	kept, cells := map[string]crypto.Place{}, map[crypto.Place]Cell{}
	s.eachText(t, func(at Cell, text string) {
		for _, sealed := range sealedWord.FindAllString(text, -1) {
			place, ok := seals[sealed]
			if !ok {
				continue
			}
			kept[sealed] = place
			switch other, taken := cells[place]; {
			case at.Table == "events": // Keeps what its fold wrote elsewhere.
			case place.Table != at.Table || place.Instance != at.Instance:
				out = append(out, fmt.Sprintf("what %s keeps of instance %s is sealed for %+v", at, at.Instance, place))
			case taken && other != at:
				out = append(out, fmt.Sprintf("two rows of %s keep what is sealed for one place, %+v", at, place))
			default:
				cells[place] = at
			}
		}
	})
	for sealed, place := range kept {
		if _, err := s.Vault.Unseal(context.Background(), sealed, place); err != nil {
			out = append(out, fmt.Sprintf("what is sealed for %+v does not open there: %v", place, err))
		}
		for other := range cells {
			if _, err := s.Vault.Unseal(context.Background(), sealed, other); other != place && err == nil {
				out = append(out, fmt.Sprintf("what is sealed for %+v opens in %+v", place, other))
			}
		}
	}
	return out
}

// Schema lists the columns of every table that a database has.
func Schema(t testing.TB, db *database.DB) map[string][]string {
	t.Helper()
	query := "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
	if db.Dialect() == database.PostgreSQL {
		query = "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_schema = current_schema()"
	}
	columns := map[string][]string{}
	if err := db.Read(context.Background(), database.Query{SQL: query, Row: func(scan database.Scan) error {
		var table, column string
		err := scan(&table, &column)
		columns[table] = append(columns[table], column)
		return err
	}}); err != nil {
		t.Fatal(err)
	}
	if len(columns) < 10 {
		t.Fatalf("only the tables %q", slices.Collect(maps.Keys(columns)))
	}
	return columns
}
