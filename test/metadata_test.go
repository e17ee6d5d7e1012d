package test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestMetadata pins the same things to an organization and to a user.
func TestMetadata(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t, testkit.Call{Name: "add", Do: "POST /management/v1/orgs", Body: `{"name":"Acme"}`, Keep: map[string]string{"acme": "id"}, Events: orgAdded})
	addMachine(t, s, "$acme", "robot", "")
	addMachine(t, s, "$acme", "viewer", "ORG_OWNER_VIEWER")
	for _, o := range []struct{ kind, path string }{
		{"org", "/management/v1/metadata"},
		{"user", "/management/v1/users/$robot/metadata"},
	} {
		set, removed := o.kind+".metadata.set", o.kind+".metadata.removed"
		long := strings.Repeat("k", 201)
		big := base64.StdEncoding.EncodeToString(make([]byte, 500_001))
		t.Run(o.kind, func(t *testing.T) {
			s.Run(t,
				testkit.Call{Name: "set", Do: "POST " + o.path + "/Color", In: "$acme", Body: `{"value":"Z3JlZW4="}`, Want: `{"details":{"changeDate":"*","sequence":"*","resourceOwner":"$acme"}}`, Events: []string{set}},
				testkit.Call{Name: "get", Do: "GET " + o.path + "/Color", In: "$acme", Want: `{"metadata":{"key":"Color","value":"Z3JlZW4=","details":{"creationDate":"*","changeDate":"*"}}}`},
				testkit.Call{Name: "the same again", Do: "POST " + o.path + "/Color", In: "$acme", Body: `{"value":"Z3JlZW4="}`},
				testkit.Call{Name: "another value", Do: "POST " + o.path + "/Color", In: "$acme", Body: `{"value":"/wA="}`, Events: []string{set}},
				testkit.Call{Name: "bytes come back as they were", Do: "GET " + o.path + "/Color", In: "$acme", Want: `{"metadata":{"value":"/wA="}}`},
				testkit.Call{Name: "keys differ by case", Do: "GET " + o.path + "/color", In: "$acme", Status: 404},
				testkit.Call{Name: "no value", Do: "POST " + o.path + "/x", In: "$acme", Body: `{}`, Status: 400},
				testkit.Call{Name: "a key too long", Do: "POST " + o.path + "/" + long, In: "$acme", Body: `{"value":"eA=="}`, Status: 400},
				testkit.Call{Name: "a value too large", Do: "POST " + o.path + "/x", In: "$acme", Body: `{"value":"` + big + `"}`, Status: 400},
				testkit.Call{
					Name: "set several", Do: "POST " + o.path + "/_bulk", In: "$acme",
					Body: `{"metadata":[{"key":"colors/dark","value":"YQ=="},{"key":"size","value":"YQ=="},{"key":"Color","value":"/wA="}]}`, Events: []string{set, set},
				},
				testkit.Call{Name: "set none", Do: "POST " + o.path + "/_bulk", In: "$acme", Body: `{}`, Status: 400},
				testkit.Call{
					Name: "list", Do: "POST " + o.path + "/_search", In: "$acme", Body: `{"query":{"asc":true}}`,
					Want: `{"details":{"totalResult":"3"},"result":[{"key":"Color"},{"key":"colors/dark"},{"key":"size","value":"YQ=="}]}`,
				},
				testkit.Call{
					Name: "list by key", Do: "POST " + o.path + "/_search", In: "$acme", Want: `{"details":{"totalResult":"2"},"result":[{"key":"Color"}]}`,
					Body: `{"query":{"asc":true,"limit":1},"queries":[{"keyQuery":{"key":"COLOR","method":"TEXT_QUERY_METHOD_STARTS_WITH_IGNORE_CASE"}}]}`,
				},
				testkit.Call{Name: "remove", Do: "DELETE " + o.path + "/size", In: "$acme", Events: []string{removed}},
				testkit.Call{Name: "remove again", Do: "DELETE " + o.path + "/size", In: "$acme", Status: 404},
				testkit.Call{Name: "remove several, one of them missing", Do: "DELETE " + o.path + "/_bulk", In: "$acme", Body: `{"keys":["Color","size"]}`, Status: 404},
				testkit.Call{Name: "all or none", Do: "GET " + o.path + "/Color", In: "$acme"},
				testkit.Call{Name: "remove several", Do: "DELETE " + o.path + "/_bulk", In: "$acme", Body: `{"keys":["Color","colors/dark"]}`, Events: []string{removed, removed}},
				testkit.Call{Name: "none left", Do: "POST " + o.path + "/_search", In: "$acme", Body: `{}`, Want: `{"result":null}`},
				testkit.Call{Name: "a viewer sets nothing", As: "viewer", Do: "POST " + o.path + "/x", Body: `{"value":"eA=="}`, Status: 403},
				testkit.Call{Name: "a viewer looks", As: "viewer", Do: "POST " + o.path + "/_search", Body: `{}`},
				testkit.Call{Name: "nobody else does", As: "robot", Do: "POST " + o.path + "/_search", Body: `{}`, Status: 404},
				testkit.Call{Name: "left behind", Do: "POST " + o.path + "/left", In: "$acme", Body: `{"value":"eA=="}`, Events: []string{set}},
			)
		})
	}
	s.Run(t,
		testkit.Call{Name: "users read their own", As: "robot", Do: "GET /auth/v1/users/me/metadata/left", Want: `{"metadata":{"value":"eA=="}}`},
		testkit.Call{Name: "and list it", As: "robot", Do: "POST /auth/v1/users/me/metadata/_search", Body: `{}`, Want: `{"result":[{"key":"left"}]}`},
		testkit.Call{Name: "of a user elsewhere", Do: "GET /management/v1/users/$robot/metadata/left", Status: 404},
		testkit.Call{Name: "of no user", Do: "POST /management/v1/users/1/metadata/x", Body: `{"value":"eA=="}`, Status: 404},
		testkit.Call{
			Name: "v2 sets", Do: "POST /v2/organizations/$acme/metadata", Body: `{"metadata":[{"key":"a","value":"YQ=="},{"key":"b","value":"Yg=="}]}`,
			Want: `{"setDate":"*"}`, Events: []string{"org.metadata.set", "org.metadata.set"},
		},
		testkit.Call{
			Name: "v2 lists", Do: "POST /v2/organizations/$acme/metadata/search", Body: `{"pagination":{"limit":2,"asc":true}}`,
			Want: `{"pagination":{"totalResult":"3","appliedLimit":"2"},"metadata":[{"key":"a","value":"YQ==","creationDate":"*","changeDate":"*"},{"key":"b"}]}`,
		},
		testkit.Call{
			Name: "v2 filters", Do: "POST /v2/organizations/$acme/metadata/search", Body: `{"filters":[{"keyFilter":{"key":"b"}}]}`,
			Want: `{"pagination":{"totalResult":"1","appliedLimit":"100"},"metadata":[{"key":"b"}]}`,
		},
		testkit.Call{Name: "v2 removes", Do: "DELETE /v2/organizations/$acme/metadata?keys=a&keys=b", Want: `{"deletionDate":"*"}`, Events: []string{"org.metadata.removed", "org.metadata.removed"}},
		testkit.Call{Name: "v2 removes nothing", Do: "DELETE /v2/organizations/$acme/metadata", Status: 400},
		testkit.Call{Name: "v2 keeps strangers out", As: "robot", Do: "POST /v2/organizations/$acme/metadata/search", Body: `{}`, Status: 404},
		testkit.Call{Name: "the organization takes it all along", Do: "DELETE /v2/organizations/$acme", Events: []string{"org.removed", "user.removed", "user.removed"}},
	)
}
