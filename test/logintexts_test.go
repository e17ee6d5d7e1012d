package test

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	textpb "github.com/gatehouse/gatehouse/gen/zitadel/text/v1"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// sets are the events of n texts at a level.
func sets(level string, n int) []string { return slices.Repeat([]string{level + ".customtext.set"}, n) }

// TestLoginTexts: what the login pages say is built in, replaced by the instance, replaced by
// an organization text by text, and back again. A text that no page shows is kept too.
func TestLoginTexts(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const admin, org = "/admin/v1/text/login/de", "/management/v1/text/login/de"
	s.Run(t,
		testkit.Call{Name: "built in", Do: "GET /admin/v1/text/default/login/de-CH", Want: `{"customText":{"loginText":{"title":"Anmelden","description":null,"nextButtonText":"Weiter"},"passwordText":{"minLength":"Mindestens %d Zeichen"},"usernameChangeText":null,"isDefault":true}}`},
		testkit.Call{Name: "in no language that we have", Do: "GET /admin/v1/text/login/fr", Want: `{"customText":{"loginText":{"title":"Log in"},"isDefault":true}}`},
		testkit.Call{Name: "not a language", Do: "GET " + admin + "!", Status: 400},
		testkit.Call{Name: "set", Do: "PUT " + admin, Body: `{"loginText":{"title":"Instanz","description":"Grüße"},"usernameChangeText":{"title":"Name"}}`, Events: sets("instance", 3)},
		testkit.Call{Name: "again", Do: "PUT " + admin, Body: `{"loginText":{"title":"Instanz","description":"Grüße"},"usernameChangeText":{"title":"Name"}}`},
		testkit.Call{Name: "shown", Do: "GET " + admin, Want: `{"customText":{"loginText":{"title":"Instanz","description":"Grüße","nextButtonText":"Weiter"},"usernameChangeText":{"title":"Name"},"isDefault":null,"details":{"changeDate":"*"}}}`},
		testkit.Call{Name: "the built-in ones stay", Do: "GET /admin/v1/text/default/login/de", Want: `{"customText":{"loginText":{"title":"Anmelden"}}}`},
		testkit.Call{Name: "inherited", Do: "GET " + org, Want: `{"customText":{"loginText":{"title":"Instanz"},"isDefault":true}}`},
		testkit.Call{Name: "the organization's own", Do: "PUT " + org, Body: `{"loginText":{"title":"Firma"}}`, Events: sets("org", 1)},
		testkit.Call{Name: "over the instance's", Do: "GET " + org, Want: `{"customText":{"loginText":{"title":"Firma","description":"Grüße","nextButtonText":"Weiter"},"isDefault":null}}`},
		testkit.Call{Name: "the default", Do: "GET /management/v1/text/default/login/de", Want: `{"customText":{"loginText":{"title":"Instanz"},"isDefault":true}}`},
		testkit.Call{Name: "another language", Do: "GET /management/v1/text/login/en", Want: `{"customText":{"loginText":{"title":"Log in"},"isDefault":true}}`},
		testkit.Call{Name: "what is not said goes", Do: "PUT " + org, Body: `{"loginText":{"description":"Hier"}}`, Events: []string{"org.customtext.set", "org.customtext.removed"}},
		testkit.Call{Name: "is inherited", Do: "GET " + org, Want: `{"customText":{"loginText":{"title":"Instanz","description":"Hier"}}}`},
		testkit.Call{Name: "too long", Do: "PUT " + org, Body: `{"loginText":{"title":"` + strings.Repeat("ü", 201) + `"}}`, Status: 400},
		testkit.Call{Name: "as long as it can be", Do: "PUT " + org, Body: `{"loginText":{"title":"` + strings.Repeat("ü", 200) + `"}}`, Events: []string{"org.customtext.removed", "org.customtext.set"}},
		testkit.Call{Name: "no character", Do: "PUT " + org, Body: `{"loginText":{"title":"a\u0000b"}}`, Status: 400},
		testkit.Call{Name: "reset", Do: "DELETE " + org, Events: []string{"org.customtext.template.removed"}},
		testkit.Call{Name: "once", Do: "DELETE " + org, Status: 404},
		testkit.Call{Name: "reset the instance's", Do: "DELETE " + admin, Events: []string{"instance.customtext.template.removed"}},
		testkit.Call{Name: "built in again", Do: "GET " + org, Want: `{"customText":{"loginText":{"title":"Anmelden"},"usernameChangeText":null,"isDefault":true}}`},
	)
}

// TestEveryLoginText: each field of each screen is kept by itself.
func TestEveryLoginText(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	var body []string
	count := 0
	screens := (&textpb.LoginCustomText{}).ProtoReflect().Descriptor().Fields()
	for i := range screens.Len() {
		screen := screens.Get(i)
		if screen.Message() == nil || screen.Name() == "details" {
			continue
		}
		var fields []string
		for j := range screen.Message().Fields().Len() {
			fields = append(fields, fmt.Sprintf("%q:%q", screen.Message().Fields().Get(j).JSONName(), string(screen.Name())[:5]+fmt.Sprint(j)))
			count++
		}
		body = append(body, fmt.Sprintf("%q:{%s}", screen.JSONName(), strings.Join(fields, ",")))
	}
	all := "{" + strings.Join(body, ",") + "}"
	s.Run(t,
		testkit.Call{Name: "set all", Do: "PUT /management/v1/text/login/en", Body: all, Events: sets("org", count)},
		testkit.Call{Name: "read all", Do: "GET /management/v1/text/login/en", Want: `{"customText":` + all + `}`},
	)
	if count != 225 {
		t.Errorf("there are %d texts", count)
	}
}

// TestLoginTextsOfPages: the pages say what the organization wrote, else what the instance
// wrote, else what is ours, in each language by itself, and ask the database no more often.
func TestLoginTextsOfPages(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	german := newBrowser(t, s)
	german.header.Set("Accept-Language", "de-CH, de;q=0.9")
	english := newBrowser(t, s)
	trips := func() int64 {
		before := s.Trips()
		english.open(t, "/ui/login/login?new=true")
		return s.Trips() - before
	}
	before := trips()
	german.open(t, "/ui/login/login").at(t, "login", "<h1>Anmelden</h1>", "Weiter")
	s.Run(t,
		testkit.Call{Name: "the instance's", Do: "PUT /admin/v1/text/login/de", Body: `{"loginText":{"title":"Instanz","description":"Willkommen bei uns","nextButtonText":"Los"},"passwordText":{"title":"Kennwort der Instanz","nextButtonText":"Hinein"},"initPasswordText":{"title":"Instanz"},"passwordResetDoneText":{"title":"Post ist da","description":"Bitte nachsehen","nextButtonText":"Zurück"}}`, Events: sets("instance", 9)},
		testkit.Call{Name: "of a form of the language", Do: "PUT /admin/v1/text/login/de-CH", Body: `{"loginText":{"loginNameLabel":"Grüezi"}}`, Events: sets("instance", 1)},
		testkit.Call{Name: "the organization's", Do: "PUT /management/v1/text/login/de", Body: `{"loginText":{"title":"Firma"},"passwordText":{"title":"Kennwort der Firma"},"initPasswordText":{"title":"Neues von der Firma"}}`, Events: sets("org", 3)},
		testkit.Call{Name: "English", Do: "PUT /management/v1/text/login/en", Body: `{"passwordText":{"passwordLabel":"Your secret","resetLinkText":"Lost it?"},"loginText":{"title":"Firm"}}`, Events: sets("org", 3)},
	)
	if after := trips(); after > before {
		t.Errorf("the page asks the database %d times, and %d times before", after, before)
	}
	p := german.open(t, "/ui/login/login?new=true").at(t, "login", "<h1>Instanz</h1>", "<title>Instanz</title>", "<p>Willkommen bei uns</p>", "<button>Los</button>", "<label>Grüezi<")
	german.submit(t, p, "login", "loginName", "ann").at(t, "password", "<h1>Kennwort der Firma</h1>", "<button>Hinein</button>", "<label>Passwort<")
	english.toPassword(t).at(t, "password", "<h1>Password</h1>", "<label>Your secret<", ">Lost it?</a>", "<button>Go on</button>")
	english.open(t, "/ui/login/login?new=true").at(t, "login", "<h1>Log in</h1>") // Nobody has said yet of which organization they are.
	german.open(t, "/ui/login/password/init?userID=$&orgID="+s.Var("org")).at(t, "password/init", "<h1>Neues von der Firma</h1>", "<button>Weiter</button>")
	german.open(t, "/ui/login/password/init?userID=$&orgID=1").at(t, "password/init", "<h1>Instanz</h1>")
	german.submit(t, german.open(t, "/ui/login/password/forgotten"), "password/forgotten", "loginName", "nobody").at(t, "password/forgotten", "<h1>Post ist da</h1>", "Bitte nachsehen", ">Zurück</button>")
	s.Run(t,
		testkit.Call{Name: "reset", Do: "DELETE /management/v1/text/login/de", Events: []string{"org.customtext.template.removed"}},
		testkit.Call{Name: "and the instance's", Do: "DELETE /admin/v1/text/login/de", Events: []string{"instance.customtext.template.removed"}},
	)
	german.toPassword(t).at(t, "password", "<h1>Passwort</h1>", "<button>Weiter</button>")
}

// TestLoginTextsAreWords: whatever a text holds, it is shown and does nothing.
func TestLoginTextsAreWords(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const (
		bad   = `</title></h1><script>alert(1)</script>\" onload=\"x %s %d %n%!(EXTRA) {{.Org}} {{template \"login\"}}`
		shown = `&lt;/title&gt;&lt;/h1&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#34; onload=&#34;x %s %d %n%!(EXTRA) {{.Org}} {{template &#34;login&#34;}}`
	)
	s.Run(t,
		testkit.Call{
			Name: "set", Do: "PUT /admin/v1/text/login/en", Events: sets("instance", 6),
			Body: `{"loginText":{"title":"` + bad + `","loginNamePlaceholder":"` + bad + `","nextButtonText":"` + bad[:60] + `"},"passwordText":{"minLength":"%d of %s <b>","hasLowercase":"%d%%"},"footerText":{"help":"` + bad + `"}}`,
		},
		testkit.Call{Name: "a link", Do: "PUT /admin/v1/policies/privacy", Body: `{"helpLink":"https://example.com/help"}`, Events: []string{"instance.policy.privacy.changed"}},
	)
	b := newBrowser(t, s)
	p := b.open(t, "/ui/login/login").at(t, "login", "<h1>"+shown+"</h1>", "<title>"+shown+"</title>", `placeholder="`+shown+`"`, `rel="noreferrer">`+shown+"</a>")
	if strings.Contains(p.body, "<script>") {
		t.Errorf("the page runs what somebody wrote:\n%s", p.body)
	}
	p = b.open(t, "/ui/login/password/init?userID=1&orgID=1").at(t, "password/init", `<p id="rules">8 of %s &lt;b&gt;, %d%%, `)
	if p.status != http.StatusOK {
		t.Errorf("status %d", p.status)
	}
}

// TestLoginTextsDocument: the document names the texts that are shown, and no others.
func TestLoginTextsDocument(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/login-texts.md")
	if err != nil {
		t.Fatal(err)
	}
	named := map[string]bool{}
	for _, line := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (.*) \\|$").FindAllStringSubmatch(string(data), -1) {
		for field := range strings.SplitSeq(line[2], ", ") {
			named[line[1]+"."+field] = true
		}
	}
	screens := (&textpb.LoginCustomText{}).ProtoReflect().Descriptor().Fields()
	for i := range screens.Len() {
		if m := screens.Get(i).Message(); m != nil {
			for j := range m.Fields().Len() {
				key := string(screens.Get(i).Name() + "." + m.Fields().Get(j).Name())
				if policy.IsShown(policy.LoginTexts, key) != named[key] {
					t.Errorf("%s: the document says %v", key, named[key])
				}
				delete(named, key)
			}
		}
	}
	for key := range named {
		t.Errorf("the contract has no %s", key)
	}
}
