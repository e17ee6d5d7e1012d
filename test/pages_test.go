package test

import (
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestPageTexts holds the languages of the pages against each other: the same texts, with
// the same arguments.
func TestPageTexts(t *testing.T) {
	t.Parallel()
	read := func(file string) map[string]string {
		data, err := os.ReadFile(file)
		by := map[string]string{}
		if err == nil {
			err = yaml.Unmarshal(data, &by)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		return by
	}
	verbs := regexp.MustCompile(`%(?:\[\d+\])?[a-z%]`)
	folders, err := filepath.Glob("../internal/*/texts")
	if err != nil || len(folders) == 0 {
		t.Fatal("no texts", err)
	}
	for _, folder := range folders {
		files, err := filepath.Glob(folder + "/*.yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			language, part, _ := strings.Cut(filepath.Base(file), ".")
			if language == "en" {
				continue
			}
			other, english := read(file), read(folder+"/en."+part)
			for key, text := range english {
				switch translated, ok := other[key]; {
				case !ok:
					t.Errorf("%s has no %s", file, key)
				case !slices.Equal(verbs.FindAllString(text, -1), verbs.FindAllString(translated, -1)):
					t.Errorf("%s: %s has other arguments than in English", file, key)
				}
			}
			for key := range other {
				if _, ok := english[key]; !ok {
					t.Errorf("%s has %s, which English has not", file, key)
				}
			}
		}
	}
}

// walker opens every page that a page of ours leads to.
type walker struct {
	*browser
	prefix string
	seen   map[string]bool // by address, with what differs between rows taken out
	pages  []string
}

var (
	linkRE   = regexp.MustCompile(`href="([^"]*)"`)
	numberRE = regexp.MustCompile(`\d{6,}`)
)

// perKind is how many pages are opened whose addresses differ in ids only.
const perKind = 3

// walk opens the page at an address and all below the prefix that it leads to.
func (w *walker) walk(t *testing.T, address, from string) {
	t.Helper()
	kind := numberRE.ReplaceAllString(address, "n")
	nth := 0
	for nth < perKind && w.seen[kind+strings.Repeat("'", nth)] {
		nth++
	}
	if nth == perKind || w.seen[address] {
		return
	}
	w.seen[kind+strings.Repeat("'", nth)], w.seen[address] = true, true
	p := w.open(t, address)
	w.pages = append(w.pages, address)
	switch {
	case p.status != http.StatusOK:
		t.Errorf("%s, which %s leads to: status %d\n%s", address, from, p.status, p.body)
		return
	case strings.Contains(p.body, "⟦"):
		i := strings.Index(p.body, "⟦")
		t.Errorf("%s lacks the text %s", address, p.body[i:min(len(p.body), i+60)])
	case strings.Contains(p.body, `role="alert"`):
		t.Errorf("%s, which %s leads to, shows a problem:\n%s", address, from, p.body)
	case strings.Contains(p.body, "style=") || regexp.MustCompile(`<script>| on[a-z]+="`).MatchString(p.body):
		t.Errorf("%s holds code or styles inside", address)
	}
	for _, link := range linkRE.FindAllStringSubmatch(p.body, -1) {
		to := html.UnescapeString(link[1])
		if strings.HasPrefix(to, "?") {
			to, _, _ = strings.Cut(address, "?")
			to += html.UnescapeString(link[1])
		}
		if strings.HasPrefix(to, w.prefix) {
			w.walk(t, to, address)
		}
	}
}

// TestConsolePages opens every page of the console that people of several roles are led
// to, in both languages: each is there for them, and says all in their language.
func TestConsolePages(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	fillConsole(t, s)
	for _, role := range []string{"IAM_OWNER", "IAM_OWNER_VIEWER", "IAM_ADMIN_IMPERSONATOR", "ORG_OWNER", "ORG_OWNER_VIEWER", "ORG_USER_MANAGER", "ORG_PROJECT_CREATOR"} {
		path, events := "/admin/v1/members", "instance.member"
		if strings.HasPrefix(role, "ORG_") {
			path, events = "/management/v1/orgs/me/members", "org.member"
		}
		s.Run(t, testkit.Call{Name: role, Do: "POST " + path, Body: `{"userId":"$ann","roles":["` + role + `"]}`, Events: []string{events + ".added"}})
		for _, language := range []string{"en", "de"} {
			w := &walker{browser: newBrowser(t, s), prefix: "/ui/console/", seen: map[string]bool{}}
			w.header.Set("Accept-Language", language)
			w.submit(t, w.toPassword(t), "password", "proof", annsPassword)
			w.walk(t, "/ui/console/", role)
			if testing.Verbose() {
				t.Logf("%s: %d pages", role, len(w.pages))
			}
			if role == "IAM_OWNER" && len(w.pages) < 10 {
				t.Errorf("an owner is led to %d pages only: %v", len(w.pages), w.pages)
			}
		}
		s.Run(t, testkit.Call{Name: role + " ends", Do: "DELETE " + path + "/$ann", Events: []string{events + ".removed"}})
	}
}

// fillConsole makes something of everything that the console shows.
func fillConsole(t *testing.T, s *testkit.Server) {
	t.Helper()
	s.Run(t,
		testkit.Call{Name: "project", Do: "POST /management/v1/projects", Body: `{"name":"Shop"}`, Keep: map[string]string{"shop": "id"}, Events: []string{"project.added", "project.member.added"}},
		testkit.Call{Name: "role", Do: "POST /management/v1/projects/$shop/roles", Body: `{"roleKey":"editor","displayName":"Editor"}`, Events: []string{"project.role.added"}},
		testkit.Call{
			Name: "application", Do: "POST /management/v1/projects/$shop/apps/oidc", Events: []string{"project.application.added", "project.application.config.oidc.added"}, Keep: map[string]string{"app": "appId"},
			Body: `{"name":"Web","redirectUris":["http://shop.example/back"],"responseTypes":["OIDC_RESPONSE_TYPE_CODE"],"grantTypes":["OIDC_GRANT_TYPE_AUTHORIZATION_CODE"],"authMethodType":"OIDC_AUTH_METHOD_TYPE_BASIC"}`,
		},
		testkit.Call{
			Name: "API", Do: "POST /management/v1/projects/$shop/apps/api", Body: `{"name":"Stock","authMethodType":"API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"}`,
			Events: []string{"project.application.added", "project.application.config.api.added"},
		},
		testkit.Call{
			Name: "mail server", Do: "POST /admin/v1/email/smtp", Body: `{"senderAddress":"id@gatehouse.localhost","senderName":"Gatehouse","host":"localhost:2525"}`, Events: []string{"instance.smtp.config.added"},
		},
		testkit.Call{
			Name: "Twilio", Do: "POST /admin/v1/sms/twilio", Body: `{"sid":"AC1","token":"t","senderNumber":"+41791234567"}`, Events: []string{"instance.sms.configtwilio.added"},
		},
		testkit.Call{Name: "trusted", Do: "POST /admin/v1/trusted_domains", Body: `{"domain":"login.example.com"}`, Events: []string{"instance.trusted_domains.added"}},
		testkit.Call{Name: "key", Do: "POST /management/v1/projects/$shop/apps/$app/keys", Body: `{"type":"KEY_TYPE_JSON"}`, Events: []string{"project.application.oidc.key.added"}},
	)
	s.Run(t, testkit.Call{Name: "another organization", Do: "POST /v2/organizations", Body: `{"name":"Acme"}`, Status: 201, Keep: map[string]string{"acme": "organizationId"}, Events: []string{"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set", "org.member.added"}})
	fillPeople(t, s)
}
