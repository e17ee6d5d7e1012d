package crypto

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // the algorithm of RFC 6238 that every authenticator app knows
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"net/url"
	"strings"
	"time"
)

// The form of time-based codes (RFC 6238) that every authenticator app knows.
const (
	TOTPPeriod = 30 * time.Second
	TOTPDigits = 6
	// totpSecretBytes is as long as the hash, as RFC 4226 section 4 recommends.
	totpSecretBytes = sha1.Size
	// totpSkew is how many periods a code may be early or late (RFC 6238 section 5.2).
	totpSkew = 1
)

var base32Text = base32.StdEncoding.WithPadding(base32.NoPadding)

// NewTOTPSecret makes a secret to share with an authenticator app, in base32.
func NewTOTPSecret() (string, error) {
	secret := make([]byte, totpSecretBytes)
	if _, err := rand.Read(secret); err != nil {
		return "", err
	}
	return base32Text.EncodeToString(secret), nil
}

// CleanTOTPSecret gives the form in which a secret of another system is kept. It
// reports whether the secret is one.
func CleanTOTPSecret(secret string) (clean string, ok bool) {
	clean = strings.TrimRight(strings.ToUpper(strings.ReplaceAll(secret, " ", "")), "=")
	key, err := base32Text.DecodeString(clean)
	return clean, err == nil && len(key) >= 10 && len(key) <= 64
}

// TOTPURI is what an authenticator app reads from a QR code.
func TOTPURI(issuer, account, secret string) string {
	q := url.Values{
		"secret": {secret}, "issuer": {issuer}, "algorithm": {"SHA1"},
		"digits": {fmt.Sprint(TOTPDigits)}, "period": {fmt.Sprint(int(TOTPPeriod.Seconds()))},
	}
	label := url.PathEscape(issuer) + ":" + url.PathEscape(account)
	// Apps take a plus sign for what it is.
	return "otpauth://totp/" + label + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

// CheckTOTP finds the step, counted since 1970, whose code this is. Steps up to
// after are not looked at: a code is good once (RFC 6238 section 5.2).
func CheckTOTP(secret, code string, now time.Time, after int64) (step int64, ok bool) {
	key, err := base32Text.DecodeString(strings.TrimRight(strings.ToUpper(secret), "="))
	if err != nil || len(key) == 0 {
		return 0, false
	}
	current := now.Unix() / int64(TOTPPeriod/time.Second)
	for s := current - totpSkew; s <= current+totpSkew; s++ {
		if match := SameCode(hotp(key, s), code); match && s > after {
			step, ok = s, true
		}
	}
	return step, ok
}

// hotp is the code for a counter (RFC 4226 section 5.3).
func hotp(key []byte, counter int64) string {
	mac := hmac.New(sha1.New, key)
	_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(counter))) //nolint:gosec // steps are positive
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	number := binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", TOTPDigits, number%1_000_000)
}
