package test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// walkAs opens all of the console that ann is led to, in both languages.
func walkAs(t *testing.T, s *testkit.Server) (pages []string) {
	t.Helper()
	for _, language := range []string{"en", "de"} {
		w := &walker{browser: newBrowser(t, s), prefix: "/ui/console/", seen: map[string]bool{}}
		w.header.Set("Accept-Language", language)
		w.submit(t, w.toPassword(t), "password", "proof", annsPassword)
		w.walk(t, "/ui/console/", "the beginning")
		pages = append(pages, w.pages...)
	}
	return pages
}

// TestConsoleProjectsOfMembers: who administers a project alone, or what was granted of one,
// is led to that and to nothing else.
func TestConsoleProjectsOfMembers(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	fillConsole(t, s)
	s.Run(t,
		testkit.Call{Name: "another project", Do: "POST /management/v1/projects", Body: `{"name":"Secret"}`, Keep: map[string]string{"secret": "id"}, Events: []string{"project.added", "project.member.added"}},
		testkit.Call{
			Name: "a grant", Do: "POST /management/v1/projects/$shop/grants", Body: `{"grantedOrgId":"$acme","roleKeys":["editor"]}`,
			Keep: map[string]string{"grant": "grantId"}, Events: []string{"project.grant.added"},
		},
	)
	at := func(path string) string { return s.Expand("/ui/console/orgs/" + path) }
	owner := []string{at("$org/projects/$shop"), at("$org/projects/$shop/apps"), at("$org/projects/$shop/roles"), at("$org/projects/$shop/grants"), at("$org/projects/$shop/grants/$acme"), at("$org/projects/$shop/administrators")}
	granted := []string{at("$acme/granted/$shop"), at("$acme/granted/$shop/administrators")}
	for role, all := range map[string][]string{
		"PROJECT_OWNER":              append(owner, at("$org/projects/$shop/edit"), at("$org/projects/$shop/role-new"), at("$org/projects/$shop/administrators-new")),
		"PROJECT_OWNER_VIEWER":       owner,
		"PROJECT_GRANT_OWNER":        append(granted, at("$acme/granted/$shop/administrators-new")),
		"PROJECT_GRANT_OWNER_VIEWER": granted,
	} {
		members, event := "/management/v1/projects/$shop/members", "project.member"
		if strings.HasPrefix(role, "PROJECT_GRANT_") {
			members, event = "/management/v1/projects/$shop/grants/$grant/members", "project.grant.member"
		}
		s.Run(t, testkit.Call{Name: role, Do: "POST " + members, Body: `{"userId":"$ann","roles":["` + role + `"]}`, Events: []string{event + ".added"}})
		pages := walkAs(t, s)
		for _, want := range all {
			if !slices.Contains(pages, want) {
				t.Errorf("%s is not led to %s", role, want)
			}
		}
		for _, page := range pages {
			if rest := strings.TrimPrefix(page, "/ui/console/"); strings.HasPrefix(rest, "orgs") && !strings.HasPrefix(page, all[0]) || strings.HasPrefix(rest, "instance") {
				t.Errorf("%s is led to %s", role, page)
			}
		}
		w := newBrowser(t, s)
		w.submit(t, w.toPassword(t), "password", "proof", annsPassword)
		for _, page := range []string{at("$org"), at("$org/projects"), at("$org/users"), at("$org/projects/$secret"), at("$acme"), at("$acme/projects"), "/ui/console/instance"} {
			if p := w.open(t, page); p.status != http.StatusNotFound || strings.Contains(p.body, "Secret") {
				t.Errorf("%s gets %s: %d", role, page, p.status)
			}
		}
		s.Run(t, testkit.Call{Name: role + " ends", Do: "DELETE " + members + "/$ann", Events: []string{event + ".removed"}})
	}
}

// TestConsoleProjectOwner is what somebody does who looks after one project alone.
func TestConsoleProjectOwner(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	fillConsole(t, s)
	s.Run(t, testkit.Call{Name: "ann owns", Do: "POST /management/v1/projects/$shop/members", Body: `{"userId":"$ann","roles":["PROJECT_OWNER"]}`, Events: []string{"project.member.added"}})
	w := openWindow(t, s)
	w.open(t, "/ui/console/")
	w.logIn(t, "ann", annsPassword)
	w.press(t, "Not now")
	w.sees(t, "These are the projects that you look after")
	w.press(t, "Shop")
	w.sees(t, "Only who has a role here")
	w.press(t, "Applications")
	w.sees(t, "Stock")
	w.press(t, "Roles")
	w.press(t, "Editor")
	w.fill(t, "display_name", "Chief editor")
	w.press(t, "Save")
	w.sees(t, "Chief editor")
	w.press(t, "Granted to")
	w.press(t, "Grant it")
	w.sees(t, "ID of the organization")
	w.fill(t, "granted_organization_id", s.Var("acme"))
	w.press(t, "Create")
	w.sees(t, "Acme")
	w.dark(t)
	w.press(t, "Administrators")
	w.press(t, "Add an administrator")
	w.sees(t, "ID of the user")
	w.fill(t, "user_id", "1")
	w.do(t, "choose a role", chromedp.Click(`input[value="PROJECT_OWNER_VIEWER"]`, chromedp.ByQuery))
	w.press(t, "Add")
	w.sees(t, "There is no such user")
	w.fill(t, "user_id", s.Var("bea"))
	w.press(t, "Add")
	w.sees(t, "Bea Bell")
	w.press(t, "Overview")
	w.press(t, "Remove")
	w.press(t, "Remove")
	w.sees(t, "It is removed.")
}
