package test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestBrowserLeaves: a login that nobody asked for ends at the address that the policy of the
// organization names, whatever the pages before knew of that: the content security policy of
// a page that tells nothing of who exists cannot name it.
func TestBrowserLeaves(t *testing.T) {
	t.Parallel()
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte(`<!doctype html><html lang="en"><title>Acme</title><link rel="icon" href="data:,"><h1>Welcome to Acme</h1>`))
	}))
	t.Cleanup(there.Close)
	s := testkit.Start(t)
	addAnn(t, s)
	w := openWindow(t, s)
	rules := `"allowUsernamePassword":true,"passwordlessType":"PASSWORDLESS_TYPE_ALLOWED","passwordCheckLifetime":"864000s","multiFactorCheckLifetime":"43200s"`
	s.Run(t,
		testkit.Call{
			Name: "tell nobody", Do: "PUT /admin/v1/policies/login", Events: []string{"instance.policy.login.changed"}, Body: `{` + rules + `,"ignoreUnknownUsernames":true}`,
		},
		testkit.Call{
			Name: "Acme", Do: "POST /management/v1/policies/login", Events: []string{"org.policy.login.added", "org.policy.login.multifactor.added"},
			Body: `{` + rules + `,"multiFactors":["MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION"],"defaultRedirectUri":"` + there.URL + `/welcome"}`,
		},
	)
	w.plugIn(t)
	w.open(t, "/")
	w.logIn(t, "ann", annsPassword)
	w.waits(t, there.URL+"/welcome")

	// The same without a script, for who goes on with an account that the browser knows.
	w.open(t, "/")
	w.sees(t, "Choose an account")
	w.keys(t, kb.Tab)
	w.press(t, "Ann Lee")
	w.waits(t, there.URL+"/welcome")
}
