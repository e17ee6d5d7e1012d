package flow

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/user"
)

// The limits of an export.
const (
	maxExportNamed = 1000     // organizations
	maxExportSize  = 64 << 20 // bytes
	exportedRow    = 100      // bytes that a row takes beside its texts
)

var (
	errExportNamed = fault.Invalid("EXPORT-named", "Name at most %d organizations, to export or to leave out.", maxExportNamed)
	errExportSize  = fault.Exhausted("EXPORT-size", "This is more than the %d MiB that an export can hold. Export fewer organizations at a time: name them, as org_ids.", maxExportSize>>20)
)

// ExportWish says what to export.
type ExportWish struct {
	Orgs, Without []string // none in Orgs: all
	// Passwords and OTP say that hashes of passwords are wanted, and secrets of
	// authenticator apps with hashes of recovery codes.
	Passwords, OTP bool
}

// Export gives what organizations consist of, as far as the caller may read it, in one
// state: two exports of the same state are equal. What is switched off and cannot be told
// to be so is left out. Secrets are for those who could also set them.
func Export(ctx context.Context, store *eventstore.Store, v *crypto.Vault, w ExportWish) ([]*ExportedOrg, error) {
	if w.Passwords || w.OTP {
		if err := authz.RequireInstance(ctx, "iam.write"); err != nil {
			return nil, err
		}
	}
	if max(len(w.Orgs), len(w.Without)) > maxExportNamed {
		return nil, errExportNamed
	}
	e := &export{ctx: ctx, wish: w, instance: authz.From(ctx).Instance, now: store.Now(), orgs: map[string]*ExportedOrg{}}
	e.ask()
	if err := store.Read(ctx, e.queries...); err != nil {
		return nil, err
	}
	var out []*ExportedOrg
	for _, id := range slices.Sorted(maps.Keys(e.orgs)) {
		o := e.orgs[id]
		if len(o.self) == 0 { // The caller may see something of it, but not the organization.
			continue
		}
		if err := o.finish(ctx, v, e.instance); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	for _, id := range w.Orgs {
		if !slices.ContainsFunc(out, func(o *ExportedOrg) bool { return o.ID == id }) && !slices.Contains(w.Without, id) {
			return nil, fault.NotFound("EXPORT-org", "There is no organization %s.", id)
		}
	}
	return out, nil
}

// export is one under way.
type export struct {
	ctx      context.Context
	wish     ExportWish
	instance string
	now      time.Time
	orgs     map[string]*ExportedOrg
	queries  []database.Query
	size     int
}

// from selects the rows of the organizations to export that the caller may read. tables
// begins with the table that permission is about, and owner is the column with the
// organization.
func (e *export) from(permission, owner, columns, tables, alias string) *database.Select {
	visible, args := authz.Where(e.ctx, permission, owner)
	s := database.From(owner+", "+columns, tables).Where(alias+".instance_id = ?", e.instance).Where(visible, args...)
	if len(e.wish.Orgs) > 0 {
		s.In(owner, e.wish.Orgs)
	}
	for _, id := range e.wish.Without {
		s.Where(owner+" <> ?", id)
	}
	return s
}

// gather asks for the rows of s, in order: dest says where the columns behind the first
// one go, which is the organization.
func gather[T any](e *export, s *database.Select, order string, list func(*ExportedOrg) *[]T, dest func(*T) []any) {
	e.queries = append(e.queries, s.Order(order).Rows(func(scan database.Scan) error {
		var t T
		var org string
		to := dest(&t)
		if err := scan(append([]any{&org}, to...)...); err != nil {
			return err
		}
		o := list(e.of(org))
		*o = append(*o, t)
		return e.weigh(to)
	}))
}

func (e *export) of(id string) *ExportedOrg {
	if e.orgs[id] == nil {
		e.orgs[id] = &ExportedOrg{ID: id}
	}
	return e.orgs[id]
}

// weigh refuses more than an export can hold.
func (e *export) weigh(row []any) error {
	e.size += exportedRow
	for _, column := range row {
		switch c := column.(type) {
		case *string:
			e.size += len(*c)
		case *[]byte:
			e.size += len(*c)
		}
	}
	if e.size > maxExportSize {
		return errExportSize
	}
	return nil
}

// finish puts together what came by itself, and opens what is sealed.
func (o *ExportedOrg) finish(ctx context.Context, v *crypto.Vault, instance string) error {
	o.Name, o.State = o.self[0].Name, o.self[0].State
	for _, p := range o.policies {
		if err := o.Own.Take(p.kind, p.document); err != nil {
			return err
		}
	}
	factors := map[string][]exportedFactor{}
	for _, f := range o.factors {
		factors[f.userID] = append(factors[f.userID], f)
	}
	for i := range o.Humans {
		h := &o.Humans[i]
		for _, f := range factors[h.ID] {
			if f.kind == string(user.Recovery) {
				h.Recovery = append(h.Recovery, f.id)
				continue
			}
			secret, err := user.OpenTOTP(ctx, v, user.Ref{Instance: instance, Org: o.ID, UserID: h.ID}, f.sealed)
			if err != nil {
				return err
			}
			h.TOTP = secret
		}
	}
	for _, list := range []*[]ExportedRoles{&o.Grants, &o.UserGrants, &o.OrgMembers, &o.ProjectMembers, &o.GrantMembers} {
		*list = together(*list)
	}
	return nil
}
