package flow

import (
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/user"
)

// Admin is a user who administers a new organization. Without roles they own it.
type Admin struct {
	UserID string
	Roles  []string
}

// NewOrg is what an organization starts with. An empty ID stands for a new one;
// without Admins, its creator owns it.
type NewOrg struct {
	ID, Name string
	Admins   []Admin
}

// maxAdmins is the most admins that an organization can start with.
const maxAdmins = 100

// AddOrg makes an organization with its generated domain and its first admins.
func AddOrg(tx *eventstore.Tx, instance string, n NewOrg) (id string, d eventstore.Details, err error) {
	if len(n.Admins) > maxAdmins {
		return "", d, fault.Invalid("ORG-admins", "An organization can start with %d admins at most.", maxAdmins)
	}
	if id = n.ID; id == "" {
		id = tx.NewID()
	}
	if d, err = addOrg(tx, instance, id, n.Name); err != nil {
		return id, d, err
	}
	s := eventstore.Scope{Instance: instance, Org: id}
	if c := authz.From(tx.Context()); len(n.Admins) == 0 && !c.System && !c.SystemUser {
		n.Admins = []Admin{{UserID: c.UserID}}
	}
	for _, a := range n.Admins {
		if len(a.Roles) == 0 {
			a.Roles = []string{authz.OrgOwner}
		}
		if err := userExists(tx, instance, a.UserID); err != nil {
			return id, d, err
		}
		if d, err = member.AddFirst(tx, s, a.UserID, a.Roles); err != nil {
			return id, d, err
		}
	}
	return id, d, nil
}

// addOrg makes an organization with its domain below the instance's.
func addOrg(tx *eventstore.Tx, instance, id, name string) (eventstore.Details, error) {
	d, err := org.Add(tx, instance, id, name)
	if err != nil {
		return d, err
	}
	var found bool
	var parent string
	if err := tx.Read(database.One(&found, "SELECT domain FROM instance_domains WHERE instance_id = ? AND is_primary = 1",
		[]any{instance}, &parent)); err != nil || !found {
		return d, err
	}
	return d, org.AddGeneratedDomain(tx, instance, id, name, parent)
}

// RemoveOrg ends an organization and its users. The default organization stays,
// and so does one without whose users nobody would own the instance.
func RemoveOrg(tx *eventstore.Tx, instance, id string) (eventstore.Details, error) {
	return keepOwner(tx, eventstore.Scope{Instance: instance}, func() (eventstore.Details, error) {
		d, err := org.Remove(tx, instance, id)
		if err != nil {
			return d, err
		}
		isDefault := false
		if err := tx.Read(database.Query{
			SQL: "SELECT instance_id FROM instances WHERE instance_id = ? AND default_org = ?", Args: []any{instance, id},
			Row: func(database.Scan) error { isDefault = true; return nil },
		}); err != nil {
			return d, err
		}
		if isDefault {
			return d, fault.Precondition("ORG-default", "This is the default organization. Make another one the default first.")
		}
		return d, removeUsers(tx, instance, id)
	})
}

// removeUsers ends every user of an organization and their memberships elsewhere.
func removeUsers(tx *eventstore.Tx, instance, id string) error {
	ids, err := user.IDsOf(tx, instance, id)
	if err != nil {
		return err
	}
	for _, uid := range ids {
		if err := member.RemoveEverywhere(tx, instance, uid); err != nil {
			return err
		}
	}
	return user.RemoveAllOf(tx, instance, id)
}

// DeactivateOrg stops logins of the organization's users, unless nobody would
// be left who owns the instance.
func DeactivateOrg(tx *eventstore.Tx, instance, id string) (eventstore.Details, error) {
	return keepOwner(tx, eventstore.Scope{Instance: instance}, func() (eventstore.Details, error) {
		return org.Deactivate(tx, instance, id)
	})
}

// SetDefaultOrg makes an active organization the one of users without another.
func SetDefaultOrg(tx *eventstore.Tx, in, id string) (eventstore.Details, error) {
	// The lock keeps the organization from being removed or deactivated meanwhile.
	if _, err := tx.Lock(eventstore.Scope{Instance: in, Org: id}.Aggregate()); err != nil {
		return eventstore.Details{}, err
	}
	o, err := org.ByID(tx.Context(), tx.Reader(), in, id)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case o.State != org.Active:
		return eventstore.Details{}, fault.Precondition("ORG-default-inactive", "An inactive organization cannot be the default.")
	}
	return instance.SetDefaultOrg(tx, in, id)
}
