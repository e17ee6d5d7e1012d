package test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestConsoleClears: a text that is emptied in a form is gone, and one that was empty keeps
// nobody from saving the others.
func TestConsoleClears(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	s.Run(t,
		annAdministers,
		testkit.Call{Name: "group", Do: "POST /zitadel.group.v2.GroupService/CreateGroup", Body: `{"organizationId":"$org","name":"Staff","description":"All"}`, Keep: map[string]string{"staff": "id"}, Events: []string{"group.added"}},
	)
	b := newBrowser(t, s)
	b.header.Set("User-Agent", strings.Repeat("é", 700)) // What is too long keeps nobody out.
	b.submit(t, b.toPassword(t), "password", "proof", annsPassword).at(t, "enrol")
	save := func(path string, form url.Values, want string) {
		t.Helper()
		if p := b.do(t, http.MethodPost, s.URL+s.Expand("/ui/console/orgs/$org/"+path), form); p.status != http.StatusOK || !strings.Contains(p.url.RawQuery, "done=saved") {
			t.Errorf("%v: %d %s\n%s", form, p.status, p.url, p.body)
		}
		s.Run(t, testkit.Call{Name: "group", Do: "POST /zitadel.group.v2.GroupService/GetGroup", Body: `{"id":"$staff"}`, Want: want})
	}
	save("groups/$staff/edit", url.Values{"name": {"Staff"}, "description": {""}}, `{"group":{"name":"Staff","description":null}}`)
	save("groups/$staff/edit", url.Values{"name": {"Everybody"}, "description": {""}}, `{"group":{"name":"Everybody","description":null}}`)
	s.Run(t, testkit.Call{Name: "nickname", Do: "PUT /management/v1/users/$ann/profile", Body: `{"firstName":"Ann","lastName":"Lee","nickName":"Annie","displayName":"Ann Lee","preferredLanguage":"en"}`, Events: []string{"user.human.profile.changed"}})
	p := b.do(t, http.MethodPost, s.URL+s.Expand("/ui/console/orgs/$org/users/$ann/profile"), url.Values{"first_name": {"Ann"}, "last_name": {"Lee"}, "nick_name": {""}, "display_name": {"Ann Lee"}})
	if p.status != http.StatusOK {
		t.Errorf("the nickname: %d %s\n%s", p.status, p.url, p.body)
	}
	s.Run(t,
		testkit.Call{Name: "no nickname", Do: "GET /v2/users/$ann", Want: `{"user":{"human":{"profile":{"nickName":""}}}}`},
		testkit.Call{Name: "a nickname", Do: "PATCH /v2/users/$ann", Body: `{"human":{"profile":{"nickName":"Annie"}}}`, Events: []string{"user.human.profile.changed"}},
		testkit.Call{Name: "and none", Do: "PATCH /v2/users/$ann", Body: `{"human":{"profile":{"nickName":" "}}}`, Events: []string{"user.human.profile.changed"}},
		testkit.Call{Name: "no nickname again", Do: "GET /v2/users/$ann", Want: `{"user":{"human":{"profile":{"nickName":""}}}}`},
	)
}
