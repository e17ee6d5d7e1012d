package user

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// challenges are rows and no events: they end by themselves, and what came of them
// is what counts.
var challenges = eventstore.DeclareEphemeral("user_challenges", "instance_id, user_id, kind", "registrations of keys that have begun, which end by themselves")

const (
	// registrationLifetime is how long a registration can take.
	registrationLifetime = 5 * time.Minute
	// maxKeys is the most keys that a user can have, of both kinds.
	maxKeys = 50
	// maxAnswer bounds what a key answers, in bytes. Certificates of makers fit.
	maxAnswer = 64 << 10
	// claimKey makes a credential that of one user.
	claimKey = "user_key"
)

type keyBegun struct {
	ID   string `json:"webAuthNTokenId"`
	RPID string `json:"rpID"`
}

type keyVerified struct {
	ID          string `json:"webAuthNTokenId"`
	Name        string `json:"webAuthNTokenName"`
	SignCount   int64  `json:"signCount"`
	BackupState bool   `json:"backupState,omitempty"`
	Key
}

type keyEnded struct {
	ID           string `json:"webAuthNTokenId"`
	CredentialID []byte `json:"keyId,omitempty"`
}

type keyCounted struct {
	ID          string `json:"webAuthNTokenId"`
	SignCount   int64  `json:"signCount"`
	BackupState bool   `json:"backupState,omitempty"`
}

type keyChecked struct {
	ID string `json:"webAuthNTokenId,omitempty"`
	// Reason is "signCount" where the counter of the key did not grow: there may be a
	// copy of it.
	Reason string `json:"reason,omitempty"`
}

// keyEvents are the events of a kind of keys.
type keyEvents struct {
	Added    *eventstore.Kind[keyBegun]
	Verified *eventstore.Kind[keyVerified]
	Removed  *eventstore.Kind[keyEnded]
	Counted  *eventstore.Kind[keyCounted]
	Checked  *eventstore.Kind[keyChecked]
	Failed   *eventstore.Kind[keyChecked]
}

var (
	errKeyTaken = fault.AlreadyExists("USER-key-taken", "The key is registered already.")
	errKeys     = fault.Exhausted("USER-keys", "A user can have %d keys at most. Remove one first.", maxKeys)
	errNoBegin  = fault.Precondition("USER-key-begin", "No registration has begun, or no longer: begin anew.")
	errKeyName  = fault.Invalid("USER-key-name", "The name of a key has %d characters at most.", maxName)
)

// events are those of the two kinds of keys.
var events = map[FactorKind]keyEvents{
	U2F:     declareKeys("user.human.mfa.u2f.token.", U2F),
	Passkey: declareKeys("user.human.passwordless.token.", Passkey),
}

func declareKeys(prefix string, kind FactorKind) keyEvents {
	return keyEvents{
		// A registration ends the one that was not finished.
		Added: eventstore.Declare(prefix+"added", func(f *eventstore.Fold, e keyBegun) error {
			f.Exec("DELETE FROM user_factors WHERE instance_id = ? AND user_id = ? AND kind = ? AND state = ?", f.Instance, f.ID, string(kind), FactorNotReady)
			return foldFactor(f, factor{Factor: Factor{ID: e.ID, Kind: kind, State: FactorNotReady, Key: Key{RPID: e.RPID}}})
		}),
		Verified: eventstore.Declare(prefix+"verified", andSet(func(f *eventstore.Fold, e keyVerified) error {
			f.Claim(claimKey, keyClaim(e.CredentialID), errKeyTaken)
			return foldFactor(f, factor{
				Factor:  Factor{ID: e.ID, Kind: kind, State: FactorReady, Name: e.Name, Key: e.Key},
				counter: e.SignCount, backedUp: e.BackupState,
			})
		})),
		Removed: eventstore.Declare(prefix+"removed", andSet(func(f *eventstore.Fold, e keyEnded) error {
			f.Exec("DELETE FROM user_factors WHERE instance_id = ? AND user_id = ? AND factor_id = ?", f.Instance, f.ID, e.ID)
			f.Release(claimKey, keyClaim(e.CredentialID))
			return nil
		})),
		Counted: eventstore.Declare(prefix+"signcount.changed", func(f *eventstore.Fold, e keyCounted) error {
			f.Exec("UPDATE user_factors SET counter = ?, backed_up = ? WHERE instance_id = ? AND user_id = ? AND factor_id = ?",
				e.SignCount, flag(e.BackupState), f.Instance, f.ID, e.ID)
			return nil
		}),
		Checked: eventstore.Declare(prefix+"check.succeeded", foldNothing[keyChecked]),
		Failed:  eventstore.Declare(prefix+"check.failed", foldNothing[keyChecked]),
	}
}

func keyClaim(credential []byte) string { return base64.RawURLEncoding.EncodeToString(credential) }

// KeyRequest says what key a user wants to register.
type KeyRequest struct {
	Kind FactorKind
	// Domain is what the key is for.
	Domain string
	// Attachment is "platform", "cross-platform" or empty for either.
	Attachment string
	// Name and DisplayName are what the key shows of the user.
	Name, DisplayName string
}

// Registration is a registration that has begun.
type Registration struct {
	ID      string
	Options json.RawMessage // for the browser's navigator.credentials.create
	Details eventstore.Details
}

// RegisterKey begins the registration of a security key or passkey. Who has used a
// code for it needs no permission and sets byCode.
func RegisterKey(tx *eventstore.Tx, r Ref, q KeyRequest, byCode bool) (Registration, error) {
	permission := q.Kind.enrolPermission()
	if byCode {
		permission = ""
	}
	e, err := lockFactors(tx, r, permission)
	if err == nil {
		err = requireEnrols(tx, r, q.Kind)
	}
	if err != nil {
		return Registration{}, err
	}
	var allowed sites
	if err := tx.Read(readSites(r.Instance, &allowed)); err != nil {
		return Registration{}, err
	}
	rpID, err := allowed.rpID(q.Domain)
	if err != nil {
		return Registration{}, err
	}
	known := e.keysFor(rpID, U2F, Passkey)
	if len(e.of(U2F, Passkey)) >= maxKeys {
		return Registration{}, errKeys
	}
	creation, state, err := begin(r, q, rpID, known)
	if err != nil {
		return Registration{}, err
	}
	out := Registration{ID: tx.NewID(), Options: creation}
	challenges.Exec(tx, `INSERT INTO user_challenges (instance_id, user_id, kind, factor_id, state, expires) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (instance_id, user_id, kind) DO UPDATE SET factor_id = excluded.factor_id, state = excluded.state, expires = excluded.expires`,
		r.Instance, r.UserID, string(q.Kind), out.ID, string(state), tx.Now().Add(registrationLifetime).UnixMicro())
	out.Details, err = events[q.Kind].Added.Emit(tx, r.aggregate(), keyBegun{ID: out.ID, RPID: rpID})
	return out, err
}

// enrolPermission is what registering a key for others needs.
func (k FactorKind) enrolPermission() string {
	if k == Passkey {
		return toEnrolLogin
	}
	return toEnrol
}

// begin makes the challenge for a new key, and what is kept of it. A passkey knows
// its user and verifies them; a second factor need not.
func begin(r Ref, q KeyRequest, rpID string, known []factor) (creation, state []byte, err error) {
	party, err := relyingParty(rpID, "https://"+rpID)
	if err != nil {
		return nil, nil, err
	}
	selection := protocol.AuthenticatorSelection{
		AuthenticatorAttachment: protocol.AuthenticatorAttachment(q.Attachment),
		ResidentKey:             protocol.ResidentKeyRequirementDiscouraged, UserVerification: protocol.VerificationDiscouraged,
	}
	if q.Kind == Passkey {
		selection.ResidentKey, selection.UserVerification = protocol.ResidentKeyRequirementRequired, protocol.VerificationRequired
	}
	who := holder{id: r.UserID, name: q.Name, displayName: q.DisplayName, keys: known}
	c, session, err := party.BeginRegistration(who, webauthn.WithAuthenticatorSelection(selection),
		webauthn.WithExclusions(webauthn.Credentials(who.WebAuthnCredentials()).CredentialDescriptors()))
	if err != nil {
		return nil, nil, err
	}
	if creation, err = json.Marshal(c); err == nil {
		state, err = json.Marshal(session)
	}
	return creation, state, err
}

// challenge is what is kept of a registration that has begun.
type challenge struct {
	id    string
	state []byte
}

func (c *challenge) query(r Ref, kind FactorKind, now time.Time) database.Query {
	*c = challenge{}
	return database.Query{
		SQL:  "SELECT factor_id, state FROM user_challenges WHERE instance_id = ? AND user_id = ? AND kind = ? AND expires > ?",
		Args: []any{r.Instance, r.UserID, string(kind), now.UnixMicro()},
		Row:  func(scan database.Scan) error { return scan(&c.id, &c.state) },
	}
}

// VerifyKey finishes the registration of a key with what the key answered. Where id
// is empty, it is the one that has begun.
func VerifyKey(ctx context.Context, store *eventstore.Store, r Ref, kind FactorKind, id, name string, answer []byte) (d eventstore.Details, err error) {
	if utf8.RuneCountInString(name) > maxName {
		return d, errKeyName
	}
	if _, err := readEnrolment(ctx, store, r, kind.enrolPermission()); err != nil {
		return d, err
	}
	var begun challenge
	var allowed sites
	if err := store.Read(ctx, begun.query(r, kind, store.Now()), readSites(r.Instance, &allowed)); err != nil {
		return d, err
	}
	if begun.id == "" || id != "" && id != begun.id {
		return d, errNoBegin
	}
	verified, err := allowed.created(r, begun.state, answer)
	if err != nil {
		return d, err
	}
	verified.ID, verified.Name = begun.id, name
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		d, err = finish(tx, r, kind, verified)
		return err
	})
	return d, err
}

// finish stores a key whose answer is right, once.
func finish(tx *eventstore.Tx, r Ref, kind FactorKind, verified keyVerified) (eventstore.Details, error) {
	if _, err := lockFactors(tx, r, kind.enrolPermission()); err != nil {
		return eventstore.Details{}, err
	}
	if err := requireEnrols(tx, r, kind); err != nil {
		return eventstore.Details{}, err
	}
	var still challenge
	if err := tx.Read(still.query(r, kind, tx.Now())); err != nil {
		return eventstore.Details{}, err
	}
	if still.id != verified.ID {
		return eventstore.Details{}, errNoBegin
	}
	challenges.Exec(tx, "DELETE FROM user_challenges WHERE instance_id = ? AND user_id = ? AND kind = ?", r.Instance, r.UserID, string(kind))
	return events[kind].Verified.Emit(tx, r.aggregate(), verified)
}

// created holds the answer of a new key against the challenge.
func (s sites) created(r Ref, state, answer []byte) (keyVerified, error) {
	var session webauthn.SessionData
	if err := json.Unmarshal(state, &session); err != nil {
		return keyVerified{}, err
	}
	if len(answer) > maxAnswer {
		return keyVerified{}, errKeyForm
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return keyVerified{}, errKeyForm.Because(err)
	}
	party, err := s.party(session.RelyingPartyID, parsed.Response.CollectedClientData.Origin)
	if err != nil {
		return keyVerified{}, err
	}
	c, err := party.CreateCredential(holder{id: r.UserID}, session, parsed)
	if err != nil {
		return keyVerified{}, errAnswer.Because(err)
	}
	out := keyVerified{SignCount: int64(c.Authenticator.SignCount), BackupState: c.Flags.BackupState, Key: Key{
		RPID: session.RelyingPartyID, CredentialID: c.ID, PublicKey: c.PublicKey, AAGUID: c.Authenticator.AAGUID,
		AttestationType: c.AttestationType, AttestationFormat: c.AttestationFormat, BackupEligible: c.Flags.BackupEligible,
	}}
	for _, t := range c.Transport {
		out.Transports = append(out.Transports, string(t))
	}
	return out, nil
}

// RemoveSecurityKey ends a security key or passkey, or its registration.
func RemoveSecurityKey(tx *eventstore.Tx, r Ref, kind FactorKind, id string) (eventstore.Details, error) {
	e, err := lockFactors(tx, r, toRemoveFactor)
	if err != nil {
		return eventstore.Details{}, err
	}
	for _, f := range e.of(kind) {
		if f.ID == id {
			challenges.Exec(tx, "DELETE FROM user_challenges WHERE instance_id = ? AND user_id = ? AND kind = ? AND factor_id = ?", r.Instance, r.UserID, string(kind), id)
			return events[kind].Removed.Emit(tx, r.aggregate(), keyEnded{ID: id, CredentialID: f.Key.CredentialID})
		}
	}
	return eventstore.Details{}, errFactorMissing
}
