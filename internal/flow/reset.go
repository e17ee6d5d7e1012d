package flow

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/user"
)

// ResetCreator is the creator of the events that Reset writes: nobody who called,
// but somebody at the machine itself.
const ResetCreator = "ADMIN-RESET"

// Reset is a way back in for who has the machine and no token any more.
type Reset struct {
	// Instance is the id or a domain; it may be empty where there is only one.
	Instance string
	// Owner is the user name or the id of a machine user who owns the instance and
	// gets a new token; empty: a new one is made.
	Owner string
	// Expires is when the token ends; zero: never.
	Expires time.Time
	// Keep puts the token where it is safe, before anything is changed.
	Keep func(token string) error
}

// ResetAdmin gives an owner of an instance a new token, or makes a new owner with
// one. What others hold stays as it is.
func ResetAdmin(ctx context.Context, store *eventstore.Store, r Reset) (Created, error) {
	ctx = eventstore.WithOrigin(authz.AsSystem(ctx, ""), eventstore.Origin{Creator: ResetCreator})
	id, err := InstanceNamed(ctx, store, r.Instance)
	if err != nil {
		return Created{}, err
	}
	in, err := instance.ByID(ctx, store, id)
	if err != nil {
		return Created{}, err
	}
	owner := &user.Machine{UserName: "admin-reset-" + store.Now().Format("20060102-150405"), Name: "admin reset"}
	out := Created{InstanceID: id, OrgID: in.DefaultOrg}
	if r.Owner != "" {
		owner = nil
		if out.OwnerID, out.OrgID, err = machineOwner(ctx, store, id, r.Owner); err != nil {
			return out, err
		}
	}
	token, hash := user.NewToken()
	if err := r.Keep(token); err != nil {
		return out, err
	}
	out.Token = token
	return out, store.Write(ctx, func(tx *eventstore.Tx) error {
		if owner != nil {
			out.OwnerID = tx.NewID()
			if _, err := user.AddMachine(tx, id, out.OrgID, out.OwnerID, *owner); err != nil {
				return err
			}
			if _, err := member.Add(tx, member.Of(eventstore.Scope{Instance: id}), out.OwnerID, []string{authz.InstanceOwner}); err != nil {
				return err
			}
		}
		_, _, err := user.AddPAT(tx, id, out.OrgID, out.OwnerID, hash, r.Expires)
		return err
	})
}

// InstanceNamed finds the instance that name stands for, or the only one.
func InstanceNamed(ctx context.Context, store *eventstore.Store, name string) (string, error) {
	hosts, err := instance.Hosts(ctx, store)
	if err != nil {
		return "", err
	}
	for _, h := range hosts {
		if name != "" && (h.Instance == name || h.Domain == hostname.Canonical(name)) {
			return h.Instance, nil
		}
	}
	var known []string
	for _, h := range hosts {
		if h.Primary {
			known = append(known, h.Instance+" ("+h.Domain+")")
		}
	}
	slices.Sort(known)
	switch {
	case len(known) == 0:
		return "", fault.NotFound("", "There is no instance yet.")
	case name != "":
		return "", fault.NotFound("", "There is no instance %s. There are: %s.", name, strings.Join(known, ", "))
	case len(known) > 1:
		return "", fault.Precondition("", "There are several instances, name one: %s.", strings.Join(known, ", "))
	}
	return hosts[0].Instance, nil
}

// machineOwner finds an active machine user who owns the instance.
func machineOwner(ctx context.Context, store *eventstore.Store, instanceID, name string) (id, org string, err error) {
	var found bool
	var state int
	var kind string
	err = store.Read(ctx, database.One(&found,
		`SELECT u.user_id, u.org_id, u.state, u.kind FROM users u
		JOIN member_roles r ON r.instance_id = u.instance_id AND r.user_id = u.user_id
		WHERE u.instance_id = ? AND r.kind = 'instance' AND r.role = ? AND (u.user_id = ? OR u.user_name_lower = ?)`,
		[]any{instanceID, authz.InstanceOwner, name, strings.ToLower(name)}, &id, &org, &state, &kind))
	if err == nil && (!found || state != user.Active || kind != "machine") {
		err = fault.NotFound("", "No active machine user named %s owns the instance. Leave the name out to make a new one.", name)
	}
	return id, org, err
}
