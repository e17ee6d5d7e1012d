package crypto

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// FuzzStoredHash: whatever is taken as the hash of a password is that of one password, and
// holding passwords against it takes bounded memory and time: what runs for seconds is
// found by the engine.
func FuzzStoredHash(f *testing.F) {
	file, err := os.ReadFile("testdata/hashes.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, line := range strings.Split(strings.TrimSpace(string(file)), "\n")[1:] {
		_, stored, _ := strings.Cut(line, "\t")
		f.Add(stored)
	}
	f.Add(nobodys)
	f.Add("$5$rounds=1000$YZH2UUgXy0e5oIIf$1BXKbTEJdWpI71gdH0ozgOCTYusP.nVijGAThiNT.P8")
	f.Fuzz(func(t *testing.T, stored string) {
		m, err := parseHash(stored)
		if err != nil {
			if fault.KindOf(err) != fault.KindInvalid || m.match != nil {
				t.Fatalf("%q is refused with %v", stored, err)
			}
			return
		}
		if m.memory > maxHashMemory {
			t.Errorf("%q takes %d bytes", stored, m.memory)
		}
		if m.match("one") && m.match("another") {
			t.Errorf("%q is the hash of every password", stored)
		}
	})
}

// FuzzCheckProof: a text that its key did not sign is no proof, and one that it signed is
// one only for the request that it names.
func FuzzCheckProof(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	const address = "https://id.example.com/oauth/v2/token"
	f.Add("1", "POST", address, now.Unix(), "dpop+jwt", "x")
	f.Add("", "GET", "https://ID.example.com:443/oauth/v2/token?x#y", now.Unix()-69, "DPOP+JWT", "")
	f.Add("2", "POST", "https://id.example.com@evil.example/oauth/v2/token", int64(1<<62), "JWT", ".")
	f.Fuzz(func(t *testing.T, id, method, url string, issued int64, typ, end string) {
		text := sign(t, key, jose.ES256, map[jose.HeaderKey]any{"typ": typ, "jwk": jose.JSONWebKey{Key: key.Public()}},
			map[string]any{"jti": id, "htm": method, "htu": url, "iat": issued})
		if _, err := CheckProof(text+end, "POST", address, "", now); err == nil && end != "" {
			t.Errorf("%q is a proof with %q behind it", text, end)
		}
		if _, err := CheckProof(end, "POST", address, "", now); err == nil {
			t.Errorf("%q is a proof", end)
		}
		if _, err := CheckProof(text, "POST", address, "a token", now); err == nil {
			t.Error("it proves a token that it does not name")
		}
		age := now.Unix() - issued
		p, err := CheckProof(text, "POST", address, "", now)
		if err == nil && (id == "" || method != "POST" || !strings.EqualFold(typ, "dpop+jwt") || age < -11 || age > 71 ||
			!strings.Contains(strings.ToLower(url), "id.example.com") || !p.Ends.After(now.Add(-time.Second))) {
			t.Errorf("taken: %q %q %q, %d s old", typ, method, url, age)
		}
	})
}

// FuzzUnseal: sealed text opens as what was sealed, in its own place only, and no other
// text opens.
func FuzzUnseal(f *testing.F) {
	master, err := NewMasterKey()
	if err != nil {
		f.Fatal(err)
	}
	v, err := OpenVault(context.Background(), testdb.Open(f), master)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("secret"), "1", "t", "r", "c", 0, byte(1))
	f.Add([]byte{}, "", "", "", "", 40, byte(0x80))
	f.Fuzz(func(t *testing.T, secret []byte, instance, table, row, column string, at int, flip byte) {
		place := Place{instance, table, row, column}
		sealed, err := v.Seal(secret, place)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := v.Unseal(t.Context(), sealed, place); err != nil || !bytes.Equal(got, secret) {
			t.Fatalf("%q opens as %q (%v)", secret, got, err)
		}
		for _, other := range []Place{{table, instance, row, column}, {instance, row, table, column}, {instance + table, "", row, column}, {instance, table, row + column, ""}} {
			if _, err := v.Unseal(t.Context(), sealed, other); other != place && err == nil {
				t.Errorf("what was sealed for %q opens in %q", place, other)
			}
		}
		changed := []byte(sealed)
		changed[uint(at)%uint(len(changed))] ^= flip
		for _, text := range []string{string(changed), string(secret), sealed + "A", sealed[:len(sealed)-1]} {
			if _, err := v.Unseal(t.Context(), text, place); text != sealed && err == nil {
				t.Errorf("%q opens", text)
			}
		}
	})
}

// FuzzMasterKey: a text is a master key only if it is one that the key would write.
func FuzzMasterKey(f *testing.F) {
	k, err := NewMasterKey()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{k.Secret(), " " + k.Secret() + "\n", masterKeyPrefix, masterKeyPrefix + strings.Repeat("_", 43)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseMasterKey(text)
		if err != nil {
			if strings.Contains(err.Error(), text) && len(text) > len(masterKeyPrefix) {
				t.Errorf("the error gives the key away: %v", err)
			}
			return
		}
		if again, err := ParseMasterKey(k.Secret()); err != nil || again.Secret() != strings.TrimSpace(text) {
			t.Errorf("%q is read as %q (%v)", text, k.Secret(), err)
		}
	})
}

// FuzzTOTP: a secret of another system has one form, and a code of it counts once, within
// its time.
func FuzzTOTP(f *testing.F) {
	f.Add("jbsw y3dp ehpk 3pxp", "000000", int64(1_700_000_000), int64(0))
	f.Add("JBSWY3DPEHPK3PXP======", "", int64(-1), int64(-5))
	f.Fuzz(func(t *testing.T, secret, code string, at, after int64) {
		clean, ok := CleanTOTPSecret(secret)
		if !ok {
			return
		}
		if again, ok := CleanTOTPSecret(clean); !ok || again != clean {
			t.Errorf("%q is %q and then %q", secret, clean, again)
		}
		now := time.Unix(at%(1<<40), 0)
		step, ok := CheckTOTP(clean, code, now, after)
		if !ok {
			return
		}
		current := now.Unix() / 30
		if len(code) != TOTPDigits || step <= after || step < current-totpSkew || step > current+totpSkew {
			t.Errorf("the code %q counts at step %d of %d, after %d", code, step, current, after)
		}
		if later, ok := CheckTOTP(clean, code, now, step); ok && later <= step {
			t.Errorf("the code %q counts twice", code)
		}
	})
}

// FuzzRecoveryCode: codes are the same only where they differ in what copying changes.
func FuzzRecoveryCode(f *testing.F) {
	f.Add("abcd-efgh-ijkl-mnop", "ABCDEFGH IJKLMNOP")
	f.Add("İ", "i̇")
	f.Fuzz(func(t *testing.T, a, b string) {
		if (HashCode(a) == HashCode(b)) != (plainCode(a) == plainCode(b)) {
			t.Errorf("%q and %q", a, b)
		}
		if n := CodeLength(a); n > len(a)+strings.Count(a, "İ")*2 || strings.ContainsAny(plainCode(a), "- ") {
			t.Errorf("%q has %d characters that matter", a, n)
		}
	})
}
