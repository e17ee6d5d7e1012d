package crypto_test

import (
	"encoding/base32"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
)

// The test vectors of RFC 6238 appendix B for SHA-1, to six digits.
func TestTOTPVectors(t *testing.T) {
	t.Parallel()
	secret := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	for unix, code := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if step, ok := crypto.CheckTOTP(secret, code, time.Unix(unix, 0), 0); !ok || step != unix/30 {
			t.Errorf("at %d: %s is %v, step %d", unix, code, ok, step)
		}
	}
}

func TestTOTPWindow(t *testing.T) {
	t.Parallel()
	secret := base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))
	const code, step = "050471", 1111111111 / 30
	for _, c := range []struct {
		name  string
		code  string
		shift time.Duration
		after int64
		want  bool
	}{
		{"now", code, 0, 0, true},
		{"one period late", code, crypto.TOTPPeriod, 0, true},
		{"one period early", code, -crypto.TOTPPeriod, 0, true},
		{"two periods late", code, 2 * crypto.TOTPPeriod, 0, false},
		{"two periods early", code, -2 * crypto.TOTPPeriod, 0, false},
		{"used already", code, 0, step, false},
		{"an older one was used", code, 0, step - 1, true},
		{"a newer one was used", code, crypto.TOTPPeriod, step + 1, false},
		{"another code", "050472", 0, 0, false},
		{"no code", "", 0, 0, false},
		{"part of the code", "05047", 0, 0, false},
		{"more than the code", "0504710", 0, 0, false},
	} {
		if _, ok := crypto.CheckTOTP(secret, c.code, time.Unix(1111111111, 0).Add(c.shift), c.after); ok != c.want {
			t.Errorf("%s: %v", c.name, ok)
		}
	}
	if _, ok := crypto.CheckTOTP("not base32!", code, time.Unix(1111111111, 0), 0); ok {
		t.Error("a broken secret has a code")
	}
}

func TestTOTPURI(t *testing.T) {
	t.Parallel()
	secret, err := crypto.NewTOTPSecret()
	if err != nil || len(secret) != 32 {
		t.Fatalf("secret %q, %v", secret, err)
	}
	u, err := url.Parse(crypto.TOTPURI("Acme & Söhne", "ann@acme.example", secret))
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Acme & Söhne:ann@acme.example" ||
		u.Query().Get("issuer") != "Acme & Söhne" || u.Query().Get("secret") != secret || u.Query().Get("period") != "30" || u.Query().Get("digits") != "6" || strings.Contains(u.RawQuery, "+") {
		t.Errorf("%s, %v", u, err)
	}
}

func TestCodes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		code, err := crypto.NewCode(crypto.UpperLetters+crypto.Digits, 8)
		if err != nil || len(code) != 8 || strings.Trim(code, crypto.UpperLetters+crypto.Digits) != "" || seen[code] {
			t.Fatalf("code %q, %v", code, err)
		}
		seen[code] = true
	}
	codes, err := crypto.NewRecoveryCodes(10)
	if err != nil || len(codes) != 10 || len(codes[0]) != 19 {
		t.Fatalf("%q, %v", codes, err)
	}
	copied := " " + strings.ToUpper(strings.ReplaceAll(codes[0], "-", " "))
	if crypto.HashCode(copied) != crypto.HashCode(codes[0]) || crypto.HashCode(codes[0]) == crypto.HashCode(codes[1]) {
		t.Errorf("%q and %q", codes[0], copied)
	}
}
