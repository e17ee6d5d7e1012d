package user_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
	"github.com/gatehouse/gatehouse/internal/user"
)

var key = user.CodeKey{Instance: "1", UserID: "2", Purpose: user.ToVerifyEmail}

// desk is where codes are kept and used.
type desk struct {
	t     *testing.T
	store *eventstore.Store
	vault *crypto.Vault
	now   atomic.Int64
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	db := testdb.Open(t)
	master, err := crypto.NewMasterKey()
	if err != nil {
		t.Fatal(err)
	}
	v, err := crypto.OpenVault(t.Context(), db, master)
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, vault: v}
	d.store = eventstore.New(db, func() time.Time { return time.Now().Add(time.Duration(d.now.Load())) })
	return d
}

func (d *desk) keep(code string) {
	d.t.Helper()
	if err := d.store.Write(d.t.Context(), func(tx *eventstore.Tx) error { return user.KeepCode(tx, d.vault, key, code, time.Hour) }); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) use(ctx context.Context, code string) error {
	return user.UseCode(ctx, d.store, d.vault, key, code, func(*eventstore.Tx) error { return nil }, nil)
}

func (d *desk) expect(what, code, id string) {
	d.t.Helper()
	err := d.use(d.t.Context(), code)
	if id == "" && err != nil || id != "" && (err == nil || fault.Of(err).ID != id) {
		d.t.Errorf("%s: %v, want %q", what, err, id)
	}
}

func TestCodeIsGoodOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.expect("before there is one", "123456", "USER-code-gone")
	d.keep("123456")
	d.expect("a wrong one", "123457", "USER-code")
	d.expect("the right one", "123456", "")
	d.expect("again", "123456", "USER-code-gone")
	d.keep("111111")
	d.keep("222222")
	d.expect("one that a newer one ended", "111111", "USER-code")
	d.expect("the newer one", "222222", "")
}

func TestCodeEnds(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.keep("123456")
	d.now.Store(int64(time.Hour - time.Second))
	d.expect("a wrong one does not prolong it", "x", "USER-code")
	d.now.Store(int64(time.Hour + time.Second))
	d.expect("too late", "123456", "USER-code-gone")
}

// TestTriesAreCounted: five tries, and no way to try for free, be it by a dry run
// or by hanging up.
func TestTriesAreCounted(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.keep("123456")
	dry := eventstore.WithOrigin(t.Context(), eventstore.Origin{DryRun: true})
	for range 4 {
		if err := d.use(dry, "x"); fault.Of(err).ID != "USER-code" {
			t.Fatal(err)
		}
	}
	d.expect("the last try", "123456", "")
	d.keep("123456")
	for range 5 {
		d.expect("a wrong one", "x", "USER-code")
	}
	d.expect("the right one, too late", "123456", "USER-code-tries")
}

func TestParallelUseSucceedsOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.keep("123456")
	var succeeded atomic.Int64
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			if err := d.use(t.Context(), "123456"); err == nil {
				succeeded.Add(1)
			}
		})
	}
	all.Wait()
	if succeeded.Load() != 1 {
		t.Errorf("%d uses succeeded", succeeded.Load())
	}
}

// TestFailureKeepsTheCode: where what the code is for fails, it was not used.
func TestFailureKeepsTheCode(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.keep("123456")
	no := errors.New("no")
	err := user.UseCode(t.Context(), d.store, d.vault, key, "123456", func(*eventstore.Tx) error { return no }, nil)
	if !errors.Is(err, no) {
		t.Fatal(err)
	}
	d.expect("after that", "123456", "")
}

// TestRowsThatEndedGo: what nobody can use any more takes no room.
func TestRowsThatEndedGo(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.keep("123456")
	rows := func() (n uint64) {
		d.store.ExpireNow(t.Context())
		if err := d.store.Read(t.Context(), database.From("*", "user_codes").Count(&n)); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := rows(); n != 1 {
		t.Errorf("%d codes while one is good", n)
	}
	d.now.Store(int64(time.Hour + time.Second))
	if n := rows(); n != 0 {
		t.Errorf("%d codes after it ended", n)
	}
}
