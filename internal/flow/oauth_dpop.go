package flow

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/oauth"
)

// The names of the schemes and types of tokens: one that is enough by itself, and one
// that is bound to a key (RFC 9449).
const (
	bearer = "Bearer"
	dpop   = "DPoP"
)

// IsDPoP reports whether a scheme is the one of bound tokens.
func IsDPoP(scheme string) bool { return strings.EqualFold(scheme, dpop) }

// TokenType is how tokens are to be shown that are bound to a key with the thumbprint;
// empty: to none.
func TokenType(key string) string {
	if key == "" {
		return bearer
	}
	return dpop
}

// Sender is what a request shows of who sends it, and what its proof must be for. A
// proof needs no nonce of ours: it counts once on all nodes, for 70 seconds, and for one
// request and token, so that a nonce would only add a request to each that a client
// makes after a pause.
type Sender struct {
	Proofs  []string // the values of the header DPoP
	Method  string
	Address string // as clients know it, without query
}

var (
	errOneProof = fault.Unauthenticated("OIDC-dpop-one", "A request needs one header DPoP, with one proof.").With(oauth.InvalidProof)
	errBound    = fault.Unauthenticated("AUTH-bound", "The token is bound to a key: send it as \"DPoP\", with a proof of that key.").With(oauth.InvalidToken)
	errUnbound  = fault.Unauthenticated("AUTH-unbound", "The token is bound to no key: send it as \"Bearer\".").With(oauth.InvalidToken)
)

// Prove checks the proof of a request that shows a token; empty: one that asks for a
// token.
func (s Sender) Prove(token string, now time.Time) (p crypto.Proof, err error) {
	if len(s.Proofs) != 1 {
		return p, errOneProof
	}
	p, err = crypto.CheckProof(s.Proofs[0], s.Method, s.Address, token, now)
	if err != nil {
		err = fault.Of(err).With(oauth.InvalidProof)
	}
	return p, err
}

// admitKey holds the thumbprint of the key that a token is bound to, if it is, against
// the proof that it is shown with.
func admitKey(key string, proof crypto.Proof) error {
	switch key {
	case proof.Thumbprint:
		return nil
	case "":
		return errUnbound
	}
	return errBound
}

// TakeProof notes that a proof was used, which it can be once, on all nodes together.
// It is for proofs of whom is let in: others could fill the table.
func TakeProof(ctx context.Context, store *eventstore.Store, instance string, p crypto.Proof) error {
	if p.ID == "" {
		return nil
	}
	return store.Write(ctx, func(tx *eventstore.Tx) error {
		oauth.UseProof(tx, instance, p.ID, p.Ends)
		return nil
	})
}

// ShownWith refuses a token that is bound to a key other than that of the proof, and
// notes that the proof was used.
func (b *Bearer) ShownWith(ctx context.Context, store *eventstore.Store, p crypto.Proof) error {
	if err := admitKey(b.Key, p); err != nil {
		return err
	}
	return TakeProof(ctx, store, b.Instance.ID, p)
}
