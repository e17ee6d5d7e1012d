package test

import (
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

func TestPolicyService(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	const enforcement, erasure, preview = "/gatehouse/v1/policies/enforcement", "/gatehouse/v1/policies/erasure", "POST /gatehouse/v1/policies/login/_preview"
	s.Run(t,
		testkit.Call{Name: "strict at first", Do: "GET " + enforcement, Want: `{"mode":"ENFORCEMENT_MODE_STRICT","changeDate":null}`},
		testkit.Call{Name: "no mode", Do: "PUT " + enforcement, Body: `{}`, Status: 400},
		testkit.Call{Name: "unknown", Do: "PUT " + enforcement, Body: `{"mode":3}`, Status: 400},
		testkit.Call{Name: "set", Do: "PUT " + enforcement, Body: `{"mode":"ENFORCEMENT_MODE_REFERENCE"}`, Want: `{"changeDate":"*"}`, Keep: map[string]string{"date": "changeDate"}, Events: []string{"instance.policy.enforcement.set"}},
		testkit.Call{Name: "again", Do: "PUT " + enforcement, Body: `{"mode":2}`, Want: `{"changeDate":"$date"}`},
		testkit.Call{Name: "get", Do: "GET " + enforcement, Want: `{"mode":"ENFORCEMENT_MODE_REFERENCE","changeDate":"$date"}`},
		testkit.Call{Name: "not for owners of organizations", As: "acme", Do: "GET " + enforcement, Status: 403},
		testkit.Call{Name: "at all", As: "acme", Do: "PUT " + enforcement, Body: `{"mode":1}`, Status: 403},
		testkit.Call{Name: "back", Do: "PUT " + enforcement, Body: `{"mode":1}`, Events: []string{"instance.policy.enforcement.set"}},
		testkit.Call{Name: "all is kept at first", Do: "GET " + erasure, Want: `{"mode":"ERASURE_MODE_OFF","changeDate":null}`},
		testkit.Call{Name: "no erasure", Do: "PUT " + erasure, Body: `{}`, Status: 400},
		testkit.Call{Name: "an unknown erasure", Do: "PUT " + erasure, Body: `{"mode":3}`, Status: 400},
		testkit.Call{Name: "erase", Do: "PUT " + erasure, Body: `{"mode":"ERASURE_MODE_ON_REMOVAL"}`, Want: `{"changeDate":"*"}`, Keep: map[string]string{"date": "changeDate"}, Events: []string{"instance.policy.erasure.set"}},
		testkit.Call{Name: "erase again", Do: "PUT " + erasure, Body: `{"mode":2}`, Want: `{"changeDate":"$date"}`},
		testkit.Call{Name: "is erased", Do: "GET " + erasure, Want: `{"mode":"ERASURE_MODE_ON_REMOVAL","changeDate":"$date"}`},
		testkit.Call{Name: "is not for owners of organizations", As: "acme", Do: "GET " + erasure, Status: 403},
		testkit.Call{Name: "nor to set", As: "acme", Do: "PUT " + erasure, Body: `{"mode":1}`, Status: 403},
		testkit.Call{Name: "keep", Do: "PUT " + erasure, Body: `{"mode":1}`, Events: []string{"instance.policy.erasure.set"}},
		testkit.Call{
			Name: "preview", Do: preview, Body: `{"change":{"removeSecondFactors":[1],"forceMfa":true}}`,
			Want: `{"enrolled":null,"leftWithout":null,"administrators":null,"demanded":true,"users":null,"nextPageToken":null}`,
		},
		testkit.Call{Name: "of an organization", As: "acme", Do: preview, Body: `{"organizationId":"$acme","change":{"removeMultiFactors":[1]},"limit":10}`, Want: `{"demanded":null}`},
		testkit.Call{Name: "of another", As: "acme", Do: preview, Body: `{"organizationId":"$org"}`, Status: 404},
		testkit.Call{Name: "of the instance", As: "acme", Do: preview, Body: `{}`, Status: 403},
		testkit.Call{Name: "of none", Do: preview, Body: `{"organizationId":"1","change":{"forceMfa":true}}`, Status: 404},
		testkit.Call{Name: "both ways", Do: preview, Body: `{"change":{"removeSecondFactors":[1],"addSecondFactors":[1]}}`, Status: 400, Want: `{"details":[{"id":"PREVIEW-twice"}]}`},
		testkit.Call{Name: "no factor", Do: preview, Body: `{"change":{"removeSecondFactors":[0]}}`, Status: 400},
		testkit.Call{Name: "too many", Do: preview, Body: `{"limit":1001}`, Status: 400},
		testkit.Call{Name: "no page", Do: preview, Body: `{"pageToken":"x"}`, Status: 400},
		testkit.Call{Name: "nothing was changed", Do: "GET " + loginPath, Want: `{"policy":{"isDefault":true,"forceMfa":null}}`},
	)
}
