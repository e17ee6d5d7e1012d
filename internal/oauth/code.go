package oauth

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// Code is an authorization code, and everything that it is bound to.
type Code struct {
	Grant
	FamilyID    string        `json:"familyID"` // that the tokens will have
	Created     time.Time     `json:"-"`
	Lifetime    time.Duration `json:"-"` // of a code to keep; 0: CodeLifetime
	RedirectURI string        `json:"redirectURI"`
	Challenge   string        `json:"challenge,omitempty"`
}

// Use is how a client uses a code.
type Use struct {
	ClientID, RedirectURI, Verifier string
}

// KeepCode keeps a code by its hash.
func KeepCode(tx *eventstore.Tx, instance, hash string, c Code) error {
	data, err := json.Marshal(c)
	if err == nil {
		codes.Exec(tx, `INSERT INTO oauth_codes (instance_id, code_hash, client_id, user_id, user_org, user_since, session_id, document, created, expires)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, instance, hash, c.ClientID, c.UserID, c.UserOrg, c.UserSince.UnixMicro(), c.SessionID, string(data),
			tx.Now().UnixMicro(), tx.Now().Add(cmp.Or(c.Lifetime, CodeLifetime)).UnixMicro())
	}
	return err
}

const codeSQL = "SELECT document, created FROM oauth_codes WHERE instance_id = ? AND code_hash = ? AND expires > ?"

// CodeByHash asks for a code that nobody has used; found says whether there is one.
func CodeByHash(instance, hash string, now time.Time, c *Code, found *bool) database.Query {
	return database.Query{SQL: codeSQL, Args: []any{instance, hash, now.UnixMicro()}, Row: func(scan database.Scan) error {
		var document string
		var created int64
		if err := scan(&document, &created); err != nil {
			return err
		}
		*found, c.Created = true, time.UnixMicro(created).UTC()
		return json.Unmarshal([]byte(document), c)
	}}
}

// TakeCode gives a code once. Where somebody took it before, or tries to now with
// what does not fit, nothing is left of the code, nor of the tokens that it gave:
// it is in more hands than it should be. refusal says so; the transaction is to be
// committed all the same.
func TakeCode(tx *eventstore.Tx, instance, hash string, u Use) (c Code, refusal, err error) {
	found := false
	if err := readLocked(tx, CodeByHash(instance, hash, tx.Now(), &c, &found)); err != nil {
		return c, nil, err
	}
	if !found {
		err := endByCode(tx, instance, hash)
		return c, ErrCode, err
	}
	codes.Exec(tx, "DELETE FROM oauth_codes WHERE instance_id = ? AND code_hash = ?", instance, hash)
	if refusal = c.Admit(u); refusal != nil {
		_, err = CodeRefused.Emit(tx, aggregate(instance, c.FamilyID, c.UserOrg), codeRefused{ClientID: u.ClientID, Reason: fault.Of(refusal).ID})
	}
	return c, refusal, err
}

// ErrCode says that a code gives nothing, or no longer.
var ErrCode = fault.Precondition("OIDC-code", "The code is unknown, has been used, or is too old. "+
	"Tokens that it gave are revoked if it was used twice.")

var (
	errCodeClient   = fault.Precondition("OIDC-code-client", "The code was given to another client. It is void now.")
	errCodeRedirect = fault.Precondition("OIDC-code-redirect", "The redirect_uri must be the one of the authorization request. The code is void now.")
	errNoVerifier   = fault.Precondition("OIDC-code-verifier-missing", "The authorization request had a code_challenge: send its code_verifier. The code is void now.")
	errVerifier     = fault.Precondition("OIDC-code-verifier", "The code_verifier does not fit the code_challenge of the authorization request. The code is void now.")
	errNoChallenge  = fault.Precondition("OIDC-code-challenge", "There is a code_verifier, but the authorization request had no code_challenge. The code is void now.")
)

// Admit holds the use of a code against what the code is bound to.
func (c *Code) Admit(u Use) error {
	switch {
	case c.ClientID != u.ClientID:
		return errCodeClient
	case c.RedirectURI != u.RedirectURI:
		return errCodeRedirect
	case c.Challenge == "" && u.Verifier != "":
		return errNoChallenge
	case c.Challenge != "" && u.Verifier == "":
		return errNoVerifier
	case c.Challenge != "" && (!isVerifier(u.Verifier) || !crypto.SameCode(challengeOf(u.Verifier), c.Challenge)):
		return errVerifier
	}
	return nil
}

// The lengths of RFC 7636, section 4.1, and the characters.
const (
	minVerifier, maxVerifier = 43, 128
	unreserved               = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)

func isVerifier(s string) bool {
	return len(s) >= minVerifier && len(s) <= maxVerifier && strings.Trim(s, unreserved) == ""
}

// challengeOf is S256 of RFC 7636.
func challengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// IsChallenge reports whether s has the form of a challenge by S256.
func IsChallenge(s string) bool {
	data, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(data) == sha256.Size
}
