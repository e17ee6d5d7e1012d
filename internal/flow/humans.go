package flow

import (
	"context"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/metadata"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

// NewHuman is a human to make. An empty ID stands for a new one.
type NewHuman struct {
	ID string
	user.Human
	Password                 user.Password
	VerifyEmail, VerifyPhone user.Verification
	// Initialize sends who can neither log in nor is known by the address a code by
	// which to begin, in place of one for the address.
	Initialize bool
	Metadata   []metadata.Entry
	// TOTP is the secret of an authenticator app that the human has, in base32.
	TOTP string
	// Recovery are recovery codes that the human has.
	Recovery user.RecoveryCodes
	// Links are accounts of identity providers that are the human's.
	Links []user.Link
	// PasskeyLink makes a code by which the human can register a passkey.
	PasskeyLink bool
	// State is that which the human had elsewhere; see BringInto.
	State int
}

// Codes are those that a caller asked to be given, who brings them to the human.
type Codes struct {
	Email, Phone string
	Passkey      user.PasskeyCode
}

// AddHuman makes a human of an organization and begins to prove where they can be
// reached.
func AddHuman(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope, n NewHuman) (id string, codes Codes, d eventstore.Details, err error) {
	if id = n.ID; id == "" {
		id = tx.NewID()
	}
	ref := user.Ref{Instance: s.Instance, Org: s.Org, UserID: id}
	for _, step := range n.steps(tx, v, s, ref, &codes) {
		if d, err = step(); err != nil {
			return id, codes, d, err
		}
	}
	d, err = BringInto(tx, s, id, n.State, d)
	return id, codes, d, err
}

// steps are what makes the human, in order. The last one's details are the answer's.
func (n NewHuman) steps(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope, ref user.Ref, codes *Codes) []func() (eventstore.Details, error) {
	steps := []func() (eventstore.Details, error){
		func() (eventstore.Details, error) {
			return user.AddHuman(tx, s.Instance, s.Org, ref.UserID, &n.Human, n.Password)
		},
		func() (d eventstore.Details, err error) {
			if n.Initialize && n.Password.Hash == "" && !n.VerifyEmail.Vouched {
				return user.Initialize(tx, v, s, ref.UserID)
			}
			codes.Email, d, err = user.Email.Prove(tx, v, s, ref.UserID, n.Human, n.VerifyEmail)
			return d, err
		},
	}
	if n.Phone != "" {
		steps = append(steps, func() (d eventstore.Details, err error) {
			codes.Phone, d, err = user.Phone.Prove(tx, v, s, ref.UserID, n.Human, n.VerifyPhone)
			return d, err
		})
	}
	if len(n.Metadata) > 0 {
		steps = append(steps, func() (eventstore.Details, error) {
			return metadata.Set(tx, metadata.OfUser(s.Instance, s.Org, ref.UserID), n.Metadata...)
		})
	}
	if n.TOTP != "" {
		steps = append(steps, func() (eventstore.Details, error) { return user.ImportTOTP(tx, v, ref, n.TOTP) })
	}
	if n.Recovery.Any() {
		steps = append(steps, func() (eventstore.Details, error) { return user.ImportRecoveryCodes(tx, ref, n.Recovery) })
	}
	for _, l := range n.Links {
		steps = append(steps, func() (eventstore.Details, error) { return user.AddLink(tx, ref, l) })
	}
	if n.PasskeyLink {
		steps = append(steps, func() (d eventstore.Details, err error) {
			codes.Passkey, err = user.AddPasskeyCode(tx, v, ref, "user.write", user.PasskeyDelivery{Plain: true})
			return codes.Passkey.Details, err
		})
	}
	return steps
}

var errState = fault.Invalid("USER-import-state", "Nobody can be imported in this state. Import active, inactive and locked users.")

// BringInto gives a user who was just made, as d says, the state that they had elsewhere;
// 0 stands for the one that they are in.
func BringInto(tx *eventstore.Tx, s eventstore.Scope, id string, state int, d eventstore.Details) (eventstore.Details, error) {
	switch state {
	case 0, user.Active, user.Initial: // Who is initial is active, and has not begun yet.
		return d, nil
	case user.Inactive:
		return user.Deactivate(tx, s.Instance, s.Org, id)
	case user.Locked:
		return user.Lock(tx, s.Instance, s.Org, id)
	}
	return d, errState
}

// FirstPassword is what is stored of the first password of a new human of the
// organization: of one in clear that the policy allows, or of a hash that another
// system made. Both may be empty. It hashes, and so does not run in a transaction.
func FirstPassword(ctx context.Context, r database.Reader, s eventstore.Scope, plain, hash string, changeRequired bool) (p user.Password, err error) {
	if plain == "" && hash == "" {
		return p, nil
	}
	// Who may not have it anyway must not make us work.
	if err := authz.Require(ctx, "user.write", s.Org); err != nil {
		return p, err
	}
	p = user.Password{Hash: hash, ChangeRequired: changeRequired}
	if hash != "" {
		return p, crypto.CheckHash(hash)
	}
	rules, err := policy.PasswordComplexity.Resolve(ctx, r, s)
	if err == nil {
		err = rules.Doc.Check(plain)
	}
	if err == nil {
		p.Hash, err = crypto.HashPassword(ctx, plain)
	}
	return p, err
}

// OrgWithDomain gives the organization to which a domain belongs.
func OrgWithDomain(ctx context.Context, r database.Reader, instance, domain string) (id string, err error) {
	found := false
	err = r.Read(ctx, database.One(&found, "SELECT org_id FROM org_domains WHERE instance_id = ? AND domain = ? AND verified = 1",
		[]any{instance, hostname.Canonical(domain)}, &id))
	if err == nil && !found {
		err = fault.NotFound("ORG-missing", "There is no such organization.")
	}
	return id, err
}

// HumanByID gives a human of the organization.
func HumanByID(ctx context.Context, r database.Reader, s eventstore.Scope, id string) (User, error) {
	u, err := UserByID(ctx, r, s, id)
	if err == nil && !u.IsHuman() {
		err = user.ErrNoHuman
	}
	return u, err
}

// HumanEdit is what a human shall be like: what is nil, or empty, stays.
type HumanEdit struct {
	UserName     *string
	Profile      func(*user.Human)
	Email, Phone *NewContact // an empty number takes the present one away
	Metadata     []metadata.Entry
}

// Empty reports whether nothing is to be changed.
func (e HumanEdit) Empty() bool {
	return e.UserName == nil && e.Profile == nil && e.Email == nil && e.Phone == nil && len(e.Metadata) == 0
}

// NewContact is another address or number and how it is made sure that it is the
// human's.
type NewContact struct {
	Value string
	user.Verification
}

// EditHuman changes a human, at once or not at all. To change nothing is fine and
// answers with the last change.
func EditHuman(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope, id string, e HumanEdit) (codes Codes, d eventstore.Details, err error) {
	var verbs []func() (eventstore.Details, error)
	if e.UserName != nil {
		verbs = append(verbs, func() (eventstore.Details, error) { return user.Rename(tx, s.Instance, s.Org, id, *e.UserName) })
	}
	if e.Profile != nil {
		verbs = append(verbs, func() (eventstore.Details, error) { return user.ChangeProfile(tx, s, id, e.Profile) })
	}
	if e.Email != nil {
		verbs = append(verbs, func() (d eventstore.Details, err error) {
			codes.Email, d, err = user.Email.Set(tx, v, s, id, e.Email.Value, e.Email.Verification)
			return d, err
		})
	}
	if e.Phone != nil {
		verbs = append(verbs, func() (d eventstore.Details, err error) {
			if e.Phone.Value == "" {
				return user.RemovePhone(tx, s, id)
			}
			codes.Phone, d, err = user.Phone.Set(tx, v, s, id, e.Phone.Value, e.Phone.Verification)
			return d, err
		})
	}
	if len(e.Metadata) > 0 {
		verbs = append(verbs, func() (eventstore.Details, error) {
			return metadata.Set(tx, metadata.OfUser(s.Instance, s.Org, id), e.Metadata...)
		})
	}
	d, err = editAll(tx, s, id, verbs)
	return codes, d, err
}

// FirstOrg is an organization to make together with a human who administers it.
type FirstOrg struct {
	Name   string
	Domain string // besides the generated one; may be empty
	Human  NewHuman
	Roles  []string // none: the human owns it
}

// SetUpOrg makes an organization with its first member.
func SetUpOrg(tx *eventstore.Tx, v *crypto.Vault, instance string, n FirstOrg) (orgID, userID string, d eventstore.Details, err error) {
	if err := authz.RequireInstance(tx.Context(), "iam.write"); err != nil {
		return "", "", d, err
	}
	s := eventstore.Scope{Instance: instance, Org: tx.NewID()}
	if _, err = addOrg(tx, instance, s.Org, n.Name); err != nil {
		return s.Org, "", d, err
	}
	if n.Domain != "" {
		if _, err = org.AddDomain(tx, instance, s.Org, n.Domain); err != nil {
			return s.Org, "", d, err
		}
	}
	if err = claimNames(tx, v, s); err != nil {
		return s.Org, "", d, err
	}
	if userID, _, _, err = AddHuman(tx, v, s, n.Human); err != nil {
		return s.Org, userID, d, err
	}
	if len(n.Roles) == 0 {
		n.Roles = []string{authz.OrgOwner}
	}
	d, err = member.AddFirst(tx, member.Of(s), userID, n.Roles)
	return s.Org, userID, d, err
}

// RemoveSelf ends the caller with all memberships.
func RemoveSelf(tx *eventstore.Tx) (eventstore.Details, error) {
	c := authz.From(tx.Context())
	return removeUser(tx, c.Instance, c.UserID, func(erased bool) (eventstore.Details, error) {
		return user.RemoveSelf(tx, c.Instance, c.HomeOrg, c.UserID, erased)
	})
}
