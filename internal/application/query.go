package application

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

const (
	columns = "a.app_id, a.project_id, a.org_id, a.name, a.client_id, a.kind, a.state, a.document, a.created, a.changed, a.sequence"
	// An application counts as long as its project and that one's organization exist.
	tables = `applications a JOIN projects p ON p.instance_id = a.instance_id AND p.project_id = a.project_id
		JOIN orgs o ON o.instance_id = p.instance_id AND o.org_id = p.org_id`
)

func scanApplication(scan database.Scan, a *Application) error {
	var kind, document string
	var created, changed int64
	if err := scan(&a.ID, &a.Project, &a.Org, &a.Name, &a.ClientID, &kind, &a.State, &document, &created, &changed, &a.Details.Sequence); err != nil {
		return err
	}
	a.Details.Owner, a.Details.Created, a.Details.Changed = a.Org, time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
	var err error
	a.Config, err = Parse(kind, document)
	return err
}

// The columns that applications are sorted by.
const (
	SortID      = "a.app_id"
	SortName    = "a.name_lower"
	SortState   = "a.state"
	SortCreated = "a.created"
	SortChanged = "a.changed"
)

// The filters of lists of applications.
var (
	ByName       = database.Text{Exact: "a.name", Lower: "a.name_lower"}.Match
	WithID       = func(id string) database.Filter { return database.Is(SortID, id) }
	OfProject    = func(id string) database.Filter { return database.Is("a.project_id", id) }
	OfOrg        = func(id string) database.Filter { return database.Is("a.org_id", id) }
	WithClientID = func(id string) database.Filter { return database.Is("a.client_id", id) }
	InState      = func(state int) database.Filter { return database.Is("a.state", state) }
	OfKind       = func(kind string) database.Filter { return database.Is("a.kind", kind) }
)

// WithEntityID is the filter for the application of SAML that calls itself so.
func WithEntityID(id string) database.Filter {
	text, err := json.Marshal(id)
	if err != nil { // Texts always have a JSON form.
		panic(err)
	}
	return func(s *database.Select) {
		s.Where("a.kind = ? AND replace(a.document, ?, '') <> a.document", KindSAML, `"entityId":`+string(text))
	}
}

// onProject are the columns that permissions are asked on.
var onProject = authz.Object{Org: "a.org_id", Project: "a.project_id"}

// List gives the applications of the instance that the caller may read.
func List(ctx context.Context, r database.Reader, instance string, p database.Page, by string, filters ...database.Filter) (database.Listing[Application], error) {
	visible, args := authz.WhereOn(ctx, "project.app.read", onProject)
	q := database.From(columns, tables).Where("a.instance_id = ?", instance).Where(visible, args...).Filter(filters...)
	sort := []string{by, SortID}
	if by == SortID {
		sort = sort[1:]
	}
	return database.List(ctx, r, q, p, sort, scanApplication)
}

// One gives the application that the filters leave. Where s names an organization,
// it is one of that one.
func One(ctx context.Context, r database.Reader, s eventstore.Scope, filters ...database.Filter) (Application, error) {
	if s.Org != "" {
		filters = append(filters, OfOrg(s.Org))
	}
	l, err := List(ctx, r, s.Instance, database.Page{Limit: 1}, SortID, filters...)
	if err == nil && len(l.Rows) == 0 {
		err = errMissing
	}
	if err != nil {
		return Application{}, err
	}
	return l.Rows[0], nil
}
