package user

import (
	"context"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/policy"
)

type passkeyCodeAdded struct {
	ID     string        `json:"id"`
	Expiry time.Duration `json:"expiry"`
}

type passkeyCodeRequested struct {
	ID          string        `json:"id"`
	Expiry      time.Duration `json:"expiry"`
	Returned    bool          `json:"code_returned,omitempty"`
	URLTemplate string        `json:"url_template,omitempty"`
}

type passkeyCodeUsed struct {
	ID string `json:"id"`
}

// The events of codes by which a passkey can be registered.
var (
	PasskeyCodeAdded     = eventstore.Declare("user.human.passwordless.initialization.code.added", foldNothing[passkeyCodeAdded])
	PasskeyCodeRequested = eventstore.Declare("user.human.passwordless.initialization.code.requested", foldNothing[passkeyCodeRequested])
	PasskeyCodeChecked   = eventstore.Declare("user.human.passwordless.initialization.code.check.succeeded", foldNothing[passkeyCodeUsed])
	PasskeyCodeFailed    = eventstore.Declare("user.human.passwordless.initialization.code.check.failed", foldNothing[passkeyCodeUsed])
)

// PasskeyCode is a code by which a passkey can be registered, once.
type PasskeyCode struct {
	ID, Code string
	Lifetime time.Duration
	Details  eventstore.Details
}

// PasskeyDelivery says how a code gets to the user.
type PasskeyDelivery struct {
	// Send mails it, else the caller gets it.
	Send bool
	// URLTemplate replaces the link to our own page in the mail.
	URLTemplate string
	// Plain records the code as made and not as requested.
	Plain bool
}

// AddPasskeyCode makes a code by which a user can register a passkey. The one from
// before is void.
func AddPasskeyCode(tx *eventstore.Tx, v *crypto.Vault, r Ref, permission string, how PasskeyDelivery) (PasskeyCode, error) {
	e, err := lockFactors(tx, r, permission)
	if err == nil {
		err = requireEnrols(tx, r, Passkey)
	}
	switch {
	case err != nil:
		return PasskeyCode{}, err
	case how.Send && !e.emailVerified:
		return PasskeyCode{}, errEmailUnverified
	}
	if err := message.CheckURLTemplate(how.URLTemplate); err != nil {
		return PasskeyCode{}, err
	}
	g, err := policy.SecretGeneratorOf(tx.Context(), tx.Reader(), r.Instance, policy.SecretPasswordlessInitCode)
	if err != nil {
		return PasskeyCode{}, err
	}
	c := PasskeyCode{ID: tx.NewID(), Lifetime: g.Doc.Expiry}
	if c.Lifetime <= 0 { // Zero stands for no end, which a link must have.
		c.Lifetime = maxPasskeyCode
	}
	if c.Code, err = crypto.NewCode(alphabet(g.Doc), int(g.Doc.Length)); err != nil {
		return PasskeyCode{}, err
	}
	codes.Exec(tx, "DELETE FROM user_codes WHERE instance_id = ? AND user_id = ? AND purpose = ?", r.Instance, r.UserID, string(ToRegisterPasskey))
	if err := KeepCode(tx, v, r.passkeyCode(c.ID), c.Code, c.Lifetime); err != nil {
		return PasskeyCode{}, err
	}
	if how.Send {
		m := message.Message{
			Kind: message.PasswordlessRegistration, Channel: message.Email, Org: r.Org, UserID: r.UserID, Recipient: e.email, Language: e.language,
			Code: c.Code, CodeID: c.ID, Expires: tx.Now().Add(c.Lifetime), URLTemplate: how.URLTemplate,
		}
		if err := message.Queue(tx, v, r.Instance, m); err != nil {
			return PasskeyCode{}, err
		}
	}
	if how.Plain {
		c.Details, err = PasskeyCodeAdded.Emit(tx, r.aggregate(), passkeyCodeAdded{ID: c.ID, Expiry: c.Lifetime})
	} else {
		c.Details, err = PasskeyCodeRequested.Emit(tx, r.aggregate(), passkeyCodeRequested{ID: c.ID, Expiry: c.Lifetime, Returned: !how.Send, URLTemplate: how.URLTemplate})
	}
	return c, err
}

// maxPasskeyCode is how long a code is good where the instance's generator sets no
// end.
const maxPasskeyCode = 24 * time.Hour

func (r Ref) passkeyCode(id string) CodeKey {
	return CodeKey{Instance: r.Instance, UserID: r.UserID, Purpose: ToRegisterPasskey, ID: id}
}

// UsePasskeyCode uses a code up to begin the registration of a passkey.
func UsePasskeyCode(ctx context.Context, store *eventstore.Store, v *crypto.Vault, r Ref, id, code string, then func(*eventstore.Tx) error) error {
	return UseCode(ctx, store, v, r.passkeyCode(id), code, func(tx *eventstore.Tx) error {
		if _, err := PasskeyCodeChecked.Emit(tx, r.aggregate(), passkeyCodeUsed{id}); err != nil {
			return err
		}
		return then(tx)
	}, func(tx *eventstore.Tx) error {
		_, err := PasskeyCodeFailed.Emit(tx, r.aggregate(), passkeyCodeUsed{id})
		return err
	})
}

// alphabet is what the codes of a generator are made of.
func alphabet(g policy.SecretGenerator) string {
	var b strings.Builder
	for _, part := range []struct {
		include bool
		letters string
	}{
		{g.IncludeLowerLetters, crypto.LowerLetters},
		{g.IncludeUpperLetters, crypto.UpperLetters},
		{g.IncludeDigits, crypto.Digits},
		{g.IncludeSymbols, crypto.Symbols},
	} {
		if part.include {
			b.WriteString(part.letters)
		}
	}
	return b.String()
}
