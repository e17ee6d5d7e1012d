package test

import (
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

func TestOrgs(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t,
		testkit.Call{Name: "healthz", Do: "GET /management/v1/healthz", As: "nobody", Want: `{}`},
		testkit.Call{Name: "admin healthz", Do: "GET /admin/v1/healthz", As: "nobody", Want: `{}`},
		testkit.Call{
			Name: "add", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`,
			Want: `{"id":"*","details":{"sequence":"*","creationDate":"*","changeDate":null,"resourceOwner":"*"}}`,
			Keep: map[string]string{"acme": "id"}, Events: []string{"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set", "org.member.added"},
		},
		testkit.Call{Name: "add without a name", Do: "POST /management/v1/orgs", Body: `{}`, Status: 400},
		testkit.Call{Name: "rename", Do: "PUT /management/v1/orgs/me", In: "$acme", Body: `{"name":"Acme Ltd"}`, Events: []string{"org.changed"}},
		testkit.Call{Name: "rename to the same", Do: "PUT /management/v1/orgs/me", In: "$acme", Body: `{"name":"Acme Ltd"}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{
			Name: "get", Do: "GET /management/v1/orgs/me", In: "$acme",
			Want: `{"org":{"id":"$acme","name":"Acme Ltd","state":"ORG_STATE_ACTIVE"}}`,
		},
		testkit.Call{Name: "nobody", Do: "GET /management/v1/orgs/me", As: "nobody", Status: 401, Want: `{"code":16}`},
	)
	t.Run("what an organization's state does to its tokens", func(t *testing.T) {
		s.Run(t,
			testkit.Call{
				Name: "a machine", Do: "POST /management/v1/users/machine", In: "$acme", Body: `{"userName":"robot","name":"Robot"}`,
				Keep: map[string]string{"robot": "userId"}, Events: []string{"user.machine.added"},
			},
			testkit.Call{
				Name: "its token", Do: "POST /management/v1/users/$robot/pats", In: "$acme", Token: "token", KeepAs: "robot",
				Keep: map[string]string{"pat": "tokenId"}, Events: []string{"user.pat.added"},
			},
			testkit.Call{
				Name: "makes it an owner", Do: "POST /management/v1/orgs/me/members", In: "$acme",
				Body: `{"userId":"$robot","roles":["ORG_OWNER"]}`, Events: []string{"org.member.added"},
			},
			testkit.Call{Name: "it reads", As: "robot", Do: "GET /management/v1/orgs/me", Want: `{"org":{"id":"$acme"}}`},
			testkit.Call{Name: "deactivate", Do: "POST /management/v1/orgs/me/_deactivate", In: "$acme", Body: `{}`, Events: []string{"org.deactivated"}},
			testkit.Call{Name: "refused", As: "robot", Do: "GET /management/v1/orgs/me", Status: 401},
			testkit.Call{Name: "reactivate", Do: "POST /management/v1/orgs/me/_reactivate", In: "$acme", Body: `{}`, Events: []string{"org.reactivated"}},
			testkit.Call{Name: "it reads again", As: "robot", Do: "GET /management/v1/orgs/me"},
			testkit.Call{
				Name: "fewer roles count at once", Do: "PUT /management/v1/orgs/me/members/$robot", In: "$acme",
				Body: `{"roles":["ORG_OWNER_VIEWER"]}`, Events: []string{"org.member.changed"},
			},
			testkit.Call{Name: "cannot write", As: "robot", Do: "PUT /management/v1/orgs/me", Body: `{"name":"Mine"}`, Status: 403, Want: `{"code":7}`},
			testkit.Call{Name: "remove the token", Do: "DELETE /management/v1/users/$robot/pats/$pat", In: "$acme", Events: []string{"user.pat.removed"}},
			testkit.Call{Name: "gone", As: "robot", Do: "GET /management/v1/orgs/me", Status: 401},
		)
	})
	s.Run(t, testkit.Call{
		Name: "remove", Do: "DELETE /management/v1/orgs/me", In: "$acme",
		Events: []string{"org.removed", "user.removed"},
	})
}
