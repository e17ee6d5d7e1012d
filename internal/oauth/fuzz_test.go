package oauth

import (
	"crypto/sha256"
	"encoding/base64"
	"testing"
)

// FuzzAdmit: a code is of use to nobody who lacks what it is bound to.
func FuzzAdmit(f *testing.F) {
	const good = "a-verifier-of-forty-three-characters-or-more"
	sum := sha256.Sum256([]byte(good))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	f.Add("c", "u", challenge, "", "c", "u", good, "")
	f.Add("c", "u", challenge, "k", "c", "u", good, "k2")
	f.Add("c", "u", "", "", "c", "u", good, "")
	f.Add("c", "u", good, "", "c", "u", good, "") // plain
	f.Fuzz(func(t *testing.T, client, uri, challenge, key, asClient, asURI, verifier, asKey string) {
		c := Code{Grant: Grant{ClientID: client}, RedirectURI: uri, Challenge: challenge, Key: key}
		err := c.Admit(Use{ClientID: asClient, RedirectURI: asURI, Verifier: verifier, Key: asKey})
		sum := sha256.Sum256([]byte(verifier))
		fits := base64.RawURLEncoding.EncodeToString(sum[:]) == challenge && len(verifier) >= 43
		if err == nil && (client != asClient || uri != asURI || (challenge != "" || verifier != "") && !fits || key != "" && key != asKey) {
			t.Errorf("the code is taken: %+v", c)
		}
		if IsChallenge(challenge) && len(challenge) != 43 {
			t.Errorf("%q is a challenge", challenge)
		}
	})
}
