package flow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/session"
	"github.com/gatehouse/gatehouse/internal/user"
)

var errPasskey = fault.Invalid("SESSION-passkey", "This passkey lets nobody in here, or no longer. Log in with your login name.")

// asked is a challenge that any passkey of the instance may answer. Nothing is stored of
// it until somebody has: the browser keeps it, sealed.
type asked struct {
	State []byte `json:"s"`
	Ends  int64  `json:"e"` // microseconds
}

func placeOfAsked(instance string) crypto.Place {
	return crypto.Place{Instance: instance, Table: "sessions", Row: "new", Column: "assertion"}
}

// AskPasskey makes a challenge for whoever holds a passkey for the domain: browsers find
// it by themselves (WebAuthn, section 5.1.4, discoverable credentials). kept is for
// CreateByPasskey and says nothing to others.
func (s *Sessions) AskPasskey(ctx context.Context, domain string) (options []byte, kept string, err error) {
	instance := authz.From(ctx).Instance
	options, state, err := user.BeginHiddenAssertion(ctx, s.store, Subject{Instance: instance}, domain)
	if err != nil {
		return nil, "", err
	}
	data, err := json.Marshal(asked{State: state, Ends: s.store.Now().Add(assertionLifetime).UnixMicro()})
	if err == nil {
		kept, err = s.vault.Seal(data, placeOfAsked(instance))
	}
	return options, kept, err
}

// CreateByPasskey makes a session of whose passkey answered a challenge of AskPasskey, which
// counts once. Before the passkey is proved, nothing is told of whose it says to be.
func (s *Sessions) CreateByPasskey(ctx context.Context, kept string, answer []byte, agent *session.UserAgent) (SessionChanged, error) {
	instance := authz.From(ctx).Instance
	data, err := s.vault.Unseal(ctx, kept, placeOfAsked(instance))
	var a asked
	if err != nil || json.Unmarshal(data, &a) != nil || s.store.Now().UnixMicro() >= a.Ends {
		return SessionChanged{}, errPasskey
	}
	userID, state, err := user.Discover(a.State, answer)
	if err != nil {
		return SessionChanged{}, errPasskey.Because(err)
	}
	used := sha256.Sum256(a.State)
	proof := Proof{UserID: userID, Assertion: answer, answers: &answered{state: state, id: hex.EncodeToString(used[:]), ends: time.UnixMicro(a.Ends)}}
	out, err := s.Create(ctx, SessionChange{Proof: proof, UserAgent: agent})
	switch fault.KindOf(err) {
	case fault.KindNotFound, fault.KindFailedPrecondition, fault.KindInvalid:
		err = errPasskey.Because(err)
	default: // Nothing that is about the passkey.
	}
	return out, err
}

// answered is a challenge that was not made in the session that its answer is for.
type answered struct {
	state []byte
	id    string
	ends  time.Time
}

// take gives the challenge of the assertion, and has it count once.
func (p *proving) take(ctx context.Context, a *answered) (state []byte, err error) {
	if a == nil {
		kept, err := user.TakeCode(ctx, p.store, p.vault, p.key(toCheckAssertion, p.session.ID))
		return []byte(kept), err
	}
	p.note(func(tx *eventstore.Tx, _ *session.Session) error {
		user.UseChallenge(tx, p.subject.Instance, a.id, a.ends)
		return nil
	})
	return a.state, nil
}
