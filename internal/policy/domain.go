package policy

import "github.com/gatehouse/gatehouse/internal/fault"

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
	k.access = instanceAccess("iam.policy.")
	return k
}
