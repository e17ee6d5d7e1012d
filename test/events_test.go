package test

import (
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

func TestEventSearch(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const search = "POST /admin/v1/events/_search"
	s.Run(t,
		testkit.Call{
			Name: "an organization", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`,
			Keep: map[string]string{"acme": "id"}, Events: []string{"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set", "org.member.added"},
		},
		testkit.Call{Name: "renamed", Do: "PUT /management/v1/orgs/me", In: "$acme", Body: `{"name":"Acme Ltd"}`, Events: []string{"org.changed"}},
		testkit.Call{
			Name: "newest first", Do: search, Body: `{"aggregateId":"$acme","limit":2}`,
			Want: `{"events":[{"type":{"type":"org.changed"},"payload":{"name":"Acme Ltd"},"editor":{"userId":"$owner","displayName":"admin"},
				"aggregate":{"id":"$acme","type":{"type":"org"},"resourceOwner":"$acme"},"creationDate":"*"},{"type":{"type":"org.member.added"}}]}`,
			Keep: map[string]string{"sequence": "events.1.sequence", "time": "events.1.creationDate"},
		},
		testkit.Call{
			Name: "the page after it", Do: search, Body: `{"aggregateId":"$acme","sequence":"$sequence"}`,
			Want: `{"events":[{"type":{"type":"org.domain.primary.set"}},{"type":{"type":"org.domain.verified"}},{"type":{"type":"org.domain.added"}},{"type":{"type":"org.added"}}]}`,
		},
		testkit.Call{
			Name: "oldest first", Do: search, Body: `{"aggregateId":"$acme","asc":true,"limit":1}`,
			Want: `{"events":[{"type":{"type":"org.added"},"sequence":"1"}]}`,
		},
		testkit.Call{
			Name: "by type and owner", Do: search, Body: `{"eventTypes":["org.changed","org.added"],"resourceOwner":"$acme"}`,
			Want: `{"events":[{"type":{"type":"org.changed"}},{"type":{"type":"org.added"}}]}`,
		},
		testkit.Call{Name: "by editor", Do: search, Body: `{"editorUserId":"nobody"}`, Want: `{"events":null}`},
		testkit.Call{
			Name: "by aggregate type and time", Do: search, Body: `{"aggregateTypes":["org"],"asc":true,"from":"$time"}`,
			Want: `{"events":[{"type":{"type":"org.changed"}}]}`,
		},
		testkit.Call{
			Name: "by a range of times", Do: search, Body: `{"aggregateId":"$acme","range":{"since":"2000-01-01T00:00:00Z","until":"2000-01-02T00:00:00Z"}}`,
			Want: `{"events":null}`,
		},
		testkit.Call{Name: "too many", Do: search, Body: `{"limit":1001}`, Status: 400},
		testkit.Call{Name: "types of events", Do: "POST /admin/v1/events/types/_search", Keep: map[string]string{"type": "eventTypes.0.type"}},
		testkit.Call{Name: "types of aggregates", Do: "POST /admin/v1/aggregates/types/_search", Keep: map[string]string{"type": "aggregateTypes.0.type"}},
	)
}

func TestChangeHistories(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	machine(t, s, s.OrgID, "robot", "ORG_OWNER")
	foreign := newOrg(t, s, "Foreign")
	s.Run(t,
		testkit.Call{
			Name: "of an organization", Do: "POST /management/v1/orgs/me/changes/_search", Body: `{"query":{"limit":1}}`,
			Want: `{"result":[{"eventType":{"key":"org.member.added"},"editorId":"SYSTEM","changeDate":"*","resourceOwnerId":"$org"}]}`,
		},
		testkit.Call{
			Name: "of a user", Do: "POST /management/v1/users/$owner/changes/_search", Body: `{"query":{"asc":true}}`,
			Want: `{"result":[{"eventType":{"key":"user.machine.added"}},{"eventType":{"key":"user.pat.added"}}]}`,
		},
		testkit.Call{Name: "of another organization's user", Do: "POST /management/v1/users/$owner/changes/_search", In: foreign, Want: `{"result":null}`},
		testkit.Call{Name: "of oneself", As: "robot", Do: "POST /auth/v1/users/me/changes/_search", Want: `{"result":[{"eventType":{"key":"user.pat.added"}},{"eventType":{"key":"user.machine.added"}}]}`},
	)
}

// TestEventsKeepSecrets: the log holds what proves that a token is right, and
// shows it to nobody.
func TestEventsKeepSecrets(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t, testkit.Call{
		Name: "a token", Do: "POST /management/v1/users/$owner/pats", Token: "token", KeepAs: "second",
		Events: []string{"user.pat.added"},
	})
	r := s.Send(t, testkit.Call{Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["user.pat.added"]}`})
	text := string(r.Body)
	if !strings.Contains(text, "tokenId") || strings.Contains(text, "hash") || strings.Contains(text, s.TokenOf(t, "second")) {
		t.Errorf("events: %s", text)
	}
}

func TestViews(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	const views = "POST /admin/v1/views/_search"
	read := func() map[string]any {
		t.Helper()
		list, _ := s.Send(t, testkit.Call{Do: views}).JSON(t).(map[string]any)["result"].([]any)
		byName := map[string]any{}
		for _, v := range list {
			view, _ := v.(map[string]any)
			byName[view["viewName"].(string)] = view["processedSequence"]
		}
		return byName
	}
	before := read()
	s.Run(t,
		testkit.Call{Name: "a write", Do: "PUT /admin/v1/policies/login", Body: `{"forceMfa":true}`, Events: []string{"instance.policy.login.changed"}},
		testkit.Call{Name: "no failures", Do: "POST /admin/v1/failedevents/_search", Want: `{"result":null}`},
		testkit.Call{Name: "not the organization's", As: "acme", Do: views, Status: 403},
		testkit.Call{Name: "nor the failures", As: "acme", Do: "POST /admin/v1/failedevents/_search", Status: 403},
	)
	after := read()
	for _, name := range []string{"policies", "orgs", "users"} {
		if before[name] == nil || after[name] == before[name] {
			t.Errorf("%s: from %v to %v", name, before[name], after[name])
		}
	}
}

// TestAggregateTypes: each type that is listed is one that events have.
func TestAggregateTypes(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t, testkit.Call{
		Name: "settings", Do: "POST /v2/settings/organization", Body: `{"organizationId":"$org","organizationScopedUsernames":true}`,
		Events: []string{"settings.organization.set", "org.user.names.scope.changed"},
	})
	text := string(s.Send(t, testkit.Call{Do: "POST /admin/v1/aggregates/types/_search"}).Body)
	for _, name := range []string{"org", "instance", "user", "organization_settings"} {
		if !strings.Contains(text, `"type":"`+name+`"`) {
			t.Errorf("%s is missing: %s", name, text)
		}
		s.Set("type", name)
		s.Check(t, testkit.Call{Do: "POST /admin/v1/events/_search", Body: `{"aggregateTypes":["$type"],"limit":1}`, Want: `{"events":[{"aggregate":{"type":{"type":"$type"}}}]}`})
	}
	if strings.Contains(text, `"settings"`) {
		t.Errorf("there is no such type: %s", text)
	}
}
