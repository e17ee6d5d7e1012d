package application

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

// New is an application to be added. Its id and its client id are new ones, and
// only the hash of its secret is kept.
type New struct {
	ID, ClientID, Name, SecretHash string
	Config                         Config
}

// Add adds an application to a project.
func Add(tx *eventstore.Tx, s eventstore.Scope, projectID string, n New) (d eventstore.Details, err error) {
	a, err := lockProject(tx, s, projectID, "project.app.write")
	if err != nil {
		return d, err
	}
	if err := eventstore.CheckID(n.ID); err != nil {
		return d, err
	}
	if err := n.Config.check(); err != nil {
		return d, err
	}
	if n.Name, err = cleanName(tx, a, n.ID, n.Name); err != nil {
		return d, err
	}
	p, err := config(n.Config)
	if err != nil {
		return d, err
	}
	for key, value := range map[string]string{keyApp: n.ID, keyClient: n.ClientID, keySecret: n.SecretHash} {
		if value != "" {
			if err := p.set(key, value); err != nil {
				return d, err
			}
		}
	}
	if _, err = Added.Emit(tx, a, appEvent{n.ID, n.Name}); err != nil {
		return d, err
	}
	d, err = n.Config.kind().added.Emit(tx, a, p)
	d.Created = d.Changed
	return d, err
}

// cleanName gives a name its one form and refuses those that other applications of
// the project have, in any case.
func cleanName(tx *eventstore.Tx, a eventstore.Aggregate, id, name string) (string, error) {
	name = strings.TrimSpace(name)
	if n := len([]rune(name)); n == 0 || n > 200 {
		return "", errName
	}
	var taken bool
	var n int
	if err := tx.Read(
		database.One(&taken, "SELECT app_id FROM applications WHERE instance_id = ? AND project_id = ? AND name_lower = ? AND app_id <> ?",
			[]any{a.Instance, a.ID, strings.ToLower(name), id}, new(string)),
		database.One(new(bool), "SELECT count(*) FROM applications WHERE instance_id = ? AND project_id = ? AND app_id <> ?", []any{a.Instance, a.ID, id}, &n),
	); err != nil {
		return "", err
	}
	switch {
	case taken:
		return "", errNameTaken
	case n >= maxApplications:
		return "", errMany
	}
	return name, nil
}

// config is a configuration as a payload.
func config(c Config) (p payload, err error) {
	text, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	return p, err
}

// lock holds an application of a project for a caller who needs the permission on
// the project.
func lock(tx *eventstore.Tx, s eventstore.Scope, projectID, id, permission string) (a Application, project eventstore.Aggregate, err error) {
	project, err = lockProject(tx, s, projectID, permission)
	if err != nil {
		return a, project, err
	}
	found := false
	err = tx.Read(database.From(columns, tables).Where("a.instance_id = ? AND a.project_id = ? AND a.app_id = ?", s.Instance, projectID, id).Rows(func(scan database.Scan) error {
		found = true
		return scanApplication(scan, &a)
	}))
	if err == nil && !found {
		err = errMissing
	}
	return a, project, err
}

// Rename gives an application another name.
func Rename(tx *eventstore.Tx, s eventstore.Scope, projectID, id, name string) (eventstore.Details, error) {
	a, project, err := lock(tx, s, projectID, id, "project.app.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	if name, err = cleanName(tx, project, id, name); err != nil {
		return eventstore.Details{}, err
	}
	if name == a.Name {
		return a.Details, errSame
	}
	return Changed.Emit(tx, project, appEvent{id, name})
}

// Change sets up an application differently: edit changes its configuration, which
// is one of the kind C.
func Change[C any, P interface {
	*C
	Config
}](tx *eventstore.Tx, s eventstore.Scope, projectID, id string, edit func(P),
) (eventstore.Details, error) {
	a, project, err := lock(tx, s, projectID, id, "project.app.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	c, ok := a.Config.(P)
	if !ok {
		return eventstore.Details{}, errKind
	}
	before, err := config(c)
	if err != nil {
		return eventstore.Details{}, err
	}
	edit(c)
	if err := c.check(); err != nil {
		return eventstore.Details{}, err
	}
	after, err := config(c)
	if err != nil {
		return eventstore.Details{}, err
	}
	for key, value := range before {
		if bytes.Equal(value, after[key]) {
			delete(after, key)
		}
	}
	if len(after) == 0 {
		return a.Details, errSame
	}
	if err := after.set(keyApp, id); err != nil {
		return eventstore.Details{}, err
	}
	return c.kind().changed.Emit(tx, project, after)
}

// SetSecret gives an application a secret, of which only the hash is kept. An earlier
// one is void.
// is says which kind of applications the caller means; nil: any.
func SetSecret(tx *eventstore.Tx, s eventstore.Scope, projectID, id, hash string, is func(Config) bool) (eventstore.Details, error) {
	a, project, err := lock(tx, s, projectID, id, "project.app.write")
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case is != nil && !is(a.Config):
		return eventstore.Details{}, errKind
	case !NeedsSecret(a.Config):
		return eventstore.Details{}, errNoSecret
	}
	return a.Config.kind().secret.Emit(tx, project, secretEvent{id, hash})
}

// Deactivate keeps everybody out of an application until it is reactivated.
func Deactivate(tx *eventstore.Tx, s eventstore.Scope, projectID, id string) (eventstore.Details, error) {
	a, project, err := lock(tx, s, projectID, id, "project.app.write")
	if err == nil && a.State == Inactive {
		err = errInactive
	}
	if err != nil {
		return a.Details, err
	}
	return Deactivated.Emit(tx, project, appEvent{AppID: id})
}

// Reactivate ends a deactivation.
func Reactivate(tx *eventstore.Tx, s eventstore.Scope, projectID, id string) (eventstore.Details, error) {
	a, project, err := lock(tx, s, projectID, id, "project.app.write")
	if err == nil && a.State == Active {
		err = errActive
	}
	if err != nil {
		return a.Details, err
	}
	return Reactivated.Emit(tx, project, appEvent{AppID: id})
}

// Remove ends an application with its keys.
func Remove(tx *eventstore.Tx, s eventstore.Scope, projectID, id string) (eventstore.Details, error) {
	_, project, err := lock(tx, s, projectID, id, "project.app.delete")
	if err != nil {
		return eventstore.Details{}, err
	}
	return Removed.Emit(tx, project, appEvent{AppID: id})
}
