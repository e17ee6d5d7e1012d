package policy

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// OrgSettingsDoc is what an organization has of its own apart from policies.
type OrgSettingsDoc struct {
	// ScopedUsernames makes user names unique per organization, and completes them with
	// its domains, whatever the domain policy says.
	ScopedUsernames bool `json:"organizationScopedUsernames"`
}

// scopedUsernames is the document where ScopedUsernames is set.
const scopedUsernames = `{"organizationScopedUsernames":true}`

// orgSettingsStream is the type of the aggregates that hold the events.
const orgSettingsStream = "organization_settings"

// OrgSettings are the settings of organizations. Like the domain policy they
// decide whose names collide with whose, so they are up to those who administer
// the instance. Instances have none: nothing is inherited.
var OrgSettings = declareOrgSettings()

func declareOrgSettings() *Setting[OrgSettingsDoc] {
	eventstore.DeclareStream("settings.organization.", orgSettingsStream)
	k := &Kind[OrgSettingsDoc]{name: "settings.organization", title: fault.Say("set of organization settings"), orgs: true, access: instanceAccess("iam.policy."), around: &aroundNames}
	k.stream = func(s Scope) eventstore.Aggregate {
		return eventstore.Aggregate{Instance: s.Instance, Type: orgSettingsStream, ID: s.Org, Owner: s.Org}
	}
	return &Setting[OrgSettingsDoc]{kind: k, org: k.declareResettable("settings.organization")}
}

// OrgSettingsOf is what one organization has set.
type OrgSettingsOf struct {
	Org string
	Doc OrgSettingsDoc
	Details
}

// The columns that organization settings are sorted by.
const (
	SortOrgSettingsOrg     = "org_id"
	SortOrgSettingsCreated = "created"
	SortOrgSettingsChanged = "changed"
)

// OrgSettingsWithin is the filter for the settings of these organizations.
func OrgSettingsWithin(orgs []string) database.Filter {
	return func(s *database.Select) { s.In("org_id", orgs) }
}

// OrgSettingsScoped is the filter by ScopedUsernames. The document has this one
// field, so that the whole of it can be compared.
func OrgSettingsScoped(scoped bool) database.Filter {
	document := `{"organizationScopedUsernames":false}`
	if scoped {
		document = scopedUsernames
	}
	return database.Is("document", document)
}

// ListOrgSettings gives the settings of the organizations that have set them: of
// all to those who may read the policies of the instance, else of those that the
// caller may read.
func ListOrgSettings(ctx context.Context, r database.Reader, instance string, p database.Page, by string, filters ...database.Filter) (database.Listing[OrgSettingsOf], error) {
	visible, args := "1 = 1", []any(nil)
	if !authz.From(ctx).Can("iam.policy.read", "") {
		visible, args = authz.Where(ctx, "org.read", "org_id")
	}
	s := database.From("org_id, document, created, changed, sequence", "policies").
		Where("instance_id = ? AND kind = ?", instance, OrgSettings.kind.name).Where(visible, args...).Filter(filters...)
	return database.List(ctx, r, s, p, []string{by, "org_id"}, func(scan database.Scan, o *OrgSettingsOf) error {
		var doc []byte
		var created, changed int64
		if err := scan(&o.Org, &doc, &created, &changed, &o.Sequence); err != nil {
			return err
		}
		o.Owner, o.Created, o.Changed = o.Org, time.UnixMicro(created).UTC(), time.UnixMicro(changed).UTC()
		return json.Unmarshal(doc, &o.Doc)
	})
}
