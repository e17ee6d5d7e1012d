package flow

import (
	"context"
	"net/url"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/user"
)

// TOTP is an authenticator app that is about to be set up. It is shown once.
type TOTP struct {
	URI, Secret string
	Details     eventstore.Details
}

// RegisterTOTP begins the registration of an authenticator app, which shows issuer
// and the name that the user logs in with.
func RegisterTOTP(ctx context.Context, store *eventstore.Store, v *crypto.Vault, r user.Ref, issuer string) (TOTP, error) {
	secret, sealed, err := user.NewTOTP(v, r)
	if err != nil {
		return TOTP{}, err
	}
	out := TOTP{Secret: secret}
	err = store.Write(ctx, func(tx *eventstore.Tx) (err error) {
		if out.Details, err = user.AddTOTP(tx, r, sealed); err != nil {
			return err
		}
		u, err := person(tx, r)
		out.URI = crypto.TOTPURI(issuer, u.LoginName, secret)
		return err
	})
	return out, err
}

// person gives the names of a user that a verb holds.
func person(tx *eventstore.Tx, r user.Ref) (User, error) {
	return UserByID(tx.Context(), tx.Reader(), eventstore.Scope{Instance: r.Instance, Org: r.Org}, r.UserID)
}

// RegisterKey begins the registration of a security key or passkey, which shows the
// name that the user logs in with.
func RegisterKey(ctx context.Context, store *eventstore.Store, r user.Ref, q user.KeyRequest) (out user.Registration, err error) {
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		out, err = registerKey(tx, r, q, false)
		return err
	})
	return out, err
}

func registerKey(tx *eventstore.Tx, r user.Ref, q user.KeyRequest, byCode bool) (user.Registration, error) {
	u, err := person(tx, r)
	if err != nil {
		return user.Registration{}, err
	}
	q.Name, q.DisplayName = u.LoginName, u.DisplayName()
	return user.RegisterKey(tx, r, q, byCode)
}

// RegisterPasskeyByCode is RegisterKey for who has a code that was made for it. The
// code is used up, whoever shows it.
func RegisterPasskeyByCode(ctx context.Context, store *eventstore.Store, v *crypto.Vault, r user.Ref, q user.KeyRequest, codeID, code string) (out user.Registration, err error) {
	err = user.UsePasskeyCode(ctx, store, v, r, codeID, code, func(tx *eventstore.Tx) error {
		out, err = registerKey(tx, r, q, true)
		return err
	})
	return out, err
}

// AddPasskeyCode makes a code by which a user can register a passkey.
func AddPasskeyCode(ctx context.Context, store *eventstore.Store, v *crypto.Vault, r user.Ref, permission string, how user.PasskeyDelivery) (c user.PasskeyCode, err error) {
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		c, err = user.AddPasskeyCode(tx, v, r, permission, how)
		return err
	})
	return c, err
}

// PasskeyLink is the address of the page on which a code registers a passkey.
func PasskeyLink(origin string, r user.Ref, c user.PasskeyCode) string {
	q := url.Values{"userId": {r.UserID}, "orgId": {r.Org}, "codeId": {c.ID}, "code": {c.Code}}
	return origin + "/ui/login/passkey/register?" + q.Encode()
}
