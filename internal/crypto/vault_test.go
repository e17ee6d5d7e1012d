package crypto_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var place = crypto.Place{Instance: "1", Table: "factors", Row: "2", Column: "secret"}

func open(t *testing.T, db *database.DB, master crypto.MasterKey) *crypto.Vault {
	t.Helper()
	v, err := crypto.OpenVault(t.Context(), db, master)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func newMaster(t *testing.T) crypto.MasterKey {
	t.Helper()
	k, err := crypto.NewMasterKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func seal(t *testing.T, v *crypto.Vault, secret string) string {
	t.Helper()
	sealed, err := v.Seal([]byte(secret), place)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func opens(t *testing.T, v *crypto.Vault, sealed, want string) {
	t.Helper()
	if got, err := v.Unseal(t.Context(), sealed, place); err != nil || string(got) != want {
		t.Errorf("unsealed %q, %v", got, err)
	}
}

func TestSealedTextOpensInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	v := open(t, testdb.Open(t), newMaster(t))
	sealed := seal(t, v, "JBSWY3DP")
	opens(t, v, sealed, "JBSWY3DP")
	if strings.Contains(sealed, "JBSWY3DP") || sealed == seal(t, v, "JBSWY3DP") {
		t.Errorf("sealed as %q", sealed)
	}
	for _, elsewhere := range []crypto.Place{
		{Instance: "2", Table: "factors", Row: "2", Column: "secret"},
		{Instance: "1", Table: "factor", Row: "s2", Column: "secret"},
		{Instance: "1", Table: "factors", Row: "3", Column: "secret"},
		{Instance: "1", Table: "factors", Row: "2", Column: "name"},
		{},
	} {
		if got, err := v.Unseal(t.Context(), sealed, elsewhere); err == nil {
			t.Errorf("opens as %q in %+v", got, elsewhere)
		}
	}
	for i := range sealed {
		other := byte('A')
		if sealed[i] == other {
			other = 'B'
		}
		if got, err := v.Unseal(t.Context(), sealed[:i]+string(other)+sealed[i+1:], place); err == nil {
			t.Errorf("opens as %q with character %d changed", got, i)
		}
	}
}

func TestRotation(t *testing.T) {
	t.Parallel()
	db, master := testdb.Open(t), newMaster(t)
	one, two := open(t, db, master), open(t, db, master)
	before := seal(t, one, "before")
	if err := one.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := seal(t, one, "after")
	opens(t, two, after, "after") // Another node meets the new key.
	opens(t, one, before, "before")
	opens(t, open(t, db, master), before, "before")

	other := newMaster(t)
	if err := one.ChangeMaster(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	opens(t, open(t, db, other), after, "after")
	if _, err := crypto.OpenVault(t.Context(), db, master); !errors.Is(err, crypto.ErrMaster) {
		t.Errorf("with the old master key: %v", err)
	}
	if err := one.Rotate(t.Context()); err != nil {
		t.Errorf("rotation under the new master key: %v", err)
	}
}

// TestFirstKeyIsMadeOnce lets many nodes start at the same time on a new database.
func TestFirstKeyIsMadeOnce(t *testing.T) {
	t.Parallel()
	db, master := testdb.Open(t), newMaster(t)
	vaults := make([]*crypto.Vault, 16)
	var started sync.WaitGroup
	for i := range vaults {
		started.Go(func() {
			v, err := crypto.OpenVault(t.Context(), db, master)
			if err != nil {
				t.Error(err)
				return
			}
			vaults[i] = v
		})
	}
	started.Wait()
	if t.Failed() {
		return
	}
	for _, v := range vaults {
		opens(t, vaults[0], seal(t, v, "secret"), "secret")
	}
}

func TestMasterKeyText(t *testing.T) {
	t.Parallel()
	k := newMaster(t)
	again, err := crypto.ParseMasterKey(" " + k.Secret() + "\n")
	if err != nil || again.Secret() != k.Secret() {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"", "gatehouse-master-key-v1.", k.Secret() + "a", k.Secret()[1:], strings.Repeat("a", 43)} {
		if _, err := crypto.ParseMasterKey(text); err == nil || len(text) > 30 && strings.Contains(err.Error(), text) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// TestFollow: a node seals with a key that another one has made, though it never met it.
func TestFollow(t *testing.T) {
	t.Parallel()
	db, master := testdb.Open(t), newMaster(t)
	v, other := open(t, db, master), open(t, db, master)
	keyOf := func(v *crypto.Vault) string { return seal(t, v, "JBSWY3DP")[:6] } // The form and most of the key's number.
	before := keyOf(v)
	if err := other.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	go v.Follow(t.Context(), time.Millisecond)
	for range 2000 {
		if keyOf(v) == keyOf(other) {
			if before == keyOf(v) {
				t.Error("the key is the one of before")
			}
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("the node goes on with the key of before")
}
