package flow

import (
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/user"
)

// RemoveOrg ends an organization and its users.
func RemoveOrg(tx *eventstore.Tx, instance, id string) (eventstore.Details, error) {
	d, err := org.Remove(tx, instance, id)
	if err != nil {
		return d, err
	}
	return d, user.RemoveAllOf(tx, instance, id)
}

// AddMember makes a user of the instance a member of the scope.
func AddMember(tx *eventstore.Tx, s eventstore.Scope, userID string, roles []string) (eventstore.Details, error) {
	var found bool
	var state int
	if err := tx.Read(database.One(&found, "SELECT state FROM users WHERE instance_id = ? AND user_id = ?",
		[]any{s.Instance, userID}, &state)); err != nil {
		return eventstore.Details{}, err
	}
	d, err := member.Add(tx, s, userID, roles)
	if err == nil && !found {
		err = fault.Precondition("MEMBER-user", "There is no such user.")
	}
	return d, err
}

// AddOrg makes an organization and its creator the first owner.
func AddOrg(tx *eventstore.Tx, instance, id, name, creator string) (eventstore.Details, error) {
	d, err := org.Add(tx, instance, id, name)
	if err != nil {
		return d, err
	}
	_, err = member.Add(tx, eventstore.Scope{Instance: instance, Org: id}, creator, []string{authz.OrgOwner})
	return d, err
}
