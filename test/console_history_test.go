package test

import (
	"errors"
	"fmt"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"go.yaml.in/yaml/v3"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestConsoleHistory makes somebody an administrator of a project and of a grant of it, keeps
// a value with the organization, and reads in its histories what was done.
func TestConsoleHistory(t *testing.T) {
	t.Parallel()
	s, w := openConsole(t, "IAM_OWNER")
	fillConsole(t, s)
	w.open(t, s.Expand("/ui/console/orgs/$org/projects/$tower"))
	w.press(t, "Administrators")
	w.sees(t, "They may act in this project")
	w.press(t, "Add an administrator")
	w.press(t, "Robot")
	w.tick(t, "Owner of the project, without its grants")
	w.press(t, "Add")
	w.sees(t, "Added.")
	w.press(t, "History")
	w.sees(t, "What happened to this project")
	w.dark(t)
	w.press(t, "Granted to")
	w.press(t, "Acme")
	w.press(t, "Administrators")
	w.sees(t, "the roles that are granted to it")
	w.open(t, s.Expand("/ui/console/orgs/$org"))
	w.press(t, "Metadata")
	w.sees(t, "customer")
	w.press(t, "Set a value")
	w.fill(t, "key", "plan")
	w.do(t, "say which", chromedp.SendKeys(`textarea[name="value"]`, "gold", chromedp.ByQuery))
	w.press(t, "Save")
	w.sees(t, "gold")
	w.press(t, "History")
	w.sees(t, "What happened to this organization")
	w.press(t, "All details")
	w.sees(t, "Filter")
	w.phone(t)
	w.open(t, s.Expand("/ui/console/orgs/$org/projects/$shop/apps/$app"))
	w.press(t, "History")
	w.sees(t, "What happened to this application")
	w.open(t, s.Expand("/ui/console/orgs/$org/metadata"))
	w.sees(t, "plan")
}

// TestConsoleHistoryOfOthers: who owns an organization reads its history page by page without
// the right to read the log of the instance.
func TestConsoleHistoryOfOthers(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	fillConsole(t, s)
	s.Run(t, testkit.Call{Name: "ann administers", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$ann","roles":["ORG_OWNER"]}`, Events: []string{"org.member.added"}})
	for i := range 60 {
		s.Run(t, testkit.Call{Name: "a value", Do: fmt.Sprintf("POST /management/v1/metadata/value%d", i), Body: `{"value":"NDI="}`, Events: []string{"org.metadata.set"}})
	}
	b := newBrowser(t, s)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	shown, next := 0, s.Expand("/ui/console/orgs/$org/history")
	for pages := 0; next != ""; pages++ {
		p := b.open(t, next)
		if shown += strings.Count(p.body, "<li><strong>"); strings.Contains(p.body, "/ui/console/events") || pages > 9 {
			t.Fatalf("page %d leads to the log, or on and on:\n%s", pages, p.body)
		}
		next = ""
		if m := regexp.MustCompile(`href="(\?[^"]*)" rel="next"`).FindStringSubmatch(p.body); m != nil {
			next = s.Expand("/ui/console/orgs/$org/history") + html.UnescapeString(m[1])
		}
	}
	written := 0
	err := s.DB.Read(t.Context(), database.Query{
		SQL: "SELECT COUNT(*) FROM events WHERE aggregate_type = 'org' AND aggregate_id = ?", Args: []any{s.OrgID},
		Row: func(scan database.Scan) error { return scan(&written) },
	})
	if err != nil || shown != written {
		t.Errorf("%d of %d events are shown: %v", shown, written, err)
	}
}

// TestEventsInWords: the console says every event that can happen, and what it happens to, in
// every language; and it calls by name what it shows of a change.
func TestEventsInWords(t *testing.T) {
	t.Parallel()
	names, err := os.ReadFile("testdata/events.txt")
	if err != nil {
		t.Fatal(err)
	}
	s := testkit.Start(t)
	addAnn(t, s)
	fillConsole(t, s)
	s.Run(t,
		testkit.Call{Name: "ann administers", Do: "POST /admin/v1/members", Body: `{"userId":"$ann","roles":["IAM_OWNER"]}`, Events: []string{"instance.member.added"}},
		testkit.Call{Name: "one factor less", Do: "DELETE /admin/v1/policies/login/second_factors/SECOND_FACTOR_TYPE_OTP", Events: []string{"instance.policy.login.secondfactor.removed"}},
	)
	for language, says := range map[string][2]string{"en": {"Second factor turned off", "Authenticator app"}, "de": {"Zweiter Faktor ausgeschaltet", "Authenticator-App"}} {
		texts := map[string]string{}
		files, err := filepath.Glob("../internal/console/texts/" + language + ".*yaml")
		for _, file := range files {
			data, rerr := os.ReadFile(file)
			if err = errors.Join(err, rerr, yaml.Unmarshal(data, &texts)); err != nil {
				t.Fatal(err)
			}
		}
		for name := range strings.FieldsSeq(string(names)) {
			if texts["event-"+name] == "" {
				t.Errorf("%s has no words for %s", language, name)
			}
		}
		b := newBrowser(t, s)
		b.header.Set("Accept-Language", language)
		b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
		p := b.open(t, "/ui/console/events?type=instance.policy.login.secondfactor.removed")
		if !strings.Contains(p.body, "<strong>"+says[0]+"</strong>") || !strings.Contains(p.body, "<dd>"+says[1]+"</dd>") {
			t.Errorf("a factor that was removed, in %s:\n%s", language, p.body)
		}
		for _, kind := range regexp.MustCompile(`<option value="([a-z_]+)">([^<]*)</option>`).FindAllStringSubmatch(p.body, -1) {
			if kind[1] == kind[2] {
				t.Errorf("%s has no words for what %s happens to", language, kind[1])
			}
		}
	}
	b := newBrowser(t, s)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	if p := b.open(t, "/ui/console/events?type=org.member.added"); !strings.Contains(p.body, "<dd>Manager of settings</dd>") {
		t.Errorf("the roles of an administrator:\n%s", p.body)
	}
}

// TestConsoleElsewhere: a page about an organization shows nobody of another one.
func TestConsoleElsewhere(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	fillConsole(t, s)
	s.Run(t, testkit.Call{Name: "ann administers", Do: "POST /admin/v1/members", Body: `{"userId":"$ann","roles":["IAM_OWNER"]}`, Events: []string{"instance.member.added"}})
	b := newBrowser(t, s)
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword)
	for _, path := range []string{
		"/users/$bea", "/users/$bea/factors", "/users/$bea/profile", "/users/$bea/sessions", "/groups/$ringers", "/groups/$ringers/edit",
		"/projects/$tower", "/projects/$tower/roles", "/projects/$tower/history", "/projects/$tower/administrators", "/projects/$tower/administrators/$bea", "/projects/$tower/administrators-new/$robot",
		"/projects/$tower/grants/$acme/administrators", "/projects/$shop/apps/$app", "/projects/$shop/apps/$app/history"} {
		for org, status := range map[string]int{"$org": http.StatusOK, "$acme": http.StatusNotFound} {
			if p := b.open(t, s.Expand("/ui/console/orgs/"+org+path)); p.status != status {
				t.Errorf("%s of %s: status %d, want %d", path, org, p.status, status)
			}
		}
	}
}
