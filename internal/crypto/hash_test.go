package crypto

import (
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// TestHashesOfOthers holds every scheme against hashes that another program made.
func TestHashesOfOthers(t *testing.T) {
	t.Parallel()
	const password = `Gründe-1 für "Pässe"`
	for name, stored := range map[string]string{
		"argon2i":            "$argon2i$v=19$m=1024,t=2,p=1$PYfwHgNgbA3hfE+JMcbYew$YxaD3aaaF0CGyze5/s24Adb+1WGfweRVEzrluZ7mufA",
		"argon2id":           "$argon2id$v=19$m=1024,t=2,p=1$JqTUutfaO6c05pzznvO+9w$JBFFSP4TgY25uXPH4rq122OzlJJ9az3sGQDzRyRRIPY",
		"bcrypt":             "$2b$05$1CJW08.lersqFpIvwPqbr.aJ4iQH/SkyIHAXwBoRdSpDURVNgnBqC",
		"bcrypt of PHP":      "$2y$05$0MZqGGa9snE66tDGtjaKiOcoWa2if79CtovSM28dnnKHzLEp/w9bO",
		"scrypt":             "$scrypt$ln=8,r=8,p=1$ZizFmJNyrjVmjBEiBOC81w$KH12zNPt3CKMN6zR85IWAc8BUX1TjHhImLnSa1R9on4",
		"pbkdf2":             "$pbkdf2$1000$NYaQEiLkfG8NgRACIATgXA$xaQK/7sIYlRb44xf8v1njxosdGU",
		"pbkdf2 SHA-256":     "$pbkdf2-sha256$1000$PCdE6B3D2BuDsJYyxhijNA$QgxWAz6dR24Nn7xsjY8mwyIXvCfaUqlooEyVgquPVII",
		"pbkdf2 SHA-512":     "$pbkdf2-sha512$1000$oNQ6h5CS0jqn1JoTYqw1xg$xEEgsQ1HGZAXBGGsDPzE2Fjz8SAHJ1tGzNIQD.k4.zUaaKoL.cvieJIfoEhWn4QprznYcTaeMZ06jggkioSKug",
		"SHA-256 crypt":      "$5$rounds=1000$YZH2UUgXy0e5oIIf$1BXKbTEJdWpI71gdH0ozgOCTYusP.nVijGAThiNT.P8",
		"SHA-512 crypt":      "$6$NuY5IGbQIyNSJoh4$Cpi0Wl8NL7cZ7BIBPzAd6oTJeGgi81IdBid3.GY4.LSp5zrc1gZePh2PAHuMutcmvuAS2XAaklDMj1kWzLawP0",
		"MD5 crypt":          "$1$LQN1G.u0$P7mtqkI9IC5bFm/VqBCsU1",
		"phpass":             "$P$6eZZkFzFG7c/J3F.EIZu9BGHv7HwZ0/",
		"phpass of phpBB":    "$H$66AaTZmzcZnAafxqV8WsQAlHH6K8dQ1",
		"Drupal 7":           "$S$6eight8slJuwNv0aDGO9J//N7idCmlzsruwAkkDu7uYLC8AkBBj.",
		"MD5":                "96bd9ebf9bac8afcda89cbb297296a48",
		"MD5, salt in front": "$md5salted-prefix$salz$8e5b3f3a96e287f6c559a5310a65b122",
		"MD5, salt behind":   "$md5salted-suffix$salz$a70c6513247bb75edf88b0a71e774b91",
	} {
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
		"$P$zeZZkFzFG7c/J3F.EIZu9BGHv7HwZ0/", "$P$6eZZkFzFG7c/J3F.EIZu9BGHv7HwZ0/x", "$S$6eight8sl", "$md5salted-suffix$salz$a70c",
	} {
		if match, err := parseHash(stored); err == nil || match != nil {
			t.Errorf("%q can be checked", stored)
		}
		if err := CheckHash(stored); fault.KindOf(err) != fault.KindInvalid {
			t.Errorf("%q: %v", stored, err)
		}
	}
}
