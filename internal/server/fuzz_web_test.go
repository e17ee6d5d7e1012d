package server_test

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

// link is where a page leads.
var link = regexp.MustCompile(`(?:href|action)="(/ui/[^"#]*)"`)

// leads is where the form of a page leads.
var leads = regexp.MustCompile(`action="([^"]*)"`)

// crawl gives the pages that are reached from those where an area begins.
func (w *world) crawl(f *testing.F) []string {
	f.Helper()
	const most = 400
	seen := map[string]bool{}
	found := []string{"/ui/console/", "/ui/account/", "/ui/login/login", "/ui/login/register", "/ui/login/password/forgotten", "/ui/login/device", "/ui/login/setup"}
	for i := 0; i < len(found) && i < most; i++ {
		res := w.page(request(http.MethodGet, found[i], "", "Cookie", w.cookie))
		for _, m := range link.FindAllStringSubmatch(res.Body.String(), -1) {
			if to := html.UnescapeString(m[1]); !seen[to] && !strings.HasPrefix(to, "/ui/static/") {
				seen[to] = true
				found = append(found, to)
			}
		}
	}
	if len(found) < 150 {
		f.Fatalf("%d pages were found", len(found))
	}
	return found
}

// FuzzPages: no page fails for what is typed, clicked or remembered, shows it as anything but
// text, or sends the browser elsewhere.
func FuzzPages(f *testing.F) {
	w := newWorld(f)
	pages := w.crawl(f)
	for i := range pages {
		f.Add(uint(i), "?q=x&find=%25&page=zzz", "name=x&user=ada&password=%00", "")
	}
	f.Add(uint(1), "?session=1&next=//evil.example", "loginName=<script>alert(1)</script>&next=https://evil.example", w.cookie+"x")
	f.Fuzz(func(t *testing.T, number uint, query, form, cookie string) {
		if cookie == "" {
			cookie = w.cookie
		}
		page := pages[number%uint(len(pages))]
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			path := page + strings.ReplaceAll(query, "?", "&")
			if !strings.Contains(page, "?") {
				path = page + query
			}
			r := request(method, path, form, "Cookie", cookie, "Content-Type", "application/x-www-form-urlencoded")
			if r == nil {
				return
			}
			res := w.answer(t, r)
			if to, err := url.Parse(res.Header().Get("Location")); err != nil || to.Host != "" && to.Host != "localhost" && to.Host != "acme.example" {
				t.Errorf("%s %s leads to %q (%v)", method, path, to, err)
			}
			if body := res.Body.String(); strings.Contains(body, "<script>") || strings.Contains(body, "javascript:") || strings.Contains(body, "onerror=") && strings.Contains(body, "<img src=x") {
				t.Errorf("%s %s: %q", method, path, body)
			}
		}
	})
}

// FuzzAuthorize: whatever an application asks for, an answer goes to an address that it
// registered, and people to our login page, or nowhere.
func FuzzAuthorize(f *testing.F) {
	w := newWorld(f)
	good := "client_id=" + w.Var("client") + "&redirect_uri=https%3A%2F%2Facme.example%2Fcb&response_type=code&scope=openid&state=s&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
	for _, seed := range []string{
		good, good + "&prompt=none", good + "&max_age=-1", good + "&ui_locales=de%20en&acr_values=x", good + "&id_token_hint=a.b.c", good + "&request=eyJhbGciOiJub25lIn0.e30.", good + "&request_uri=urn:ietf:params:oauth:request_uri:x",
		good + "&response_mode=fragment", good + "&response_mode=form_post&response_type=id_token", strings.Replace(good, "acme.example", "acme.example%40evil.example", 1), good + "&redirect_uri=https://evil.example", good + "&dpop_jkt=x&login_hint=%00",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, query string, post bool) {
		r := request(http.MethodGet, "/oauth/v2/authorize?"+query, "")
		if post {
			r = request(http.MethodPost, "/oauth/v2/authorize", query, "Content-Type", "application/x-www-form-urlencoded")
		}
		res := w.answer(t, r)
		to, err := url.Parse(res.Header().Get("Location"))
		if err != nil {
			t.Fatalf("%q leads to %q", query, res.Header().Get("Location"))
		}
		back, ours := to.Host == "acme.example" && to.Path == "/cb", to.Host == "localhost" && strings.HasPrefix(to.Path, "/ui/")
		if res.Header().Get("Location") != "" && !back && !ours {
			t.Errorf("%q leads to %q", query, to)
		}
		if back && (to.Query().Has("code") || strings.Contains(to.Fragment, "token=")) {
			t.Errorf("%q is answered without a login: %q", query, to)
		}
		body := strings.Replace(res.Body.String(), "<script>document.forms[0].submit()</script>", "", 1) // Of an answer by form.
		for _, m := range leads.FindAllStringSubmatch(body, -1) {
			if m[1] != "https://acme.example/cb" && !strings.HasPrefix(m[1], "/ui/") {
				t.Errorf("%q leads to %q", query, m[1])
			}
		}
		if strings.Contains(body, "<script>") {
			t.Errorf("%q: %s", query, body)
		}
	})
}

// FuzzEndpoints: the endpoints for programs give nothing to who does not prove who they are,
// and whatever is sent is a mistake of the sender.
func FuzzEndpoints(f *testing.F) {
	w := newWorld(f)
	paths := []string{"token", "par", "introspect", "revoke", "device_authorization"}
	id := "client_id=" + w.Var("client")
	for _, seed := range []string{
		"grant_type=authorization_code&code=gatehouse_code_x&redirect_uri=https%3A%2F%2Facme.example%2Fcb&code_verifier=x&" + id, "grant_type=refresh_token&refresh_token=gatehouse_rt_x&" + id,
		"grant_type=client_credentials&scope=openid&client_id=robot&client_secret=x", "grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=a.b.c", "grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=x&" + id,
		"grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=x&subject_token_type=urn:ietf:params:oauth:token-type:jwt", "token=" + w.Token, "token=x&token_type_hint=refresh_token&" + id,
		"client_assertion=eyJhbGciOiJFUzI1NiIsImtpZCI6IngifQ.eyJzdWIiOiJhIn0.AA&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&grant_type=client_credentials", id + "&client_secret=x&redirect_uri=https://evil.example&response_type=code", "%zz",
	} {
		for i := range paths {
			f.Add(uint(i), seed, "", "")
		}
		f.Add(uint(0), seed, "Basic "+base64.StdEncoding.EncodeToString([]byte(w.Var("client")+":x")), "eyJ0eXAiOiJkcG9wK2p3dCJ9.e30.x")
	}
	f.Fuzz(func(t *testing.T, number uint, form, authorization, proof string) {
		path := "/oauth/v2/" + paths[number%uint(len(paths))]
		r := request(http.MethodPost, path, form, "Content-Type", "application/x-www-form-urlencoded")
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		if proof != "" {
			r.Header.Set("Dpop", proof)
		}
		res := w.answer(t, r)
		if _, secret, ok := r.BasicAuth(); ok && secret == w.secret || strings.Contains(form, w.secret) {
			return
		}
		if res.Code < 300 && !strings.HasSuffix(path, "revoke") { // Which tells nobody whether it did anything.
			t.Errorf("%s: %q is answered with %q", path, form, res.Body)
		}
		if res.Code >= 400 && !json.Valid(res.Body.Bytes()) {
			t.Errorf("%s: %d %q", path, res.Code, res.Body)
		}
	})
}

// FuzzLogout: logging out leads to where an application registered that it may, or to our own
// pages.
func FuzzLogout(f *testing.F) {
	w := newWorld(f)
	for _, seed := range []string{"", "id_token_hint=a.b.c&post_logout_redirect_uri=https://evil.example", "client_id=" + w.Var("client") + "&post_logout_redirect_uri=https%3A%2F%2Facme.example%2Fcb&state=%0d%0a", "logout_hint=ada&ui_locales=de"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, query string, post bool) {
		r := request(http.MethodGet, "/oidc/v1/end_session?"+query, "", "Cookie", w.cookie)
		if post {
			r = request(http.MethodPost, "/oidc/v1/end_session", query, "Cookie", w.cookie, "Content-Type", "application/x-www-form-urlencoded")
		}
		res := w.answer(t, r)
		if to, err := url.Parse(res.Header().Get("Location")); err != nil || to.Host != "" && to.Host != "localhost" {
			t.Errorf("%q leads to %q (%v)", query, to, err)
		}
	})
}

// FuzzUpload: no file makes an upload fail otherwise than by its own fault, and whatever is
// given to browsers is of a type that runs nothing.
func FuzzUpload(f *testing.F) {
	w := newWorld(f)
	w.Send(f, testkit.Call{In: "acme", Do: "POST /management/v1/policies/label", Body: `{"primaryColor":"#5469d4"}`})
	f.Add("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x.png\"\r\nContent-Type: image/svg+xml\r\n\r\nGIF89a\x01\x00\x01\x00\x00\x00\x00;\r\n--b--\r\n", "multipart/form-data; boundary=b", uint(0))
	f.Add("--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nwOF2\r\n--b--", "multipart/form-data; boundary=b", uint(4))
	f.Add("x", "multipart/form-data", uint(1))
	kinds := []string{"logo", "logo/dark", "icon", "icon/dark", "font"}
	f.Fuzz(func(t *testing.T, body, kind string, number uint) {
		r := request(http.MethodPost, "/assets/v1/org/policy/label/"+kinds[number%5], body, "Authorization", "Bearer "+w.Token, "X-Zitadel-Orgid", "acme")
		r.Header.Set("Content-Type", kind)
		w.answer(t, r)
		read := w.answer(t, request(http.MethodGet, "/assets/v1/"+url.PathEscape(body), ""))
		if read.Code == http.StatusOK {
			t.Errorf("%q is an asset", body)
		}
	})
}

// FuzzHint: an ID token names somebody only where one of the instance's keys signed it.
func FuzzHint(f *testing.F) {
	w := newWorld(f)
	var keys webkey.Published
	if err := w.DB.Read(f.Context(), webkey.PublishedIn(&keys, "k.instance_id = ?", w.InstanceID)); err != nil {
		f.Fatal(err)
	}
	document, _ := keys.JSON()
	f.Add("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0", `{"iss":"http://localhost","sub":"ada","azp":"x","aud":"x"}`, string(document))
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)), `{"iss":"http://localhost","sub":"ada"}`, "x")
	f.Fuzz(func(t *testing.T, header, claims, signature string) {
		b64 := base64.RawURLEncoding.EncodeToString
		token := header + "." + b64([]byte(claims)) + "." + b64([]byte(signature))
		q := url.Values{"id_token_hint": {token}, "post_logout_redirect_uri": {"https://acme.example/cb"}, "client_id": {w.Var("client")}}
		res := w.answer(t, request(http.MethodGet, "/oidc/v1/end_session?"+q.Encode(), "", "Cookie", w.cookie))
		if res.Code < 400 {
			t.Errorf("%q is a hint: %d %q", token, res.Code, res.Header().Get("Location"))
		}
	})
}
