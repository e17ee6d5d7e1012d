package flow

import (
	"github.com/gatehouse/gatehouse/internal/authorization"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/session"
	"github.com/gatehouse/gatehouse/internal/user"
)

var (
	errNoUser    = fault.Precondition("MEMBER-user", "There is no such user.")
	errLastOwner = fault.Precondition("MEMBER-last", "Nobody would be left who owns this. Name another owner first.")
)

func userExists(tx *eventstore.Tx, instance, id string) error {
	found := false
	err := tx.Read(database.Query{
		SQL: "SELECT user_id FROM users WHERE instance_id = ? AND user_id = ?", Args: []any{instance, id},
		Row: func(database.Scan) error { found = true; return nil },
	})
	if err == nil && !found {
		err = errNoUser
	}
	return err
}

// AddMember makes a user of the instance a member of the object.
func AddMember(tx *eventstore.Tx, o member.Object, userID string, roles []string) (eventstore.Details, error) {
	d, err := member.Add(tx, o, userID, roles)
	if err == nil {
		err = userExists(tx, o.Instance, userID)
	}
	return d, err
}

// ChangeMember gives a member other roles, unless the last owner would go.
func ChangeMember(tx *eventstore.Tx, o member.Object, userID string, roles []string) (eventstore.Details, error) {
	return keepOwner(tx, o, func() (eventstore.Details, error) { return member.Change(tx, o, userID, roles) })
}

// RemoveMember ends a membership, unless the last owner would go.
func RemoveMember(tx *eventstore.Tx, o member.Object, userID string) (eventstore.Details, error) {
	return keepOwner(tx, o, func() (eventstore.Details, error) { return member.Remove(tx, o, userID) })
}

// keepOwner runs a verb and refuses what it did where the object had an active
// owner before and has none after. Who administers what the object is in needs no
// owner below and may take the last one away.
func keepOwner(tx *eventstore.Tx, o member.Object, verb func() (eventstore.Details, error)) (eventstore.Details, error) {
	// Under this lock nobody else can take away another owner meanwhile.
	if _, err := tx.Lock(o.Aggregate()); err != nil {
		return eventstore.Details{}, err
	}
	before, err := owned(tx, o)
	if err != nil {
		return eventstore.Details{}, err
	}
	d, err := verb()
	above := o.Kind() != member.OfInstance && authz.From(tx.Context()).CanOn(o.Permission("write"), o.Above()...)
	if err != nil || !before || above {
		return d, err
	}
	after, err := owned(tx, o)
	if err == nil && !after {
		err = errLastOwner
	}
	return d, err
}

// owned reports whether somebody who can call owns the object.
func owned(tx *eventstore.Tx, o member.Object) (found bool, err error) {
	err = tx.Read(database.Query{
		SQL: `SELECT r.user_id FROM member_roles r
			JOIN users u ON u.instance_id = r.instance_id AND u.user_id = r.user_id AND u.state = ?
			JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id AND o.state = 1
			WHERE r.instance_id = ? AND r.kind = ? AND r.object_id = ? AND r.role = ? LIMIT 1`,
		Args: []any{user.Active, o.Instance, o.Kind(), o.ID(), o.Owner()},
		Row:  func(database.Scan) error { found = true; return nil },
	})
	return found, err
}

// RemoveUser ends a user with all memberships, grants and sessions.
func RemoveUser(tx *eventstore.Tx, s eventstore.Scope, id string) (eventstore.Details, error) {
	return removeUser(tx, s.Instance, id, func(erased bool) (eventstore.Details, error) {
		return user.Remove(tx, s.Instance, s.Org, id, erased)
	})
}

// removeUser runs the verb that ends a user, and ends what they were given with them.
// Where the policy says so, it erases them too.
func removeUser(tx *eventstore.Tx, instance, id string, verb func(erased bool) (eventstore.Details, error)) (eventstore.Details, error) {
	return keepInstanceOwner(tx, instance, id, func() (eventstore.Details, error) {
		erased, err := erases(tx, instance)
		if err != nil {
			return eventstore.Details{}, err
		}
		d, err := verb(erased)
		if err == nil && erased {
			err = eraseUsers(tx, instance, user.Ended{ID: id, Sequence: d.Sequence})
		}
		if err != nil {
			return d, err
		}
		if err := followLost(tx, instance, authorization.Lost{UserID: id}); err != nil {
			return d, err
		}
		if err := member.RemoveEverywhere(tx, instance, id); err != nil {
			return d, err
		}
		return d, endSessions(tx, instance, session.Gone{UserID: id})
	})
}

// DeactivateUser stops a user from calling.
func DeactivateUser(tx *eventstore.Tx, s eventstore.Scope, id string) (eventstore.Details, error) {
	return keepInstanceOwner(tx, s.Instance, id, func() (eventstore.Details, error) {
		return user.Deactivate(tx, s.Instance, s.Org, id)
	})
}

// keepInstanceOwner is keepOwner of the instance for a verb on one user, which
// only those who are its members can need.
func keepInstanceOwner(tx *eventstore.Tx, instance, userID string, verb func() (eventstore.Details, error)) (eventstore.Details, error) {
	s, found := eventstore.Scope{Instance: instance}, false
	if err := tx.Read(database.Query{
		SQL:  "SELECT user_id FROM members WHERE instance_id = ? AND kind = 'instance' AND object_id = ? AND user_id = ?",
		Args: []any{instance, instance, userID}, Row: func(database.Scan) error { found = true; return nil },
	}); err != nil {
		return eventstore.Details{}, err
	}
	if !found {
		return verb()
	}
	return keepOwner(tx, member.Of(s), verb)
}
