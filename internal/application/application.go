// Package application is what people log in to and what calls on their behalf: the
// applications of a project, with their secrets and keys. Their events are on the
// stream of the project.
//
// It may import policy and what is under it, and no other aggregate.
package application

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func init() {
	eventstore.DeclareTable("applications", "instance_id, app_id",
		"project_id, org_id, client_id, name, name_lower, kind, state, secret_hash, document, created, changed, sequence")
	eventstore.DeclareTable("application_keys", "instance_id, key_id", "app_id, client_id, public_key, kind, expires, created, sequence")
}

// The states of an application, numbered as on the wire.
const (
	Active   = 1
	Inactive = 2
)

// maxApplications is the most applications that a project can have.
const maxApplications = 1000

// Application is an application as it is stored.
type Application struct {
	ID, Project, Org, Name string
	// ClientID is empty where it is no client of OAuth.
	ClientID string
	State    int
	// Config is *OIDC, *API or *SAML.
	Config  Config
	Details eventstore.Details
}

// Config is how an application of one kind is set up.
type Config interface {
	kind() kind
	// check refuses what must not be, and gives what is written in several ways its
	// one form.
	check() error
}

// kind is a kind of applications.
type kind struct {
	name           string
	added, changed *eventstore.Kind[payload]
	secret         *eventstore.Kind[secretEvent] // nil: it has none
}

// payload is what an event says about a configuration: all of it or, where that
// changed, the keys that are new.
type payload map[string]json.RawMessage

// What a payload says beside the configuration.
const (
	keyApp    = "appId"
	keyClient = "clientId"
	keySecret = "hashedSecret"
)

type appEvent struct {
	AppID string `json:"appId"`
	Name  string `json:"name,omitempty"`
}

type secretEvent struct {
	AppID string `json:"appId"`
	Hash  string `json:"hashedSecret"`
}

// claimID makes ids unique in an instance: somebody may have wished for one.
// claimEntity does so with what applications of SAML call themselves.
const (
	claimID     = "application"
	claimEntity = "application.entity"
)

// The events of an application.
var (
	// Added also takes over the row of a former bearer of the id, whose removal may
	// come later in history.
	Added = eventstore.Declare("project.application.added", func(f *eventstore.Fold, e appEvent) error {
		f.Claim(claimID, e.AppID, errIDTaken)
		f.Exec(`INSERT INTO applications (instance_id, app_id, project_id, org_id, client_id, name, name_lower, kind, state, secret_hash, document, created, changed, sequence)
			VALUES (?, ?, ?, ?, '', ?, ?, '', ?, '', '{}', ?, ?, ?) ON CONFLICT (instance_id, app_id) DO UPDATE SET
			project_id = excluded.project_id, org_id = excluded.org_id, client_id = excluded.client_id, name = excluded.name, name_lower = excluded.name_lower, kind = excluded.kind,
			state = excluded.state, secret_hash = excluded.secret_hash, document = excluded.document, created = excluded.created, changed = excluded.changed, sequence = excluded.sequence`,
			f.Instance, e.AppID, f.ID, f.Owner, e.Name, strings.ToLower(e.Name), Active, f.Micros(), f.Micros(), f.Sequence)
		return nil
	})
	Changed = eventstore.Declare("project.application.changed", func(f *eventstore.Fold, e appEvent) error {
		update(f, e.AppID, "name = ?, name_lower = ?", e.Name, strings.ToLower(e.Name))
		return nil
	})
	Deactivated = eventstore.Declare("project.application.deactivated", setState(Inactive))
	Reactivated = eventstore.Declare("project.application.reactivated", setState(Active))
	// Removed ends an application with its keys.
	Removed = eventstore.Declare("project.application.removed", func(f *eventstore.Fold, e appEvent) error {
		var found bool
		var document string
		if err := f.Read(database.One(&found, "SELECT document FROM applications WHERE instance_id = ? AND app_id = ? AND project_id = ? AND kind = ?",
			[]any{f.Instance, e.AppID, f.ID, KindSAML}, &document)); err != nil {
			return err
		}
		if found {
			f.Release(claimEntity, entityOf(document))
		}
		f.Release(claimID, e.AppID)
		f.Exec(`DELETE FROM application_keys WHERE instance_id = ? AND app_id IN
			(SELECT a.app_id FROM applications a WHERE a.instance_id = ? AND a.app_id = ? AND a.project_id = ?)`, f.Instance, f.Instance, e.AppID, f.ID)
		f.Exec("DELETE FROM applications WHERE instance_id = ? AND app_id = ? AND project_id = ?", f.Instance, e.AppID, f.ID)
		return nil
	})

	oidcKind = kind{
		KindOIDC, declareAdded(KindOIDC), declareChanged(KindOIDC),
		eventstore.Declare("project.application.config.oidc.secret.changed", setSecret, keySecret),
	}
	apiKind = kind{
		KindAPI, declareAdded(KindAPI), declareChanged(KindAPI),
		eventstore.Declare("project.application.config.api.secret.changed", setSecret, keySecret),
	}
	samlKind = kind{name: KindSAML, added: declareAdded(KindSAML), changed: declareChanged(KindSAML)}
)

func update(f *eventstore.Fold, appID, what string, args ...any) {
	f.ExecUnique(errClientTaken, "UPDATE applications SET "+what+", changed = ?, sequence = ? WHERE instance_id = ? AND app_id = ? AND project_id = ?",
		append(args, f.Micros(), f.Sequence, f.Instance, appID, f.ID)...)
}

// entityOf is what an application of SAML calls itself.
func entityOf(document string) string {
	var c SAML
	if err := json.Unmarshal([]byte(document), &c); err != nil {
		return ""
	}
	return c.EntityID
}

func setState(state int) func(*eventstore.Fold, appEvent) error {
	return func(f *eventstore.Fold, e appEvent) error {
		update(f, e.AppID, "state = ?", state)
		return nil
	}
}

func setSecret(f *eventstore.Fold, e secretEvent) error {
	update(f, e.AppID, "secret_hash = ?", e.Hash)
	return nil
}

// text gives a text of the payload; none is empty.
func (p payload) text(key string) (s string, err error) {
	if len(p[key]) > 0 {
		err = json.Unmarshal(p[key], &s)
	}
	return s, err
}

// set writes what v is in JSON.
func (p payload) set(key string, v any) (err error) {
	p[key], err = json.Marshal(v)
	return err
}

// declareAdded declares the event that says how an application of a kind is set up.
func declareAdded(name string) *eventstore.Kind[payload] {
	return eventstore.Declare("project.application.config."+name+".added", func(f *eventstore.Fold, p payload) error {
		id, err := p.text(keyApp)
		if err != nil {
			return err
		}
		client, err := p.text(keyClient)
		if err != nil {
			return err
		}
		hash, err := p.text(keySecret)
		if err != nil {
			return err
		}
		document, err := merged(nil, p)
		if name == KindSAML {
			f.Claim(claimEntity, entityOf(document), errEntityTaken)
		}
		update(f, id, "kind = ?, client_id = ?, secret_hash = ?, document = ?", name, client, hash, document)
		return err
	}, keySecret)
}

// declareChanged declares the event that says what of it is new. The secret of who has
// no use for one any more ends.
func declareChanged(name string) *eventstore.Kind[payload] {
	return eventstore.Declare("project.application.config."+name+".changed", foldDocument)
}

func foldDocument(f *eventstore.Fold, p payload) error {
	id, err := p.text(keyApp)
	if err != nil {
		return err
	}
	var found bool
	var name, before string
	if err := f.Read(database.One(&found, "SELECT kind, document FROM applications WHERE instance_id = ? AND app_id = ? AND project_id = ?",
		[]any{f.Instance, id, f.ID}, &name, &before)); err != nil || !found {
		return err
	}
	after, err := merged([]byte(before), p)
	if err != nil {
		return err
	}
	config, err := Parse(name, after)
	if err != nil {
		return err
	}
	if !NeedsSecret(config) {
		update(f, id, "secret_hash = ''")
	}
	if c, ok := config.(*SAML); ok {
		f.Release(claimEntity, entityOf(before))
		f.Claim(claimEntity, c.EntityID, errEntityTaken)
	}
	update(f, id, "document = ?", after)
	return nil
}

// merged is a document with what a payload says about it.
func merged(document []byte, p payload) (string, error) {
	out := payload{}
	if len(document) > 0 {
		if err := json.Unmarshal(document, &out); err != nil {
			return "", err
		}
	}
	for key, value := range p {
		if key != keyApp && key != keyClient && key != keySecret {
			out[key] = value
		}
	}
	text, err := json.Marshal(out)
	return string(text), err
}

// Parse reads the document of an application of a kind.
func Parse(kind, document string) (Config, error) {
	var c Config
	switch kind {
	case KindOIDC:
		c = &OIDC{}
	case KindAPI:
		c = &API{}
	case KindSAML:
		c = &SAML{}
	default:
		return nil, errKind
	}
	return c, json.Unmarshal([]byte(document), c)
}

// NeedsSecret reports whether an application that is set up like this has a use for
// a secret.
func NeedsSecret(c Config) bool {
	switch c := c.(type) {
	case *OIDC:
		return c.AuthMethod == AuthBasic || c.AuthMethod == AuthPost
	case *API:
		return c.AuthMethod == APIBasic
	}
	return false
}

var (
	errMissing     = fault.NotFound("APP-missing", "There is no such application.")
	errNoProject   = fault.NotFound("APP-project", "There is no such project.")
	errIDTaken     = fault.AlreadyExists("APP-id", "An application with this id exists already.")
	errClientTaken = fault.AlreadyExists("APP-client", "An application with this client id exists already.")
	errNameTaken   = fault.AlreadyExists("APP-name-taken", "The project has an application of this name already.")
	errMany        = fault.Exhausted("APP-many", "A project can have %d applications at most. Remove one first.", maxApplications)
	errName        = fault.Invalid("APP-name", "An application needs a name of 1 to 200 characters.")
	errKind        = fault.Precondition("APP-kind", "The application is not of this kind.")
	errSame        = fault.Precondition("APP-unchanged", "The application is like this already.")
	errActive      = fault.Precondition("APP-active", "The application is active already.")
	errInactive    = fault.Precondition("APP-inactive", "The application is inactive already.")
	errNoSecret    = fault.Precondition("APP-secret", "The way in which the application proves who it is uses no secret.")
)

// Unchanged reports whether err says that an application is already as the call
// wanted it.
func Unchanged(err error) bool {
	return errors.Is(err, errSame) || errors.Is(err, errActive) || errors.Is(err, errInactive)
}

// Missing reports whether err says that there is no such application, or no such key
// or project.
func Missing(err error) bool {
	return errors.Is(err, errMissing) || errors.Is(err, errNoProject) || errors.Is(err, errKeyMissing)
}

func aggregate(s eventstore.Scope, project string) eventstore.Aggregate {
	return eventstore.Aggregate{Instance: s.Instance, Type: "project", ID: project, Owner: s.Org}
}

const projectQuery = `SELECT p.org_id FROM projects p
	JOIN orgs o ON o.instance_id = p.instance_id AND o.org_id = p.org_id WHERE p.instance_id = ? AND p.project_id = ?`

// allowed says whether the caller has the permission on a project, if that is
// found: who may not even know of it is told that there is none.
func allowed(ctx context.Context, s eventstore.Scope, id, permission string, found bool, org string) error {
	on := authz.Object{Org: org, Project: id}
	if !found || s.Org != "" && org != s.Org || !authz.From(ctx).Knows(on) {
		return errNoProject
	}
	return authz.RequireOn(ctx, permission, on)
}

// MayWrite refuses who may not change the applications of a project: for what takes
// a while and comes before the transaction.
func MayWrite(ctx context.Context, r database.Reader, s eventstore.Scope, projectID string) error {
	var found bool
	var org string
	if err := r.Read(ctx, database.One(&found, projectQuery, []any{s.Instance, projectID}, &org)); err != nil {
		return err
	}
	return allowed(ctx, s, projectID, "project.app.write", found, org)
}

// lockProject holds a project of the organization s, or of any where that names none,
// for a caller who needs the permission on it.
func lockProject(tx *eventstore.Tx, s eventstore.Scope, id, permission string) (eventstore.Aggregate, error) {
	var found bool
	var org string
	if _, err := tx.Lock(aggregate(s, id), database.One(&found, projectQuery, []any{s.Instance, id}, &org)); err != nil {
		return eventstore.Aggregate{}, err
	}
	return aggregate(eventstore.Scope{Instance: s.Instance, Org: org}, id), allowed(tx.Context(), s, id, permission, found, org)
}
