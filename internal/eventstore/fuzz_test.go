package eventstore_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// FuzzFold: what an event holds is read as it was written, and a fold takes whatever can be
// read: it changes the tables or says why not, and never stops the server.
func FuzzFold(f *testing.F) {
	names := eventstore.Kinds()
	s := testkit.Start(f)
	err := s.DB.Read(context.Background(), database.Query{SQL: "SELECT type, payload FROM events", Row: func(scan database.Scan) error {
		var name, payload string
		err := scan(&name, &payload)
		f.Add(uint(slices.Index(names, name)), []byte(payload))
		return err
	}})
	if err != nil {
		f.Fatal(err)
	}
	for i, payload := range []string{``, `{}`, `null`, `[]`, `{"id":"1","name":"x","value":"eA=="}`, `{"webAuthNTokenId":"1","keyId":"AA=="}`, `{"roles":["a","a"],"userId":"1"}`, `{"x":1e999}`} {
		for n := i; n < len(names); n += 8 {
			f.Add(uint(n), []byte(payload))
		}
	}
	db := testdb.Scratch(f)
	f.Fuzz(func(t *testing.T, number uint, payload []byte) {
		name := names[number%uint(len(names))]
		kind, _, _ := strings.Cut(name, ".")
		a := eventstore.Aggregate{Instance: "1", Type: kind, ID: "2", Owner: "3"}
		form, fold := eventstore.Replayed(t.Context(), db, name, a, payload)
		if form != nil {
			return
		}
		if fold != nil && !refused(fold) {
			t.Errorf("%s: %q: %v", name, payload, fold)
		}
		one, err := eventstore.Written(name, payload)
		if err != nil {
			t.Fatalf("%s: %q: %v", name, payload, err)
		}
		if two, err := eventstore.Written(name, one); err != nil || !bytes.Equal(one, two) {
			t.Errorf("%s: %q is written as %s and then as %s (%v)", name, payload, one, two, err)
		}
	})
}

// refused reports whether a fold could not take what no verb writes.
func refused(err error) bool {
	return slices.ContainsFunc([]string{"json", "unexpected end", "invalid", "unique", "constraint", "unknown", "cannot"}, func(part string) bool {
		return strings.Contains(strings.ToLower(err.Error()), part)
	})
}
