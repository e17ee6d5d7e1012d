package oidc

import (
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/oauth"
)

var errNeedsProof = fault.Invalid("OIDC-dpop-required", "The tokens of this application are bound to a key: send a DPoP proof.").With(oauth.InvalidProof)

// keyProof is the proof of a key with which a client asks for tokens, to which they
// shall be bound (RFC 9449, section 5); zero where it shows none.
func (s *Server) keyProof(call *api.Call) (crypto.Proof, error) {
	sender := call.Sender(s.external)
	if len(sender.Proofs) == 0 {
		return crypto.Proof{}, nil
	}
	return sender.Prove("", s.store.Now())
}
