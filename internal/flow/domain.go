package flow

import (
	"context"
	"log/slog"
	"slices"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/org"
)

// Outside looks at what is published on the Internet, at places that users name.
type Outside struct {
	// TXT gives the TXT records of a DNS name.
	TXT func(ctx context.Context, name string) ([]string, error)
	// Text gives the text behind an https URL, of at most limit bytes.
	Text func(ctx context.Context, url string, limit int64) (string, error)
	// Reach refuses a URL that leads to where nothing may be sent.
	Reach func(ctx context.Context, url string) error
}

// maxProof bounds the file that proves a domain.
const maxProof = 1 << 10

// challenge is where a token that proves the domain has to be published.
func challenge(orgID, domain string, how int) string {
	if how == org.ByDNS {
		return "_gatehouse-challenge." + domain
	}
	return "https://" + domain + "/.well-known/gatehouse-challenge/" + orgID + ".txt"
}

// RequestDomainValidation makes a token and says where to publish it.
func RequestDomainValidation(tx *eventstore.Tx, s eventstore.Scope, domain string, how int) (token, at string, err error) {
	token = org.NewDomainToken()
	_, err = org.RequestValidation(tx, s.Instance, s.Org, domain, how, token)
	return token, challenge(s.Org, org.CanonicalDomain(domain), how), err
}

// VerifyDomain looks at what is published and settles whether the domain is the
// organization's; then others lose the names that end in it. It looks before the
// transaction, not in it.
func VerifyDomain(ctx context.Context, store *eventstore.Store, v *crypto.Vault, outside Outside, s eventstore.Scope, domain string) (eventstore.Details, error) {
	d, err := org.PendingDomain(ctx, store, s.Instance, s.Org, domain)
	if err != nil {
		return eventstore.Details{}, err
	}
	at := challenge(s.Org, d.Name, d.Validation)
	var published []string
	if d.Validation == org.ByDNS {
		published, err = outside.TXT(ctx, at)
	} else {
		var text string
		text, err = outside.Text(ctx, at, maxProof)
		published = []string{text}
	}
	if err != nil { // What went wrong out there would tell the caller about our network.
		slog.InfoContext(ctx, "domain not proved", "at", at, "error", err)
	}
	proved := err == nil && slices.ContainsFunc(published, d.ProvedBy)
	var out eventstore.Details
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		if out, err = org.SettleDomain(tx, s.Instance, s.Org, d, proved); err == nil && proved {
			err = claimNames(tx, v, s)
		}
		return err
	})
	if err == nil && !proved {
		err = fault.Precondition("ORG-domain-unproved", "The token was not found at %s. It may take a while until a change shows; then try again.", at)
	}
	return out, err
}
