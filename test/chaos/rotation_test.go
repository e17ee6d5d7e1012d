//go:build linux

package chaos

import (
	"errors"
	"flag"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var sealedTexts = flag.Int("sealed", 20, "how many secrets TestRotatedKeys has sealed before each rotation")

// sealer is a client that has secrets sealed on one node and opened on another one.
type sealer struct {
	mu     sync.Mutex
	nodes  []*node
	made   atomic.Int64
	failed []error
}

// round has a code sealed and opened.
func (s *sealer) round(name string) {
	id, code, err := s.seal(name)
	if err == nil {
		err = s.open(id, code)
	}
	s.made.Add(1)
	if err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failed = append(s.failed, err)
	}
}

// next is the node whose turn it is.
func (s *sealer) next() *node {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = append(s.nodes[1:], s.nodes[0])
	return s.nodes[0]
}

func (s *sealer) add(n *node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.nodes = append(s.nodes, n)
}

// seal makes a user with an address that a code proves, and gives both.
func (s *sealer) seal(name string) (id, code string, err error) {
	r := s.next().call("POST /v2/users/human", `{"username":"`+name+`","profile":{"givenName":"A","familyName":"B"},"email":{"email":"`+name+`@example.com","returnCode":{}}}`)
	if !r.ok() || r.get("emailCode") == "" {
		err = errors.New(r.String())
	}
	return r.get("userId"), r.get("emailCode"), err
}

// open proves the address by the code, for which the server opens what it keeps.
func (s *sealer) open(id, code string) error {
	if r := s.next().call("POST /v2/users/"+id+"/email/verify", `{"verificationCode":"`+code+`"}`); !r.ok() {
		return errors.New(r.String())
	}
	return nil
}

// TestRotatedKeys rotates the keys that secrets are sealed with, and the key of those keys, under
// load: no call fails, whichever node seals with the new key first, and what was sealed before opens.
func TestRotatedKeys(t *testing.T) {
	t.Parallel()
	h := anyHome(t)
	s := &sealer{nodes: []*node{h.start(t)}}
	if testdb.Postgres() {
		s.add(h.start(t))
	}
	end := make(chan struct{})
	var wg sync.WaitGroup
	for c := range 4 {
		wg.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-end:
					return
				default:
					s.round(fmt.Sprintf("u%d-%d", c, i))
				}
			}
		})
	}
	id, code, err := s.seal("before")
	if err != nil {
		t.Fatal(err)
	}
	s.wait(t, *sealedTexts)
	if *sabotage == forgetful {
		edit(t, h, "DELETE FROM vault")
	}
	var took []string
	for i, command := range []string{"rotate", "rotate", "rekey"} {
		before, began := s.key(t, h), time.Now()
		h.command(t, "vault", command)
		took = append(took, fmt.Sprintf("%s %s", command, time.Since(began).Round(time.Millisecond)))
		if i == 1 { // A new master key may come right after a new key.
			continue
		}
		if testdb.Postgres() { // It seals with the newest key at once, and the others meet it.
			s.add(h.start(t))
		}
		for command == "rotate" && s.key(t, h) == before { // They also look for it by themselves.
			if time.Since(began) > 20*time.Second {
				t.Fatal("the new key is not used")
			}
			time.Sleep(50 * time.Millisecond)
		}
		s.wait(t, *sealedTexts)
	}
	close(end)
	wg.Wait()
	for _, n := range s.nodes {
		n.stop(t)
		n.sound(t)
	}
	s.nodes = []*node{h.start(t)} // It knows the new master key alone.
	if err := s.open(id, code); err != nil {
		s.failed = append(s.failed, fmt.Errorf("what was sealed before: %w", err))
	}
	s.round("last")
	if len(s.failed) > 0 {
		t.Errorf("%d of %d rounds failed, such as %s", len(s.failed), s.made.Load(), s.failed[0])
	}
	t.Logf("%d secrets were sealed and opened, by two calls each; the commands took: %s", s.made.Load(), strings.Join(took, ", "))
}

// wait waits for so many more rounds.
func (s *sealer) wait(t *testing.T, more int) {
	t.Helper()
	began := time.Now()
	for want := s.made.Load() + int64(more); s.made.Load() < want; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > 20*time.Minute {
			t.Fatal("no secret is sealed")
		}
	}
}

// key names the key that secrets are sealed with now.
func (s *sealer) key(t *testing.T, h home) (key string) {
	t.Helper()
	id, _, err := s.seal(fmt.Sprint("key", time.Now().UnixNano()))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	look(t, h, func(db *database.DB) error {
		return db.Read(t.Context(), database.One(&found, "SELECT substr(sealed, 1, 6) FROM user_codes WHERE user_id = ?", []any{id}, &key))
	})
	if !found {
		t.Fatal("a code was made and is not there")
	}
	return key
}

// edit changes the database of a home from outside.
func edit(t *testing.T, h home, statements ...string) {
	t.Helper()
	look(t, h, func(db *database.DB) error {
		return db.Write(t.Context(), func(tx *database.Tx) error {
			for _, sql := range statements {
				tx.Exec(database.Statement{SQL: sql})
			}
			return nil
		})
	})
}

// look opens the database of a home beside its nodes.
func look(t *testing.T, h home, do func(db *database.DB) error) {
	t.Helper()
	db, err := database.Open(t.Context(), h.database())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := do(db); err != nil {
		t.Fatal(err)
	}
}
