package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

// SetupLifetime is how long the link works by which the first person gets to administer
// an instance.
const SetupLifetime = 24 * time.Hour

// finishLifetime is how long it is remembered who began and has no passkey yet.
const finishLifetime = 365 * 24 * time.Hour

var errSetup = fault.NotFound("SETUP-code", "This link works no more: it is good once, for a day, and until somebody administers this instance. Start the server anew to get another one.")

// owners asks whether a person owns the instance. Who was begun here and has nothing to log in
// with yet does not count: of them, it gives who has a user name, to begin anew.
func owners(instance, userName string, there *bool, unfinished *user.Ref) database.Query {
	*there, *unfinished = false, user.Ref{Instance: instance}
	return database.Query{
		SQL: `SELECT u.user_id, u.org_id, u.user_name, h.password_hash <> ''
			OR EXISTS (SELECT 1 FROM user_factors f WHERE f.instance_id = u.instance_id AND f.user_id = u.user_id AND f.kind = ? AND f.state = ?)
			OR EXISTS (SELECT 1 FROM user_idp_links l WHERE l.instance_id = u.instance_id AND l.user_id = u.user_id)
			OR NOT EXISTS (SELECT 1 FROM user_codes c WHERE c.instance_id = u.instance_id AND c.user_id = '' AND c.purpose = ? AND c.code_id = u.user_id)
			FROM member_roles r JOIN users u ON u.instance_id = r.instance_id AND u.user_id = r.user_id
			JOIN humans h ON h.instance_id = u.instance_id AND h.user_id = u.user_id
			WHERE r.instance_id = ? AND r.kind = ? AND r.object_id = ? AND r.role = ?`,
		Args: []any{string(user.Passkey), user.FactorReady, string(user.ToFinishSetUp), instance, member.OfInstance, instance, authz.InstanceOwner},
		Row: func(scan database.Scan) error {
			var r user.Ref
			var name string
			var ready bool
			err := scan(&r.UserID, &r.Org, &name, &ready)
			if *there = *there || ready; !ready && name == userName {
				unfinished.UserID, unfinished.Org = r.UserID, r.Org
			}
			return err
		},
	}
}

func setupKey(instance, hash string) user.CodeKey {
	return user.CodeKey{Instance: instance, Purpose: user.ToSetUp, ID: hash}
}

// SetupCode makes a code by which somebody gets to administer the instance at a host, where
// no person does yet; else it is empty. Codes from before go on being good: each node makes
// one when it starts.
func SetupCode(ctx context.Context, store *eventstore.Store, host string) (code string, err error) {
	var instance string
	var found, owned bool
	err = store.Read(ctx, database.One(&found, "SELECT instance_id FROM instance_domains WHERE domain = ?", []any{hostname.Canonical(host)}, &instance))
	if err != nil || !found {
		return "", err
	}
	made, hash := user.NewCode()
	err = store.Write(authz.AsSystem(ctx, instance), func(tx *eventstore.Tx) error {
		code = ""
		if err := tx.Read(owners(instance, "", &owned, new(user.Ref))); err != nil || owned {
			return err
		}
		user.KeepTicket(tx, setupKey(instance, hash), SetupLifetime)
		code = made
		return nil
	})
	return code, err
}

// SetupWaits refuses a code of SetupCode that is not good, or not any more.
func SetupWaits(ctx context.Context, store *eventstore.Store, code string) error {
	instance, good, owned := authz.From(ctx).Instance, false, false
	err := store.Read(ctx, user.Ticket(setupKey(instance, user.HashToken(code)), store.Now(), &good), owners(instance, "", &owned, new(user.Ref)))
	if err == nil && (!good || owned) {
		err = errSetup
	}
	return err
}

// SetUp makes the first person who administers the instance, for who has a code of
// SetupCode. The address counts as proved: who sees where the server starts is trusted with
// more. Without a password, a passkey is to be registered next.
func SetUp(ctx context.Context, store *eventstore.Store, code string, h user.Human, password string) (r user.Ref, err error) {
	if err := SetupWaits(ctx, store, code); err != nil {
		return r, err
	}
	instance := authz.From(ctx).Instance
	var hash string
	if password != "" {
		rules, err := policy.PasswordComplexity.Resolve(ctx, store, eventstore.Scope{Instance: instance})
		if err == nil {
			err = rules.Doc.Check(password)
		}
		if err == nil {
			hash, err = crypto.HashPassword(ctx, password)
		}
		if err != nil {
			return r, err
		}
	}
	h.UserName = h.Email
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		r = user.Ref{Instance: instance, UserID: tx.NewID()}
		return setUp(tx, &r, code, h, user.Password{Hash: hash})
	})
	return r, err
}

func setUp(tx *eventstore.Tx, r *user.Ref, code string, h user.Human, p user.Password) error {
	var found, good, owned bool
	var unfinished user.Ref
	all := eventstore.Scope{Instance: r.Instance}
	if _, err := tx.Lock(all.Aggregate()); err != nil { // Of two at once, the second sees the first.
		return err
	}
	err := tx.Read(
		database.One(&found, "SELECT default_org FROM instances WHERE instance_id = ?", []any{r.Instance}, &r.Org),
		user.Ticket(setupKey(r.Instance, user.HashToken(code)), tx.Now(), &good),
		owners(r.Instance, h.UserName, &owned, &unfinished),
	)
	switch {
	case err != nil:
		return err
	case !good || owned:
		return errSetup
	case unfinished.UserID != "":
		if _, err := RemoveUser(tx, eventstore.Scope{Instance: r.Instance, Org: unfinished.Org}, unfinished.UserID); err != nil {
			return err
		}
	}
	if _, err := user.AddHuman(tx, r.Instance, r.Org, r.UserID, h, p); err != nil {
		return err
	}
	if _, err := user.VerifyEmail(tx, r.Instance, r.Org, r.UserID); err != nil {
		return err
	}
	if _, err := member.Add(tx, member.Of(all), r.UserID, []string{authz.InstanceOwner}); err != nil {
		return err
	}
	if p.Hash == "" { // Who breaks off now may begin anew.
		user.KeepTicket(tx, user.CodeKey{Instance: r.Instance, Purpose: user.ToFinishSetUp, ID: r.UserID}, finishLifetime)
	}
	_, err = member.Add(tx, member.Of(eventstore.Scope{Instance: r.Instance, Org: r.Org}), r.UserID, []string{authz.OrgOwner})
	return err
}
