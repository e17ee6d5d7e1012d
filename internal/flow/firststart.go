package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/user"
)

// SetupLifetime is how long the link works by which the first person gets to administer
// an instance.
const SetupLifetime = 24 * time.Hour

// finishLifetime is how long it is remembered who began and has no passkey yet.
const finishLifetime = 365 * 24 * time.Hour

var errSetup = fault.NotFound("SETUP-code", "This link works no more: it is good once, and for a day. Start the server anew, or run gatehouse admin reset, to get another one.")

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
		user.KeepTicket(tx, user.CodeKey{Instance: instance, Purpose: user.ToSetUp, ID: hash}, SetupLifetime)
		code = made
		return nil
	})
	return code, err
}
