package test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// addShop adds an application that logs people in, kept as client.
func addShop(t *testing.T, s *testkit.Server) {
	t.Helper()
	s.Run(t,
		testkit.Call{Name: "project", Do: "POST /management/v1/projects", Body: `{"name":"Shop"}`, Keep: map[string]string{"shop": "id"}, Events: []string{"project.added", "project.member.added"}},
		testkit.Call{
			Name: "application", Do: "POST /management/v1/projects/$shop/apps/oidc", Keep: map[string]string{"client": "clientId"},
			Body:   `{"name":"Web","redirectUris":["https://shop.example/back"],"responseTypes":["OIDC_RESPONSE_TYPE_CODE"],"grantTypes":["OIDC_GRANT_TYPE_AUTHORIZATION_CODE"],"appType":"OIDC_APP_TYPE_WEB","authMethodType":"OIDC_AUTH_METHOD_TYPE_NONE"}`,
			Events: []string{"project.application.added", "project.application.config.oidc.added"},
		},
	)
}

// staysHere keeps the browser from following the way back to the shop.
func (b *browser) staysHere() {
	b.client.CheckRedirect = func(req *http.Request, _ []*http.Request) error {
		if req.URL.Host == "shop.example" {
			return http.ErrUseLastResponse
		}
		return nil
	}
}

// authorize comes from the shop, which asks for a login.
func (b *browser) authorize(t *testing.T, more ...string) page {
	t.Helper()
	q := url.Values{
		"client_id": {b.s.Var("client")}, "redirect_uri": {"https://shop.example/back"}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s1"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return b.open(t, "/oauth/v2/authorize?"+q.Encode())
}

// back fails unless the browser is sent to the shop with a code.
func (p page) back(t *testing.T) {
	t.Helper()
	if !p.isBack() {
		t.Errorf("the browser is sent to %q (%d): %s", p.header.Get("Location"), p.status, p.body)
	}
}

func (p page) isBack() bool {
	u, err := url.Parse(p.header.Get("Location"))
	return err == nil && u.Host == "shop.example" && u.Query().Get("code") != "" && u.Query().Get("state") == "s1"
}
