package console

import "strings"

// entry is a page that the navigation leads to.
type entry struct {
	path, text, permission string
}

// navigation is what there is to administer: of the instance, and of the organization that
// a page is about. Who has no permission for an entry does not see it.
var navigation = []struct {
	text    string
	entries []entry
}{
	{"nav-mine", []entry{{atMine, "projects", onlyInside}}},
	{"nav-instance", []entry{
		{atInstance, "instance", iamRead},
		{"orgs", "orgs", "org.read"},
		{"administrators", "administrators", "iam.member.read"},
		{"sessions", "sessions", "session.read"},
		{"instance/login", "login-policy", "iam.policy.read"},
		{"instance/policies", "policies", "iam.policy.read"},
		{"instance/policies/branding", "branding", "iam.policy.read"},
		{"instance/policies/texts", "message-texts", "iam.policy.read"},
		{"instance/policies/login-texts", "login-texts", "iam.policy.read"},
		{atMessages, "messages", iamRead},
		{atKeys, "web-keys", keyRead},
		{"events", "events", "events.read"},
		{atCheckup, "checkup", iamRead},
	}},
	{navOrg, []entry{
		{"orgs/{org}", "overview", "org.read"},
		{"orgs/{org}/users", "users", "user.read"},
		{"orgs/{org}/groups", "groups", "group.read"},
		{"orgs/{org}/authorizations", "authorizations", "user.grant.read"},
		{"orgs/{org}/administrators", "administrators", "org.member.read"},
		{"orgs/{org}/projects", "projects", "project.read"},
		{atGranted, "granted", projectGrantRead},
		{"orgs/{org}/login", "login-policy", "policy.read"},
		{"orgs/{org}/policies", "policies", "policy.read"},
		{"orgs/{org}/policies/branding", "branding", "policy.read"},
		{"orgs/{org}/policies/texts", "message-texts", "policy.read"},
		{"orgs/{org}/policies/login-texts", "login-texts", "policy.read"},
		{"orgs/{org}/domains", "domains", "org.read"},
	}},
}

// navOrg is the key of the part about the organization of the page.
const navOrg = "nav-org"

// onlyInside stands for the permission of who administers nothing but projects.
const onlyInside = ":"

// sees reports whether the navigation leads the visitor to an entry.
func (v *visit) sees(e entry) bool {
	if e.permission == onlyInside {
		return !v.wide[projectRead] && v.inside
	}
	return v.wide[e.permission]
}

// nav is the navigation as the visitor sees it. The entry is marked that leads nearest to
// this page.
func (v *visit) nav() (out []group) {
	nearest := ""
	for _, g := range navigation {
		shown := group{Text: v.Texts.T(g.text)}
		if g.text == navOrg {
			shown.Text = v.orgName
		}
		for _, e := range g.entries {
			if !v.sees(e) || strings.Contains(e.path, "{org}") && v.orgName == "" {
				continue
			}
			c := crumb{URL: v.at(e.path), Text: v.Texts.T(e.text)}
			if rest, found := strings.CutPrefix(v.R.URL.Path, c.URL); found && (rest == "" || rest[0] == '/' || rest[0] == '-') && len(c.URL) > len(nearest) {
				nearest = c.URL
			}
			if e.permission == onlyInside && v.org != "" { // All that there is for them is below it.
				nearest = c.URL
			}
			shown.Entries = append(shown.Entries, c)
		}
		switch {
		case len(shown.Entries) == 0:
		case g.text == navOrg: // What the page is about comes first.
			out = append([]group{shown}, out...)
		default:
			out = append(out, shown)
		}
	}
	for _, g := range out {
		for i := range g.Entries {
			g.Entries[i].Here = g.Entries[i].URL == nearest
		}
	}
	return out
}
