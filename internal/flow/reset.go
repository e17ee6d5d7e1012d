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

// Reset is a way back in for who has the machine.
type Reset struct {
	// Instance is the id or a domain; it may be empty where there is only one.
	Instance string
	// Owner is the user name or the id of an owner of the instance: a person, who gets a
	// link, or a machine user, who gets a new token. Empty: a new owner is made.
	Owner string
	// Token makes the new owner a machine user with a token; else they are a person who
	// begins by a link.
	Token bool
	// Expires is when the token ends; zero: never.
	Expires time.Time
	// Keep puts the token where it is safe, before anything is changed.
	Keep func(token string) error
}

// WasReset is what a reset made: a token, or a link that lets a person in.
type WasReset struct {
	Created
	Link *SetupLink // nil: there is a token
	Host string     // of the instance
}

// ResetAdmin gives an owner of an instance a new way in, or makes a new owner with
// one. What others hold stays as it is.
func ResetAdmin(ctx context.Context, store *eventstore.Store, r Reset) (out WasReset, err error) {
	ctx = eventstore.WithOrigin(authz.AsSystem(ctx, ""), eventstore.Origin{Creator: ResetCreator})
	if out.InstanceID, out.Host, err = instanceAt(ctx, store, r.Instance); err != nil {
		return out, err
	}
	in, err := instance.ByID(ctx, store, out.InstanceID)
	if err != nil {
		return out, err
	}
	out.OrgID = in.DefaultOrg
	kind := user.KindHuman
	if r.Token {
		kind = user.KindMachine
	}
	if r.Owner != "" {
		if kind, err = ownerNamed(ctx, store, r.Owner, &out.Created); err != nil {
			return out, err
		}
	}
	if kind == user.KindHuman && !r.Token {
		return out, out.makeLink(ctx, store)
	}
	if kind == user.KindHuman {
		return out, fault.Invalid("", "%s is a person, who gets a link and no token.", r.Owner)
	}
	return out, out.makeToken(ctx, store, r)
}

// makeLink makes a link for the owner or, where there is none yet, for a new one.
func (w *WasReset) makeLink(ctx context.Context, store *eventstore.Store) error {
	var hash string
	w.Link = &SetupLink{User: w.OwnerID}
	w.Link.Code, hash = user.NewCode()
	return store.Write(ctx, func(tx *eventstore.Tx) error {
		user.KeepTicket(tx, user.CodeKey{Instance: w.InstanceID, UserID: w.OwnerID, Purpose: user.ToSetUpAgain, ID: hash}, SetupLifetime)
		return nil
	})
}

// makeToken makes a token for the owner or, where there is none yet, for a new one.
func (w *WasReset) makeToken(ctx context.Context, store *eventstore.Store, r Reset) error {
	token, hash := user.NewToken()
	if err := r.Keep(token); err != nil {
		return err
	}
	w.Token = token
	return store.Write(ctx, func(tx *eventstore.Tx) error {
		if r.Owner == "" {
			all := eventstore.Scope{Instance: w.InstanceID}
			if _, err := tx.Lock(all.Aggregate()); err != nil { // Before it is shared: of two who share it, none gets it.
				return err
			}
			w.OwnerID = tx.NewID()
			owner := user.Machine{UserName: "admin-reset-" + w.OwnerID, Name: "admin reset"}
			if _, err := user.AddMachine(tx, w.InstanceID, w.OrgID, w.OwnerID, owner); err != nil {
				return err
			}
			if _, err := member.Add(tx, member.Of(all), w.OwnerID, []string{authz.InstanceOwner}); err != nil {
				return err
			}
		}
		_, _, err := user.AddPAT(tx, w.InstanceID, w.OrgID, w.OwnerID, hash, r.Expires)
		return err
	})
}

// InstanceNamed finds the instance that name stands for, or the only one.
func InstanceNamed(ctx context.Context, store *eventstore.Store, name string) (string, error) {
	id, _, err := instanceAt(ctx, store, name)
	return id, err
}

// instanceAt is InstanceNamed with the host at which the instance is reached.
func instanceAt(ctx context.Context, store *eventstore.Store, name string) (id, host string, err error) {
	hosts, err := instance.Hosts(ctx, store)
	if err != nil {
		return "", "", err
	}
	primary := slices.DeleteFunc(slices.Clone(hosts), func(h instance.Host) bool { return !h.Primary })
	named := slices.IndexFunc(primary, func(p instance.Host) bool {
		return name != "" && slices.ContainsFunc(hosts, func(h instance.Host) bool {
			return h.Instance == p.Instance && (h.Instance == name || h.Domain == hostname.Canonical(name))
		})
	})
	var known []string
	for _, h := range primary {
		known = append(known, h.Instance+" ("+h.Domain+")")
	}
	slices.Sort(known)
	switch {
	case named >= 0:
		return primary[named].Instance, primary[named].Domain, nil
	case len(known) == 0:
		return "", "", fault.NotFound("", "There is no instance yet.")
	case name != "":
		return "", "", fault.NotFound("", "There is no instance %s. There are: %s.", name, strings.Join(known, ", "))
	case len(known) > 1:
		return "", "", fault.Precondition("", "There are several instances, name one: %s.", strings.Join(known, ", "))
	}
	return primary[0].Instance, primary[0].Domain, nil
}

// ownerNamed finds who owns the instance of c and is not deactivated, and puts them there.
func ownerNamed(ctx context.Context, store *eventstore.Store, name string, c *Created) (kind string, err error) {
	found := 0
	err = store.Read(ctx, database.Query{
		SQL: `SELECT u.user_id, u.org_id, u.kind FROM users u
			JOIN member_roles r ON r.instance_id = u.instance_id AND r.user_id = u.user_id
			WHERE u.instance_id = ? AND r.kind = ? AND r.role = ? AND (u.user_id = ? OR u.user_name_lower = ?) AND u.state <> ?`,
		Args: []any{c.InstanceID, member.OfInstance, authz.InstanceOwner, name, strings.ToLower(name), user.Inactive},
		Row:  func(scan database.Scan) error { found++; return scan(&c.OwnerID, &c.OrgID, &kind) },
	})
	switch {
	case err != nil:
	case found == 0:
		err = fault.NotFound("", "No active user named %s owns the instance. Leave the name out to make a new owner.", name)
	case found > 1:
		err = fault.Precondition("", "Several users named %s own the instance. Name one by the id.", name)
	}
	return kind, err
}
