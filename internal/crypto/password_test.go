package crypto

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/fault"
)

func TestPassword(t *testing.T) {
	t.Parallel()
	stored, err := HashPassword(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is %s", stored)
	}
	if again, _ := HashPassword(t.Context(), "correct horse"); again == stored {
		t.Error("two hashes of one password are equal: there is no salt")
	}
	for password, want := range map[string]bool{"correct horse": true, "correct Horse": false, "": false, "correct horse\x00": false} {
		if got, err := PasswordMatches(t.Context(), stored, password); err != nil || got != want {
			t.Errorf("%q matches: %v (%v)", password, got, err)
		}
	}
	if _, err := HashPassword(t.Context(), strings.Repeat("x", MaxPassword+1)); fault.KindOf(err) != fault.KindInvalid {
		t.Errorf("a long password: %v", err)
	}
}

// TestKnownPassword checks a hash that another implementation made.
func TestKnownPassword(t *testing.T) {
	t.Parallel()
	const known = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if ok, err := PasswordMatches(t.Context(), known, "password"); err != nil || !ok {
		t.Errorf("the hash of the argon2 authors does not match: %v", err)
	}
}

func TestUnknownHashes(t *testing.T) {
	t.Parallel()
	good, _ := HashPassword(t.Context(), "x")
	for _, stored := range []string{
		"", "x", "$2a$10$abcdefghijklmnopqrstuv", strings.Replace(good, "v=19", "v=16", 1), strings.Replace(good, "m=19456", "m=99999999", 1),
		strings.Replace(good, "t=2", "t=0", 1), strings.Replace(good, "p=1", "p=0", 1), good[:len(good)-30], good + "!",
	} {
		if ok, err := PasswordMatches(t.Context(), stored, "x"); ok || err == nil {
			t.Errorf("%q: %v, %v", stored, ok, err)
		}
	}
}

// TestPlaces: no more hashes run than there are places, and who waits gives up
// with the context.
func TestPlaces(t *testing.T) {
	for range cap(places) {
		places <- struct{}{}
	}
	defer func() {
		for range cap(places) {
			<-places
		}
	}()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := HashPassword(ctx, "x"); !errors.Is(err, context.Canceled) || fault.KindOf(err) != fault.KindExhausted {
		t.Errorf("without a place: %v", err)
	}
}
