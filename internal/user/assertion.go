package user

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

var (
	errNoKey  = fault.Precondition("USER-no-key", "The user has no key for this domain.")
	errCopied = fault.Precondition("USER-key-copied", "The counter of the key did not grow: there may be a copy of the key. Remove it and register another one.")
)

// BeginAssertion makes a challenge for the keys that a user has for a domain: for
// passkeys where the user has to be verified ("required"), else for all. The state is
// to be kept and used once.
func BeginAssertion(ctx context.Context, store *eventstore.Store, r Ref, domain, userVerification string) (options, state []byte, err error) {
	e, allowed, err := readAsked(ctx, store, r)
	if err != nil {
		return nil, nil, err
	}
	rpID, err := allowed.rpID(domain)
	if err != nil {
		return nil, nil, err
	}
	kinds, verification := []FactorKind{Passkey, U2F}, protocol.UserVerificationRequirement(userVerification)
	if verification == protocol.VerificationRequired {
		kinds = kinds[:1]
	}
	keys := e.keysFor(rpID, kinds...)
	if len(keys) == 0 {
		return nil, nil, errNoKey
	}
	party, err := relyingParty(rpID, "https://"+rpID)
	if err != nil {
		return nil, nil, err
	}
	return challengeOf(party.BeginLogin(holder{id: r.UserID, keys: keys}, webauthn.WithUserVerification(verification)))
}

// challengeOf writes what the library makes.
func challengeOf(assertion *protocol.CredentialAssertion, session *webauthn.SessionData, failed error) (options, state []byte, err error) {
	if failed != nil {
		return nil, nil, failed
	}
	if options, err = json.Marshal(assertion); err == nil {
		state, err = json.Marshal(session)
	}
	return options, state, err
}

// BeginHiddenAssertion makes a challenge that does not tell whether there is such a user
// and what keys they have: it names none, and asks for a passkey that verifies who holds
// it, which browsers find by themselves (WebAuthn, section 14.6.2).
func BeginHiddenAssertion(ctx context.Context, store *eventstore.Store, r Ref, domain string) (options, state []byte, err error) {
	var allowed sites
	if err := store.Read(ctx, readSites(r.Instance, &allowed)); err != nil {
		return nil, nil, err
	}
	rpID, err := allowed.rpID(domain)
	if err != nil {
		return nil, nil, err
	}
	party, err := relyingParty(rpID, "https://"+rpID)
	if err != nil {
		return nil, nil, err
	}
	assertion, session, err := party.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err == nil {
		session.UserID = []byte(r.UserID)
	}
	return challengeOf(assertion, session, err)
}

// maxHandle bounds what a passkey holds of its user, in bytes (WebAuthn, section 5.4.3).
const maxHandle = 64

// Discover gives whose the passkey says to be that answered a challenge of
// BeginHiddenAssertion for nobody, and the challenge for them. That it is true, CheckAssertion
// finds out.
func Discover(state, answer []byte) (userID string, forThem []byte, err error) {
	var session webauthn.SessionData
	if err := json.Unmarshal(state, &session); err != nil {
		return "", nil, err
	}
	if len(answer) > maxAnswer {
		return "", nil, errKeyForm
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return "", nil, errKeyForm.Because(err)
	}
	session.UserID = parsed.Response.UserHandle
	if userID = string(session.UserID); userID == "" || len(userID) > maxHandle || strings.ContainsFunc(userID, func(r rune) bool { return r < '!' || r == utf8.RuneError }) {
		return "", nil, ErrWrongKey
	}
	forThem, err = json.Marshal(session)
	return userID, forThem, err
}

// UseChallenge notes that a challenge was answered, which counts once: id is its digest.
func UseChallenge(tx *eventstore.Tx, instance, id string, expires time.Time) {
	codes.ExecUnique(tx, ErrWrongKey, "INSERT INTO user_codes (instance_id, user_id, purpose, code_id, sealed, attempts, expires) VALUES (?, '', ?, ?, '', 0, ?)",
		instance, string(ofAnybody), id, expires.UnixMicro())
}

// ofAnybody is the purpose of challenges that any passkey may answer.
const ofAnybody Purpose = "assertion"

// readAsked reads an active user and the sites that may ask for their keys.
func readAsked(ctx context.Context, store *eventstore.Store, r Ref) (*enrolment, sites, error) {
	e, allowed := &enrolment{}, sites{}
	if err := store.Read(ctx, append(e.queries(r.Instance, r.UserID), readSites(r.Instance, &allowed))...); err != nil {
		return nil, nil, err
	}
	err := e.admit(ctx, r, "")
	if err == nil && e.state != Active {
		err = errAsleep
	}
	return e, allowed, err
}

// CheckAssertion holds the answer of a key against the challenge that state is of.
// userVerified says that a passkey verified who holds it: only that proves two
// factors. There is nothing to guess in an answer, so tries are not counted.
func CheckAssertion(ctx context.Context, store *eventstore.Store, r Ref, state, answer []byte) (userVerified bool, err error) {
	var session webauthn.SessionData
	if err := json.Unmarshal(state, &session); err != nil {
		return false, err
	}
	if len(answer) > maxAnswer {
		return false, errKeyForm
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return false, errKeyForm.Because(err)
	}
	e, allowed, err := readAsked(ctx, store, r)
	if err != nil {
		return false, err
	}
	key, err := allowed.answered(r, e.keysFor(session.RelyingPartyID, U2F, Passkey), session, parsed)
	switch {
	case key.ID != "" && err != nil:
		return false, refuseKey(ctx, store, r, key, "", err)
	case err != nil:
		return false, err
	}
	if copied, err := countKey(ctx, store, r, key, parsed); err != nil {
		return false, err
	} else if copied {
		return false, refuseKey(ctx, store, r, key, "signCount", errCopied)
	}
	return key.Kind == Passkey && parsed.Response.AuthenticatorData.Flags.HasUserVerified(), nil
}

// answered gives which of the keys of a user answered a challenge; with an error, the one
// whose answer is wrong, if it is one of them.
func (s sites) answered(r Ref, keys []factor, session webauthn.SessionData, parsed *protocol.ParsedCredentialAssertionData) (factor, error) {
	party, err := s.party(session.RelyingPartyID, parsed.Response.CollectedClientData.Origin)
	if err != nil {
		return factor{}, err
	}
	used := slices.IndexFunc(keys, func(f factor) bool { return bytes.Equal(f.Key.CredentialID, parsed.RawID) })
	if used < 0 {
		return factor{}, errNoKey
	}
	if _, err := party.ValidateLogin(holder{id: r.UserID, keys: keys}, session, parsed); err != nil {
		return keys[used], ErrWrongKey.Because(err)
	}
	return keys[used], nil
}

// refuseKey records that a key was refused, also where the call is a dry run, and
// gives the refusal.
func refuseKey(ctx context.Context, store *eventstore.Store, r Ref, key factor, reason string, refusal error) error {
	err := store.Write(eventstore.ForGood(ctx), func(tx *eventstore.Tx) error {
		_, err := events[key.Kind].Failed.Emit(tx, r.aggregate(), keyChecked{ID: key.ID, Reason: reason})
		return err
	})
	if err != nil {
		return err
	}
	return refusal
}

// countKey records that a key answered, unless its counter is not above what it was:
// then there may be a copy. Keys without a counter always send 0.
func countKey(ctx context.Context, store *eventstore.Store, r Ref, key factor, parsed *protocol.ParsedCredentialAssertionData) (copied bool, err error) {
	data := parsed.Response.AuthenticatorData
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		now, err := lockKey(tx, r, key)
		if err != nil {
			return err
		}
		count := int64(data.Counter)
		if copied = count <= now.counter && (count != 0 || now.counter != 0); copied {
			return nil
		}
		if _, err := events[key.Kind].Checked.Emit(tx, r.aggregate(), keyChecked{ID: key.ID}); err != nil {
			return err
		}
		if backedUp := data.Flags.HasBackupState(); count != now.counter || backedUp != now.backedUp {
			_, err = events[key.Kind].Counted.Emit(tx, r.aggregate(), keyCounted{ID: key.ID, SignCount: count, BackupState: backedUp})
		}
		return err
	})
	return copied, err
}

// lockKey holds an active user and gives the key as it is now, if it
// still counts. A passkey can be a second factor, too.
func lockKey(tx *eventstore.Tx, r Ref, key factor) (factor, error) {
	e, err := lockFactors(tx, r, "")
	if err == nil {
		err = requireCounted(tx, r, key.Kind, U2F)
	}
	if err != nil {
		return factor{}, err
	}
	for _, f := range e.of(key.Kind) {
		if f.ID == key.ID {
			return f, e.checkable(f, true)
		}
	}
	return factor{}, errFactorMissing
}
