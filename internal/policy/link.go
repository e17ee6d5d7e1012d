package policy

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// LinkType says what a link leads to.
type LinkType int32

// The first and the last type, as on the wire.
const (
	LinkTermsOfService LinkType = 1
	LinkCustom         LinkType = 6
)

// LinkTarget says where a link opens.
type LinkTarget int32

// The first and the last target, as on the wire.
const (
	LinkTargetPage  LinkTarget = 0 // as the page decides
	LinkTargetBlank LinkTarget = 2 // in a new window
)

// Link is a link that pages show.
type Link struct {
	Type           LinkType   `json:"type"`
	URL            string     `json:"url"`
	TranslationKey string     `json:"translationKey,omitempty"`
	Target         LinkTarget `json:"target,omitempty"`
}

// LinksDoc holds links in the order in which pages show them.
type LinksDoc struct {
	Links []Link `json:"links"`
}

// The limits of links.
const (
	maxLinks   = 50
	maxLinkKey = 200 // characters
)

// Links are the links of an instance or of an organization, which replace those
// of the instance as a whole. They are up to those who administer the instance.
var Links = declareLinks()

func declareLinks() *Setting[LinksDoc] {
	k := &Kind[LinksDoc]{name: "settings.link", title: fault.Say("list of links"), orgs: true, validate: (*LinksDoc).validate}
	k.access = func(Scope, string) (permission, org string) { return "iam.policy.write", "" }
	return &Setting[LinksDoc]{
		kind: k, instance: k.declareResettable("instance.settings.link"), org: k.declareResettable("org.settings.link"),
	}
}

// validate also gives an empty list its one form.
func (d *LinksDoc) validate() error {
	if d.Links == nil {
		d.Links = []Link{}
	}
	if len(d.Links) > maxLinks {
		return fault.Invalid("LINK-many", "There can be %d links at most.", maxLinks)
	}
	for _, l := range d.Links {
		switch {
		case l.Type < LinkTermsOfService || l.Type > LinkCustom:
			return fault.Invalid("LINK-type", "Say of each link what it leads to.")
		case l.Target < LinkTargetPage || l.Target > LinkTargetBlank:
			return fault.Invalid("LINK-target", "There is no such target of links.")
		case len(l.URL) > maxAddress || !isLink(l.URL):
			return fault.Invalid("LINK-url", "A link must be an http or https address or mailto: with a mail address, of %d bytes at most.", maxAddress)
		case utf8.RuneCountInString(l.TranslationKey) > maxLinkKey:
			return fault.Invalid("LINK-key", "A translation key can have %d characters at most.", maxLinkKey)
		}
	}
	return nil
}

// isLink reports whether a browser can follow s, in any language.
func isLink(s string) bool {
	s = strings.ReplaceAll(s, LanguagePlaceholder, "en")
	u, err := url.Parse(s)
	if err == nil && u.Scheme == "mailto" {
		address, err := url.PathUnescape(u.Opaque)
		return err == nil && isMailAddress(address)
	}
	return isWebAddress(s)
}
