package policy

import (
	"slices"

	"golang.org/x/text/language"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// RestrictionsDoc narrows what an instance offers.
type RestrictionsDoc struct {
	DisallowPublicOrgRegistration bool `json:"disallowPublicOrgRegistration"`
	// AllowedLanguages are BCP 47 tags; none means that every language is allowed.
	AllowedLanguages list `json:"allowedLanguages"`
}

// Restrictions are an instance's restrictions.
var Restrictions = DeclareSetting("restrictions.set", "restrictions", "restrictions", fault.Say("set of restrictions"),
	"iam.restrictions.", (*RestrictionsDoc).validate)

// validate also writes the tags in their canonical form.
func (r *RestrictionsDoc) validate() error {
	if len(r.AllowedLanguages) > maxLanguages {
		return fault.Invalid("RESTRICTIONS-many", "There can be %d allowed languages at most.", maxLanguages)
	}
	r.AllowedLanguages = slices.Clone(r.AllowedLanguages) // It may be the request's.
	for i, name := range r.AllowedLanguages {
		tag, err := language.Parse(name)
		if err != nil || tag == language.Und || len(name) > maxTag {
			return fault.Invalid("RESTRICTIONS-language", "An allowed language must be a language tag of %d characters at most, such as en or de-CH.", maxTag)
		}
		r.AllowedLanguages[i] = tag.String()
		if slices.Contains(r.AllowedLanguages[:i], tag.String()) {
			return fault.Invalid("RESTRICTIONS-twice", "An allowed language is listed twice.")
		}
	}
	return nil
}
