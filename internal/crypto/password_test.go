package crypto

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

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
		if got, err := PasswordMatches(t.Context(), stored, password); err != nil || got != (Match{OK: want}) {
			t.Errorf("%q matches: %+v (%v)", password, got, err)
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
	if m, err := PasswordMatches(t.Context(), known, "password"); err != nil || !m.OK || !m.Renew {
		t.Errorf("the hash of the argon2 authors does not match, or need not be renewed: %+v, %v", m, err)
	}
}

func TestUnknownHashes(t *testing.T) {
	t.Parallel()
	good, _ := HashPassword(t.Context(), "x")
	for _, stored := range []string{
		"x", "$2a$10$abcdefghijklmnopqrstuv", strings.Replace(good, "v=19", "v=16", 1), strings.Replace(good, "m=19456", "m=99999999", 1),
		strings.Replace(good, "t=2", "t=0", 1), strings.Replace(good, "p=1", "p=0", 1), good[:len(good)-30], good + "!",
	} {
		if m, err := PasswordMatches(t.Context(), stored, "x"); m.OK || err == nil {
			t.Errorf("%q: %+v, %v", stored, m, err)
		}
	}
}

// TestNobodysHash: a check where there is no hash costs what one of ours costs, and
// nothing matches.
func TestNobodysHash(t *testing.T) {
	t.Parallel()
	if _, err := parseHash(nobodys); err != nil || !strings.HasPrefix(nobodys, ours) {
		t.Errorf("%q: %v", nobodys, err)
	}
	for _, password := range []string{"", "x"} {
		if m, err := PasswordMatches(t.Context(), "", password); err != nil || m.OK {
			t.Errorf("%q: %+v, %v", password, m, err)
		}
	}
}

// TestRoom: no more hashes run than there is memory for, and no more than there are
// cores. Who waits gives up with the context, or after a second; and who would be one of
// too many who wait, at once.
func TestRoom(t *testing.T) {
	stored, err := HashPassword(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	var leave []func()
	for range cores {
		free, err := enter(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, free)
	}
	defer func() {
		for _, free := range leave {
			free()
		}
		free, err := enter(t.Context(), maxHashMemory)
		if err != nil {
			t.Fatalf("there is no room for the largest: %v", err)
		}
		free()
	}()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, try := range map[string]func(context.Context) error{
		"hash":            func(ctx context.Context) error { _, err := HashPassword(ctx, "x"); return err },
		"check":           func(ctx context.Context) error { _, err := PasswordMatches(ctx, stored, "x"); return err },
		"check of nobody": func(ctx context.Context) error { _, err := PasswordMatches(ctx, "", "x"); return err },
	} {
		if err := try(gone); !errors.Is(err, context.Canceled) || fault.KindOf(err) != fault.KindExhausted {
			t.Errorf("%s, of somebody who left: %v", name, err)
		}
		began := time.Now()
		if err := try(t.Context()); !errors.Is(err, ErrBusy) || time.Since(began) > 2*maxWait {
			t.Errorf("%s without a place: %v after %v", name, err, time.Since(began))
		}
	}
	if err := Busy(); err != nil {
		t.Errorf("nobody waits: %v", err)
	}
	waiting.Add(maxWaiting)
	defer waiting.Add(-maxWaiting)
	began := time.Now()
	if err := Busy(); !errors.Is(err, ErrBusy) {
		t.Errorf("one of too many would wait: %v", err)
	}
	if _, err := HashPassword(t.Context(), "x"); !errors.Is(err, ErrBusy) || time.Since(began) > maxWait/2 {
		t.Errorf("one of too many: %v after %v", err, time.Since(began))
	}
}

func TestCommonPasswords(t *testing.T) {
	t.Parallel()
	for password, want := range map[string]bool{
		"password": true, "PassWord": true, "password1": true, "12Password2024": true, "qwerty": true, "letmein99": true, "P@ssw0rd1": true, "l3tm31n": true, "12345678": true, "11223344": true,
		"correct horse": false, "Correct-Horse-1": false, "pass1word": false, "83520947112385": false, "": false,
	} {
		if got, err := CommonPassword(password); err != nil || got != want {
			t.Errorf("%q is common: %v (%v)", password, got, err)
		}
	}
	if list, _ := common(); len(list) < 1000 {
		t.Errorf("the list has %d passwords", len(list))
	}
}
