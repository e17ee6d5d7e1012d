// Package test looks at Gatehouse from outside: scenarios over every protocol,
// and the laws that hold for the whole of it.
package test

import (
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

func TestOrgs(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t,
		testkit.Call{
			Name: "add", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`,
			Want: `{"id":"*","details":{"creationDate":"*","changeDate":null}}`, Keep: map[string]string{"acme": "id"},
			Events: []string{"org.added", "org.member.added"},
		},
		testkit.Call{Name: "rename", Do: "PUT /management/v1/orgs/me", In: "$acme", Body: `{"name":"Acme Ltd"}`, Events: []string{"org.changed"}},
		testkit.Call{Name: "get", Do: "GET /management/v1/orgs/me", In: "$acme", Want: `{"org":{"id":"$acme","name":"Acme Ltd","state":"ORG_STATE_ACTIVE"}}`},
		testkit.Call{Name: "nobody", Do: "GET /management/v1/orgs/me", As: "nobody", Status: 401, Want: `{"code":16}`},
	)
}
