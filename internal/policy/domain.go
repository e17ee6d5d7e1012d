package policy

import (
	"encoding/json"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// DomainPolicy says what domains mean for login names and for mail.
type DomainPolicy struct {
	// UserLoginMustBeDomain ends every login name in a domain of its organization,
	// so that user names are unique per organization and not per instance.
	UserLoginMustBeDomain bool `json:"userLoginMustBeDomain"`
	// ValidateOrgDomains lets a domain count only once its owner has proved it.
	ValidateOrgDomains bool `json:"validateOrgDomains"`
	// SMTPSenderMatchesDomain refuses sender addresses outside the instance's domains.
	SMTPSenderMatchesDomain bool `json:"smtpSenderAddressMatchesInstanceDomain"`
}

// Domain is the domain policy. It decides whose names collide with whose, so an
// organization's own is up to those who administer the instance.
var Domain = declareDomain()

func declareDomain() *Kind[DomainPolicy] {
	k := Declare[DomainPolicy]("policy.domain", fault.Say("domain policy"), IDs{}, nil)
	k.access, k.around = instanceAccess("iam.policy."), &aroundNames
	return k
}

var aroundNames Around

// AroundNames sets what runs around each change that may complete user names or
// make them plain.
func AroundNames(a Around) { aroundNames = a }

// NamesCompleted is the query that says whether names of users are login names only
// together with a domain of their organization.
func NamesCompleted(s Scope, completed *bool) database.Query {
	own := false
	*completed = false
	return database.Query{
		SQL:  "SELECT kind, org_id, document FROM policies WHERE instance_id = ? AND org_id IN (?, '') AND kind IN (?, ?) ORDER BY org_id DESC",
		Args: []any{s.Instance, s.Org, Domain.name, OrgSettings.kind.name},
		Row: func(scan database.Scan) error {
			var kind, org string
			var document []byte
			if err := scan(&kind, &org, &document); err != nil {
				return err
			}
			var doc struct {
				DomainPolicy
				OrgSettingsDoc
			}
			if err := json.Unmarshal(document, &doc); err != nil {
				return err
			}
			if kind == Domain.name && !own {
				own, *completed = true, *completed || doc.UserLoginMustBeDomain
			}
			*completed = *completed || doc.ScopedUsernames
			return nil
		},
	}
}

// NamesOwn is SQL for the organizations of an instance that the domain policy of
// the instance does not reach: it gives their ids.
func NamesOwn(instance string) (sql string, args []any) {
	return "SELECT org_id FROM policies WHERE instance_id = ? AND org_id <> '' AND (kind = ? OR kind = ? AND document = ?)",
		[]any{instance, Domain.name, OrgSettings.kind.name, scopedUsernames}
}
