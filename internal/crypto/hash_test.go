package crypto

import (
	"os"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// TestHashesOfOthers holds every scheme against hashes that another program made:
// the first line of the file is their password.
func TestHashesOfOthers(t *testing.T) {
	t.Parallel()
	file, err := os.ReadFile("testdata/hashes.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(file)), "\n")
	password := lines[0]
	for _, line := range lines[1:] {
		name, stored, _ := strings.Cut(line, "\t")
		for try, want := range map[string]bool{password: true, password + "!": false, password[1:]: false, "": false} {
			if got, err := PasswordMatches(t.Context(), stored, try); err != nil || got != (Match{OK: want, Renew: true}) {
				t.Errorf("%s: %q matches: %+v (%v)", name, try, got, err)
			}
		}
	}
}

// TestHashesThatCannotBeChecked are malformed, unknown, or would cost too much.
func TestHashesThatCannotBeChecked(t *testing.T) {
	t.Parallel()
	for _, stored := range []string{
		"", "plain", "{SSHA}c2FsdA==", "$0$x", strings.Repeat("a", 2000), "$argon2id$", "$argon2id$v=19$m=1,t=1,p=1$c2FsdA", "$2b$",
		"$argon2id$v=19$m=4194304,t=2,p=1$PYfwHgNgbA3hfE+JMcbYew$YxaD3aaaF0CGyze5/s24Adb+1WGfweRVEzrluZ7mufA",
		"$argon2id$v=19$m=1024,t=99,p=1$PYfwHgNgbA3hfE+JMcbYew$YxaD3aaaF0CGyze5/s24Adb+1WGfweRVEzrluZ7mufA",
		"$argon2id$v=19$m=1024,t=0,p=1$PYfwHgNgbA3hfE+JMcbYew$YxaD3aaaF0CGyze5/s24Adb+1WGfweRVEzrluZ7mufA",
		"$argon2id$v=16$m=1024,t=2,p=1$PYfwHgNgbA3hfE+JMcbYew$YxaD3aaaF0CGyze5/s24Adb+1WGfweRVEzrluZ7mufA",
		"$argon2id$v=19$m=1024,t=2,p=1$PYfwHgNgbA3hfE+JMcbYew$",
		"$2b$31$1CJW08.lersqFpIvwPqbr.aJ4iQH/SkyIHAXwBoRdSpDURVNgnBqC",
		"$scrypt$ln=30,r=8,p=1$ZizFmJNyrjVmjBEiBOC81w$KH12zNPt3CKMN6zR85IWAc8BUX1TjHhImLnSa1R9on4",
		"$scrypt$ln=8,r=0,p=1$ZizFmJNyrjVmjBEiBOC81w$KH12zNPt3CKMN6zR85IWAc8BUX1TjHhImLnSa1R9on4",
		"$pbkdf2$999999999$NYaQEiLkfG8NgRACIATgXA$xaQK/7sIYlRb44xf8v1njxosdGU",
		"$pbkdf2$-1$NYaQEiLkfG8NgRACIATgXA$xaQK/7sIYlRb44xf8v1njxosdGU",
		"$5$rounds=999999999$YZH2UUgXy0e5oIIf$1BXKbTEJdWpI71gdH0ozgOCTYusP.nVijGAThiNT.P8",
		"$argon2id$v=19$m=131072,t=9,p=1$PYfwHgNgbA3hfE+JMcbYew$YxaD3aaaF0CGyze5/s24Adb+1WGfweRVEzrluZ7mufA",
		"$argon2id$v=19$m=131073,t=1,p=1$PYfwHgNgbA3hfE+JMcbYew$YxaD3aaaF0CGyze5/s24Adb+1WGfweRVEzrluZ7mufA",
		"$scrypt$ln=17,r=8,p=9$ZizFmJNyrjVmjBEiBOC81w$KH12zNPt3CKMN6zR85IWAc8BUX1TjHhImLnSa1R9on4",
		"$2b$15$1CJW08.lersqFpIvwPqbr.aJ4iQH/SkyIHAXwBoRdSpDURVNgnBqC",
		"$pbkdf2$1000001$NYaQEiLkfG8NgRACIATgXA$" + strings.Repeat("A", 40), // Two blocks.
		"$P$zeZZkFzFG7c/J3F.EIZu9BGHv7HwZ0/", "$P$6eZZkFzFG7c/J3F.EIZu9BGHv7HwZ0/x", "$S$6eight8sl", "$md5salted-suffix$salz$a70c",
	} {
		if match, err := parseHash(stored); err == nil || match.match != nil {
			t.Errorf("%q can be checked", stored)
		}
		if err := CheckHash(stored); fault.KindOf(err) != fault.KindInvalid {
			t.Errorf("%q: %v", stored, err)
		}
	}
}

// TestLongPasswordsAreBounded: what many rounds hash is bounded with the password.
func TestLongPasswordsAreBounded(t *testing.T) {
	t.Parallel()
	asked := 0
	m := rounds(maxSHARounds, func(string) bool { asked++; return true })
	if !m.match("a password") || m.match(strings.Repeat("x", MaxPassword)) || asked != 1 {
		t.Errorf("compared %d times", asked)
	}
}
