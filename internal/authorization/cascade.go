package authorization

import (
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

// Lost is what grants rest on that is gone. What is empty is not looked at; with
// Roles the grants go on without them.
type Lost struct {
	UserID         string   `json:"userId,omitempty"`
	UsersOf        string   `json:"usersOf,omitempty"`    // all users of an organization
	ProjectsOf     string   `json:"projectsOf,omitempty"` // all projects of an organization
	Org            string   `json:"orgId,omitempty"`
	ProjectID      string   `json:"projectId,omitempty"`
	ProjectGrantID string   `json:"projectGrantId,omitempty"`
	Roles          []string `json:"roles,omitempty"` // of ProjectID
	// Until is when the last of the grants had changed that rested on it: what changed
	// later rests on what was there then. Follow finds it out where it is zero.
	Until time.Time `json:"at"`
}

// Follow takes away what rested on something that is gone, of at most so many
// grants, and reports whether there may be more. What the caller may remove, they
// may remove with all that rests on it.
//
// Whoever removes what grants rest on calls it first, under the lock under which grants
// are made. The time of that transaction, which is that of its beginning, may be before
// the time of a grant that it waited for.
func Follow(tx *eventstore.Tx, instance string, l *Lost, most uint64) (more bool, err error) {
	q := database.From("g.grant_id, g.org_id", "user_grants g").Where("g.instance_id = ?", instance)
	for _, c := range []struct{ column, value string }{
		{"g.user_id", l.UserID}, {"g.org_id", l.Org}, {"g.project_id", l.ProjectID}, {"g.project_grant_id", l.ProjectGrantID},
	} {
		if c.value != "" {
			q.Where(c.column+" = ?", c.value)
		}
	}
	if l.ProjectsOf != "" {
		q.InSelect("g.project_id", database.From("p.project_id", "projects p").Where("p.instance_id = ? AND p.org_id = ?", instance, l.ProjectsOf))
	}
	if l.UsersOf != "" {
		q.InSelect("g.user_id", database.From("u.user_id", "users u").Where("u.instance_id = ? AND u.org_id = ?", instance, l.UsersOf))
	}
	if len(l.Roles) > 0 {
		q.InSelect("g.grant_id", database.From("r.grant_id", "user_grant_roles r").Where("r.instance_id = ? AND r.project_id = ?", instance, l.ProjectID).In("r.role_key", l.Roles))
	}
	var queries []database.Query
	if l.Until.IsZero() {
		queries = append(queries, q.Only("COALESCE(MAX(g.changed), 0)").Rows(func(scan database.Scan) error {
			var micros int64
			err := scan(&micros)
			l.Until = time.UnixMicro(micros).UTC()
			return err
		}))
	} else {
		q.Where("g.changed <= ?", l.Until.UnixMicro())
	}
	var grants []Grant
	if err := tx.Read(append(queries, q.Order("g.grant_id").Page(0, most).Rows(func(scan database.Scan) error {
		var g Grant
		err := scan(&g.ID, &g.Org)
		grants = append(grants, g)
		return err
	}))...); err != nil {
		return false, err
	}
	for _, g := range grants {
		if err := g.follow(tx, instance, l); err != nil {
			return false, err
		}
	}
	return uint64(len(grants)) == most, nil
}

// follow looks at a grant under its lock: somebody may have ended it meanwhile.
func (g Grant) follow(tx *eventstore.Tx, instance string, l *Lost) error {
	var roles []string
	found := false
	if _, err := tx.Lock(g.aggregate(instance), byID(instance, g.ID, &found, &Grant{}), rolesOf(instance, g.ID, &roles)); err != nil || !found {
		return err
	}
	if len(l.Roles) == 0 {
		_, err := CascadeRemoved.Emit(tx, g.aggregate(instance), eventstore.None{})
		return err
	}
	left := slices.DeleteFunc(slices.Clone(roles), func(k string) bool { return slices.Contains(l.Roles, k) })
	if len(left) == len(roles) {
		return nil
	}
	_, err := CascadeChanged.Emit(tx, g.aggregate(instance), changed{Roles: append([]string{}, left...)})
	return err
}
