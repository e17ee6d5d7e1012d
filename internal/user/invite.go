package user

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// Invitation is what an invitation says. Who accepts it proves their address by it
// and sets up a first way to log in.
type Invitation struct {
	URLTemplate     string        `json:"urlTemplate,omitempty"`
	ApplicationName string        `json:"applicationName,omitempty"` // what the human is invited to
	Returned        bool          `json:"codeReturned,omitempty"`    // the code went to the caller
	Expiry          time.Duration `json:"expiry,omitempty"`
}

// initialized is the payload of a code by which a new human begins.
type initialized struct {
	Expiry time.Duration `json:"expiry,omitempty"`
}

// The events of a human's beginning.
var (
	InviteCodeAdded = eventstore.Declare("user.human.invite.code.added", func(f *eventstore.Fold, i Invitation) error {
		data, err := json.Marshal(i)
		if err != nil {
			return fmt.Errorf("invitation: %w", err)
		}
		f.Update("humans", eventstore.Cells{"invitation": string(data)})
		return nil
	})
	InviteAccepted = eventstore.Declare("user.human.invite.check.succeeded", func(f *eventstore.Fold, _ eventstore.None) error {
		setHuman(f, eventstore.Cells{"invitation": ""})
		return nil
	})
	InviteFailed = eventstore.Declare("user.human.invite.check.failed", nothing[eventstore.None])

	InitCodeAdded = eventstore.Declare("user.human.initialization.code.added", nothing[initialized])
	InitChecked   = eventstore.Declare("user.human.initialization.check.succeeded", nothing[eventstore.None])
	InitFailed    = eventstore.Declare("user.human.initialization.check.failed", nothing[eventstore.None])
)

var (
	errHasPassword = fault.Precondition("USER-has-password", "The user can log in already.")
	errNotInvited  = fault.Precondition("USER-not-invited", "The user has no open invitation. Create one first.")
)

func inviteKey(s eventstore.Scope, id string) CodeKey {
	return CodeKey{Instance: s.Instance, UserID: id, Purpose: ToAcceptInvite}
}

func initKey(s eventstore.Scope, id string) CodeKey {
	return CodeKey{Instance: s.Instance, UserID: id, Purpose: ToInitialize}
}

// Begin is how a human begins who was invited, or sent a code to begin with: the code
// proves the address, and the password is the first way to log in. A password that the
// policy refuses leaves the code as it is.
func Begin(ctx context.Context, store *eventstore.Store, v *crypto.Vault, s eventstore.Scope, id string, invited bool, code, password string) (d eventstore.Details, err error) {
	if err := allow(ctx, writeOrSelf, s.Org, id); err != nil {
		return d, err
	}
	key, succeeded, failed := initKey(s, id), InitChecked, InitFailed
	if invited {
		key, succeeded, failed = inviteKey(s, id), InviteAccepted, InviteFailed
	}
	hash, err := HashNew(ctx, store, s, password)
	if err != nil {
		return d, err
	}
	a := aggregate(s.Instance, s.Org, id)
	err = UseCode(ctx, store, v, key, code, func(tx *eventstore.Tx) error {
		p, err := lockHuman(tx, s, id, writeOrSelf)
		if err != nil {
			return err
		}
		if _, err := succeeded.Emit(tx, a, eventstore.None{}); err != nil {
			return err
		}
		if !p.emailVerified {
			DropCode(tx, Email.key(s, id))
			if _, err := EmailVerified.Emit(tx, a, eventstore.None{}); err != nil {
				return err
			}
		}
		d, err = replace(tx, v, a, Password{Hash: hash})
		return err
	}, func(tx *eventstore.Tx) error {
		_, err := failed.Emit(tx, a, eventstore.None{})
		return err
	})
	return d, err
}

// Invite sends a human who cannot log in yet a code by which to begin, or returns
// it. The code before is void then.
func Invite(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope, id string, i Invitation) (code string, d eventstore.Details, err error) {
	p, err := lockHuman(tx, s, id, "user.write")
	if err != nil {
		return "", d, err
	}
	return p.invite(tx, v, s, id, i)
}

// InviteAgain sends another code for an invitation that is open.
func InviteAgain(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope, id string) (d eventstore.Details, err error) {
	p, err := lockHuman(tx, s, id, "user.write")
	switch {
	case err != nil:
		return d, err
	case p.invitation == "":
		return d, errNotInvited
	}
	var i Invitation
	if err := json.Unmarshal([]byte(p.invitation), &i); err != nil {
		return d, fmt.Errorf("invitation of %s: %w", id, err)
	}
	if i.Returned {
		return d, fault.Precondition("USER-invite-returned", "The code of this invitation was returned and not sent. Create another one.")
	}
	_, d, err = p.invite(tx, v, s, id, i)
	return d, err
}

func (p person) invite(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope, id string, i Invitation) (code string, d eventstore.Details, err error) {
	if p.password {
		return "", d, errHasPassword
	}
	m := message.Message{
		Kind: message.InviteUser, Channel: message.Email, Org: s.Org, UserID: id, Recipient: p.Email, Language: p.PreferredLanguage, URLTemplate: i.URLTemplate,
	}
	if i.ApplicationName != "" {
		m.Args = map[string]string{"ApplicationName": i.ApplicationName}
	}
	code, i.Expiry, err = handOut(tx, v, inviteKey(s, id), policy.SecretInviteCode, m, i.Returned)
	if err != nil {
		return "", d, err
	}
	d, err = InviteCodeAdded.Emit(tx, aggregate(s.Instance, s.Org, id), i)
	return code, d, err
}

// AcceptInvite ends an invitation by its code, which proves the address too.
func AcceptInvite(ctx context.Context, store *eventstore.Store, v *crypto.Vault, s eventstore.Scope, id, code string) (d eventstore.Details, err error) {
	if err := allow(ctx, writeOrSelf, s.Org, id); err != nil {
		return d, err
	}
	a := aggregate(s.Instance, s.Org, id)
	err = UseCode(ctx, store, v, inviteKey(s, id), code, func(tx *eventstore.Tx) error {
		p, err := lockHuman(tx, s, id, writeOrSelf)
		if err != nil {
			return err
		}
		if d, err = InviteAccepted.Emit(tx, a, eventstore.None{}); err == nil && !p.emailVerified {
			DropCode(tx, Email.key(s, id))
			d, err = EmailVerified.Emit(tx, a, eventstore.None{})
		}
		return err
	}, func(tx *eventstore.Tx) error {
		_, err := InviteFailed.Emit(tx, a, eventstore.None{})
		return err
	})
	return d, err
}

// Initialize sends a human who can neither log in nor has proved the address a
// code by which to begin. A code before is void then.
func Initialize(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope, id string) (eventstore.Details, error) {
	return InitializeAt(tx, v, s, id, "")
}

// InitializeAt is Initialize for a human who gets another address, if it is not empty.
func InitializeAt(tx *eventstore.Tx, v *crypto.Vault, s eventstore.Scope, id, email string) (d eventstore.Details, err error) {
	p, err := lockHuman(tx, s, id, "user.write")
	switch {
	case err != nil:
		return d, err
	case p.password || p.emailVerified:
		return d, fault.Precondition("USER-initialized", "The user has begun already.")
	}
	if email != "" {
		if email, err = cleanEmail(email); err != nil {
			return d, err
		}
	}
	if email != "" && email != p.Email {
		if _, err := Email.change(tx, aggregate(s.Instance, s.Org, id), email); err != nil {
			return d, err
		}
		Email.dropCodes(tx, s, id)
		p.Email = email
	}
	m := message.Message{Kind: message.Init, Channel: message.Email, Org: s.Org, UserID: id, Recipient: p.Email, Language: p.PreferredLanguage}
	k := initKey(s, id)
	_, lifetime, err := handOut(tx, v, k, policy.SecretInitCode, m, false)
	if err != nil {
		return d, err
	}
	return InitCodeAdded.Emit(tx, aggregate(s.Instance, s.Org, id), initialized{lifetime})
}
