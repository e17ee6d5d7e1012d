package flow

import (
	"github.com/gatehouse/gatehouse/internal/authorization"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/group"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/job"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/session"
	"github.com/gatehouse/gatehouse/internal/user"
)

// Admin is a user who administers a new organization. Without roles they own it.
type Admin struct {
	UserID string
	Human  *NewHuman // who is made together with the organization; nil: the user exists
	Roles  []string
	// Codes are filled in for a new human.
	Codes Codes
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
// It fills in the ids of admins who are made.
func AddOrg(tx *eventstore.Tx, v *crypto.Vault, instance string, n NewOrg) (id string, d eventstore.Details, err error) {
	if len(n.Admins) > maxAdmins {
		return "", d, fault.Invalid("ORG-admins", "An organization can start with %d admins at most.", maxAdmins)
	}
	if id = n.ID; id == "" {
		id = tx.NewID()
	}
	s := eventstore.Scope{Instance: instance, Org: id}
	if d, err = addOrg(tx, instance, id, n.Name); err != nil {
		return id, d, err
	}
	if err = claimNames(tx, v, s); err != nil {
		return id, d, err
	}
	if c := authz.From(tx.Context()); len(n.Admins) == 0 && !c.System && !c.SystemUser {
		n.Admins = []Admin{{UserID: c.UserID}}
	}
	for i := range n.Admins {
		a := &n.Admins[i]
		if a.Human != nil {
			a.UserID, a.Codes, _, err = AddHuman(tx, v, s, *a.Human)
		} else {
			err = userExists(tx, instance, a.UserID)
		}
		if err != nil {
			return id, d, err
		}
		roles := a.Roles
		if len(roles) == 0 {
			roles = []string{authz.OrgOwner}
		}
		if d, err = member.AddFirst(tx, member.Of(s), a.UserID, roles); err != nil {
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

// jobUsers is the job that ends the users and the projects of an organization that was
// removed.
const jobUsers = "org.users"

type orgUsers struct {
	OrgID   string `json:"orgId"`
	Creator string `json:"creator"` // who removed the organization
}

// removeBatch is the most users that one transaction ends.
const removeBatch = 200

// RemoveOrg ends an organization, its users with their sessions, its projects and the grants that it got. The default organization stays,
// and so does one without whose users nobody would own the instance. Nobody of the
// organization can call from then on; what is left of them where there are many, a job
// ends.
func RemoveOrg(tx *eventstore.Tx, instance, id string) (eventstore.Details, error) {
	return keepOwner(tx, member.Of(eventstore.Scope{Instance: instance}), func() (eventstore.Details, error) {
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
		if err := group.RemoveOf(tx, instance, id); err != nil {
			return d, err
		}
		if err := endSessions(tx, instance, session.Gone{Org: id}); err != nil {
			return d, err
		}
		more, err := removeContents(tx, instance, id)
		if err == nil && more {
			err = tx.Job(instance, jobUsers, orgUsers{OrgID: id, Creator: tx.Creator()}, tx.Now())
		}
		return d, err
	})
}

// removeContents ends some of what an organization had that is gone. It reports
// whether there may be more.
func removeContents(tx *eventstore.Tx, instance, id string) (more bool, err error) {
	// Grants of users end first: they cannot be found once nobody knows whose the
	// projects and the users were that they rest on.
	for _, l := range []authorization.Lost{{Org: id}, {ProjectsOf: id}, {UsersOf: id}} {
		if more, err = authorization.Follow(tx, instance, &l, removeBatch); err != nil || more {
			return more, err
		}
	}
	if more, err = removeProjects(tx, instance, id); err != nil {
		return more, err
	}
	users, err := removeUsers(tx, instance, id)
	return more || users, err
}

// removeUsers ends the memberships of all users of an organization that is gone,
// and some of the users. It reports whether there may be more.
func removeUsers(tx *eventstore.Tx, instance, id string) (more bool, err error) {
	var members []string
	if err := tx.Read(database.From("DISTINCT m.user_id", "members m JOIN users u ON u.instance_id = m.instance_id AND u.user_id = m.user_id").
		Where("u.instance_id = ? AND u.org_id = ?", instance, id).Order("m.user_id").Rows(func(scan database.Scan) error {
		var id string
		err := scan(&id)
		members = append(members, id)
		return err
	})); err != nil {
		return false, err
	}
	for _, userID := range members {
		if err := member.RemoveEverywhere(tx, instance, userID); err != nil {
			return false, err
		}
	}
	erased, err := erases(tx, instance)
	if err != nil {
		return false, err
	}
	ended, err := user.RemoveSomeOf(tx, instance, id, removeBatch, erased)
	if err == nil && erased && len(ended) > 0 {
		err = eraseUsers(tx, instance, ended...)
	}
	return len(ended) == removeBatch, err
}

// endUsers is the work of jobUsers.
func endUsers(store *eventstore.Store) job.Work {
	return inBatches(store, func(p orgUsers) string { return p.Creator }, func(tx *eventstore.Tx, instance string, p orgUsers) (bool, error) {
		return removeContents(tx, instance, p.OrgID)
	})
}

// DeactivateOrg stops logins of the organization's users, unless nobody would
// be left who owns the instance.
func DeactivateOrg(tx *eventstore.Tx, instance, id string) (eventstore.Details, error) {
	return keepOwner(tx, member.Of(eventstore.Scope{Instance: instance}), func() (eventstore.Details, error) {
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
