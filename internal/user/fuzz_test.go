package user

import "testing"

// FuzzTokens: what has the form of a token is that of one kind at most, and the two halves
// of a refresh token are told apart.
func FuzzTokens(f *testing.F) {
	pat, _ := NewToken()
	session, _ := NewSessionToken("100496753425448000")
	refresh, _, _, _ := NewRefreshToken("") //nolint:dogsled // the token alone
	for _, seed := range []string{pat, session, refresh, "gatehouse_", pat + "x", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		kinds := 0
		for _, is := range []func(string) bool{LooksLikeSessionToken, LooksLikeOIDCToken, LooksLikeCode} {
			if is(token) {
				kinds++
			}
		}
		if _, _, _, ok := SplitRefreshToken(token); ok {
			kinds++
		}
		if kinds > 1 {
			t.Errorf("%q has the form of %d kinds", token, kinds)
		}
		if named := SessionOfToken(session); named != "100496753425448000" {
			t.Errorf("the token of the session names %q", named)
		}
		if HashToken(token) == token {
			t.Errorf("%q is its own hash", token)
		}
	})
}

// FuzzContacts: the clean form of an address and of a number is its own, and ends no line.
func FuzzContacts(f *testing.F) {
	for _, seed := range []string{"Ann <ann@example.com>", "ann@example.com", "+41 79 123 45 67", "ann@example.com\r\nBcc: x@y", "+1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		for name, clean := range map[string]func(string) (string, error){"address": cleanEmail, "number": cleanPhone} {
			one, err := clean(typed)
			if err != nil {
				continue
			}
			if two, err := clean(one); err != nil || two != one {
				t.Errorf("the %s %q is %q and then %q (%v)", name, typed, one, two, err)
			}
			for _, r := range one {
				if r < ' ' || r == 0x7f {
					t.Errorf("the %s %q holds %q", name, typed, r)
				}
			}
		}
	})
}

// FuzzDiscover takes whatever a browser could send for a passkey.
func FuzzDiscover(f *testing.F) {
	f.Add([]byte(`{"challenge":"x"}`), []byte(`{"id":"eA","rawId":"eA","type":"public-key","response":{}}`))
	f.Fuzz(func(t *testing.T, state, answer []byte) {
		id, forThem, err := Discover(state, answer)
		if err == nil && (id == "" || len(id) > maxHandle || len(forThem) == 0) {
			t.Errorf("%q answers for %q", answer, id)
		}
	})
}
