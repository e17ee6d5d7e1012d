package policy

import (
	"net/mail"
	"net/url"
	"strings"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// PrivacyPolicy holds the links that pages show to their visitors. Empty ones
// are not shown.
type PrivacyPolicy struct {
	TOSLink        string `json:"tosLink"`
	PrivacyLink    string `json:"privacyLink"`
	HelpLink       string `json:"helpLink"`
	SupportEmail   string `json:"supportEmail"`
	DocsLink       string `json:"docsLink"`
	CustomLink     string `json:"customLink"`
	CustomLinkText string `json:"customLinkText"`
}

// The limits of what a policy holds besides switches, in bytes.
const (
	maxAddress = 2000
	maxText    = 500
)

// LanguagePlaceholder stands, in a link, for the visitor's language.
const LanguagePlaceholder = "{{.Lang}}"

// Privacy is the privacy policy.
var Privacy = Declare("policy.privacy", fault.Say("privacy policy"), IDs{}, (*PrivacyPolicy).validate)

func (p *PrivacyPolicy) validate() error {
	for _, link := range []string{p.TOSLink, p.PrivacyLink, p.HelpLink, p.DocsLink, p.CustomLink} {
		if link != "" && (len(link) > maxAddress || !isWebAddress(strings.ReplaceAll(link, LanguagePlaceholder, "en"))) {
			return fault.Invalid("PRIVACY-link", "A link must be an http or https address of %d bytes at most, such as https://example.com/terms.", maxAddress)
		}
	}
	if len(p.CustomLinkText) > maxText {
		return fault.Invalid("PRIVACY-text", "The text of the custom link can have %d bytes at most.", maxText)
	}
	p.SupportEmail = strings.TrimSpace(p.SupportEmail)
	if p.SupportEmail != "" && !isMailAddress(p.SupportEmail) {
		return fault.Invalid("PRIVACY-email", "The support email must be an address, such as help@example.com.")
	}
	return nil
}

// isWebAddress reports whether a browser can be sent there.
func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// isMailAddress accepts a bare address, without a name around it.
func isMailAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s
}
