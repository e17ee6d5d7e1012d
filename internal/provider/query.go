package provider

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

// Provider is a provider as it is stored: one of SMTP, HTTP and Twilio is its
// configuration, with a sealed secret.
type Provider struct {
	Instance, ID string
	Sort         Sort
	Kind         string
	Active       bool
	SMTP         *SMTP
	HTTP         *HTTP
	Twilio       *Twilio
	Details      eventstore.Details
}

func (p *Provider) config() config {
	switch p.Kind {
	case KindSMTP:
		return p.SMTP
	case KindHTTP:
		return p.HTTP
	}
	return p.Twilio
}

// Description is what people call the provider.
func (p *Provider) Description() string {
	switch p.Kind {
	case KindSMTP:
		return p.SMTP.Description
	case KindHTTP:
		return p.HTTP.Description
	}
	return p.Twilio.Description
}

const columns = "p.instance_id, p.provider_id, p.sort, p.kind, p.active, p.document, p.created, p.changed, p.sequence"

func scanProvider(scan database.Scan, p *Provider) error {
	var doc []byte
	var active int
	var created, changed int64
	if err := scan(&p.Instance, &p.ID, (*string)(&p.Sort), &p.Kind, &active, &doc, &created, &changed, &p.Details.Sequence); err != nil {
		return err
	}
	p.Active = active == 1
	p.Details.Owner, p.Details.Created, p.Details.Changed = p.Instance, time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
	p.SMTP, p.HTTP, p.Twilio = &SMTP{}, &HTTP{}, &Twilio{}
	return json.Unmarshal(doc, p.config())
}

// List gives the providers of a sort, the oldest first or last; where kinds are
// named, those of these kinds only.
func List(ctx context.Context, r database.Reader, instance string, sort Sort, page database.Page, kinds ...string) (database.Listing[Provider], error) {
	if err := authz.RequireInstance(ctx, "iam.read"); err != nil {
		return database.Listing[Provider]{}, err
	}
	q := database.From(columns, "providers p").Where("p.instance_id = ? AND p.sort = ?", instance, string(sort))
	if len(kinds) > 0 {
		q.In("p.kind", kinds)
	}
	return database.List(ctx, r, q, page, []string{"p.created", "p.provider_id"}, scanProvider)
}

// ByID gives a provider of a sort to those who may read it.
func ByID(ctx context.Context, r database.Reader, instance string, sort Sort, id string) (Provider, error) {
	return shown(ctx, r, instance, sort, errMissing, func(s *database.Select) { s.Where("p.provider_id = ?", id) })
}

// ShowActive gives the active provider of a sort to those who may read it.
func ShowActive(ctx context.Context, r database.Reader, instance string, sort Sort) (Provider, error) {
	return shown(ctx, r, instance, sort, errNoneActive, func(s *database.Select) { s.Where("p.active = 1") })
}

func shown(ctx context.Context, r database.Reader, instance string, sort Sort, none error, f database.Filter) (p Provider, err error) {
	if err := authz.RequireInstance(ctx, "iam.read"); err != nil {
		return p, err
	}
	found := false
	err = r.Read(ctx, one(instance, sort, f, &found, &p))
	if err == nil && !found {
		err = none
	}
	return p, err
}

// Active is the query for the provider of a sort that is used.
func Active(instance string, sort Sort, found *bool, p *Provider) database.Query {
	return one(instance, sort, func(s *database.Select) { s.Where("p.active = 1") }, found, p)
}

func one(instance string, sort Sort, f database.Filter, found *bool, p *Provider) database.Query {
	return database.From(columns, "providers p").Where("p.instance_id = ? AND p.sort = ?", instance, string(sort)).Filter(f).
		Rows(func(scan database.Scan) error { *found = true; return scanProvider(scan, p) })
}

// Without lists the instances in which no provider of a sort is used, for whoever runs
// the installation.
func Without(ctx context.Context, r database.Reader, sort Sort) (ids []string, err error) {
	err = r.Read(ctx, database.From("i.instance_id", "instances i").
		Where("NOT EXISTS (SELECT 1 FROM providers p WHERE p.instance_id = i.instance_id AND p.sort = ? AND p.active = 1)", string(sort)).
		Order("i.instance_id").Rows(func(scan database.Scan) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	}))
	return ids, err
}
