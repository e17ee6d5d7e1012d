package test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// picture is a PNG of a width.
func picture(t *testing.T, width int) []byte { return pictureOf(t, width, 8) }

func pictureOf(t *testing.T, width, height int) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, width, height))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// upload sends a file as clients do, with a token.
func upload(t *testing.T, s *testkit.Server, token, path, name string, data []byte, header ...string) (status int, body string) {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.URL+"/assets/v1/"+path, &form)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", w.FormDataContentType())
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := s.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

var (
	levels      = [][2]string{{"org", "/management/v1"}, {"instance", "/admin/v1"}} // visitors see the instance's until an organization has its own
	assetFields = map[string]string{"logo": "logoUrl", "logo/dark": "logoUrlDark", "icon": "iconUrl", "icon/dark": "iconUrlDark", "font": "fontUrl"}
)

// TestAssets gives the instance and an organization pictures and a font: the preview shows
// them first, visitors once it is activated, and each can be taken out again.
func TestAssets(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t, testkit.Call{Name: "own", Do: "POST /management/v1/policies/label", Body: `{"primaryColor":"#c1121f"}`, Events: []string{"org.policy.label.added"}})
	for _, l := range levels {
		level, at := l[0], l[1]
		for path, field := range assetFields {
			data := picture(t, len(path))
			if path == "font" {
				data = append([]byte("wOF2"), data...)
			}
			before := len(s.Events(t))
			if status, body := upload(t, s, s.Token, level+"/policy/label/"+path, "x.png", data); status != http.StatusOK {
				t.Fatalf("%s %s: %d %s", level, path, status, body)
			}
			event := level + ".policy.label." + strings.ReplaceAll(path, "/", ".")
			if got := s.Events(t)[before:]; len(got) != 1 || got[0] != event+".added" {
				t.Errorf("%s %s: the events are %q", level, path, got)
			}
			var url string
			for _, of := range []string{"", "/_preview"} {
				var shown struct{ Policy map[string]any }
				reply := s.Send(t, testkit.Call{Do: "GET " + at + "/policies/label" + of})
				if err := json.Unmarshal(reply.Body, &shown); err != nil {
					t.Fatal(err)
				}
				if url, _ = shown.Policy[field].(string); (url != "") != (of != "") {
					t.Errorf("%s %s%s: the address is %q", level, path, of, url)
				}
			}
			_, key, _ := strings.Cut(url, "/assets/v1/")
			got := newBrowser(t, s).open(t, "/assets/v1/"+key)
			if got.status != http.StatusOK || got.body != string(data) || !strings.Contains(got.header.Get("Cache-Control"), "immutable") || !strings.Contains(got.header.Get("Content-Security-Policy"), "sandbox") || got.header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s: %d, header %v", url, got.status, got.header)
			}
		}
		s.Run(t, testkit.Call{Name: "activate", Do: "POST " + at + "/policies/label/_activate", Events: []string{level + ".policy.label.activated"}})
	}
	s.Run(t, testkit.Call{Name: "settings", Do: "GET /v2/settings/branding", Want: `{"settings":{"lightTheme":{"logoUrl":"*","iconUrl":"*"},"darkTheme":{"logoUrl":"*"},"fontUrl":"*"}}`})
	page := newBrowser(t, s).open(t, "/ui/login/login")
	if !strings.Contains(page.body, `<img src="/assets/v1/`) || !strings.Contains(page.body, `<link rel="icon" href="/assets/v1/`) {
		t.Errorf("the login shows no logo:\n%s", page.body)
	}
	if css := newBrowser(t, s).open(t, "/ui/static/colors.css").body; !strings.Contains(css, "@font-face{font-family:own;src:url(/assets/v1/") {
		t.Errorf("the login has no font: %s", css)
	}
	for _, l := range levels {
		level, at := l[0], l[1]
		for path, field := range assetFields {
			do := "DELETE " + at + "/policies/label/" + strings.ReplaceAll(path, "/", "_")
			s.Run(t,
				testkit.Call{Name: "take it out", Do: do, Events: []string{level + ".policy.label." + strings.ReplaceAll(path, "/", ".") + ".removed"}},
				testkit.Call{Name: "nothing there", Do: do, Status: 404},
				testkit.Call{Name: "visitors see it still", Do: "GET " + at + "/policies/label", Want: `{"policy":{"` + field + `":"*"}}`},
			)
		}
	}
	s.Run(t, testkit.Call{Name: "the log does not list the bytes", Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["org.policy.label.logo.added"]}`, Want: `{"events":[{"payload":{"storeKey":"*","mediaType":"image/png"}}]}`})
	if reply := s.Send(t, testkit.Call{Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["org.policy.label.logo.added"]}`}); strings.Contains(string(reply.Body), `"data"`) {
		t.Errorf("the log lists the bytes: %s", reply.Body)
	}
}

// TestAssetAbuse: only pictures and fonts are taken, whatever they are called, from who may
// change the looks, and not more than so much.
func TestAssetAbuse(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const svg = `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`
	before := len(s.Events(t))
	for name, c := range map[string]struct {
		token, path, file string
		data              []byte
		status            int
	}{
		"SVG":                  {s.Token, "instance/policy/label/logo", "logo.svg", []byte(svg), http.StatusBadRequest},
		"a page called PNG":    {s.Token, "instance/policy/label/logo", "logo.png", []byte("<html><script>alert(1)</script></html>"), http.StatusBadRequest},
		"half a picture":       {s.Token, "instance/policy/label/icon", "x.png", picture(t, 64)[:60], http.StatusBadRequest},
		"too wide":             {s.Token, "instance/policy/label/logo", "x.png", picture(t, 2049), http.StatusBadRequest},
		"too high":             {s.Token, "instance/policy/label/logo", "x.png", pictureOf(t, 8, 2049), http.StatusBadRequest},
		"too large":            {s.Token, "instance/policy/label/font", "x.woff2", append([]byte("wOF2"), make([]byte, 512<<10)...), http.StatusBadRequest},
		"much too large":       {s.Token, "instance/policy/label/font", "x.woff2", append([]byte("wOF2"), make([]byte, 4<<20)...), http.StatusBadRequest},
		"a picture for a font": {s.Token, "instance/policy/label/font", "x.ttf", picture(t, 8), http.StatusBadRequest},
		"nobody":               {"", "instance/policy/label/logo", "x.png", picture(t, 8), http.StatusUnauthorized},
		"a wrong token":        {s.Token + "x", "instance/policy/label/logo", "x.png", picture(t, 8), http.StatusUnauthorized},
		"no policy of its own": {s.Token, "org/policy/label/logo", "x.png", picture(t, 8), http.StatusNotFound},
	} {
		if status, body := upload(t, s, c.token, c.path, c.file, c.data); status != c.status {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if got := s.Events(t)[before:]; len(got) != 0 {
		t.Errorf("what is refused leaves %q", got)
	}
	s.Run(t,
		testkit.Call{Name: "a reader", Do: "POST /v2/users/new", Body: `{"organizationId":"$org","username":"reader","machine":{"name":"reader"}}`, Keep: map[string]string{"reader": "id"}, Events: []string{"user.machine.added"}},
		testkit.Call{Name: "reads", Do: "POST /admin/v1/members", Body: `{"userId":"$reader","roles":["IAM_OWNER_VIEWER"]}`, Events: []string{"instance.member.added"}},
		testkit.Call{Name: "token", Do: "POST /v2/users/$reader/pats", Body: `{"expirationDate":"2099-01-01T00:00:00Z"}`, Keep: map[string]string{"pat": "token"}, Events: []string{"user.pat.added"}},
	)
	for _, path := range []string{"instance/policy/label/logo", "org/policy/label/logo"} {
		if status, body := upload(t, s, s.Var("pat"), path, "x.png", picture(t, 8)); status != http.StatusForbidden {
			t.Errorf("who may read only, %s: %d %s", path, status, body)
		}
	}
	if got := newBrowser(t, s).open(t, "/assets/v1/none.png"); got.status != http.StatusNotFound {
		t.Errorf("what is not there: %d", got.status)
	}
}

// TestAssetsOfOthers: who owns an organization changes the looks of that one, and of no other,
// whatever they say that the request is about.
func TestAssetsOfOthers(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	s.Run(t,
		testkit.Call{
			Name: "another organization", Do: "POST /v2/organizations", Body: `{"name":"Acme"}`, Status: 201, Keep: map[string]string{"acme": "organizationId"},
			Events: []string{"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set", "org.member.added"},
		},
		testkit.Call{Name: "ours looks its own way", Do: "POST /management/v1/policies/label", Body: `{"primaryColor":"#c1121f"}`, Events: []string{"org.policy.label.added"}},
		testkit.Call{Name: "and so does that", In: "$acme", Do: "POST /management/v1/policies/label", Body: `{"primaryColor":"#c1121f"}`, Events: []string{"org.policy.label.added"}},
		testkit.Call{Name: "somebody", Do: "POST /v2/users/new", Body: `{"organizationId":"$acme","username":"eve","machine":{"name":"eve"}}`, Keep: map[string]string{"eve": "id"}, Events: []string{"user.machine.added"}},
		testkit.Call{Name: "owns it", In: "$acme", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$eve","roles":["ORG_OWNER"]}`, Events: []string{"org.member.added"}},
		testkit.Call{Name: "token", Do: "POST /v2/users/$eve/pats", Body: `{"expirationDate":"2099-01-01T00:00:00Z"}`, Keep: map[string]string{"pat": "token"}, Events: []string{"user.pat.added"}},
	)
	eve, org := s.Var("pat"), s.Var("org")
	before := len(s.Events(t))
	for path := range assetFields {
		for name, c := range map[string][]string{"org/": {"x-zitadel-orgid", org}, "instance/": nil} {
			if status, body := upload(t, s, eve, name+"policy/label/"+path, "x.png", picture(t, 8), c...); status != http.StatusForbidden && status != http.StatusNotFound {
				t.Errorf("%s%s of others: %d %s", name, path, status, body)
			}
		}
	}
	if got := s.Events(t)[before:]; len(got) != 0 {
		t.Errorf("what is refused leaves %q", got)
	}
	if status, body := upload(t, s, eve, "org/policy/label/logo", "x.png", picture(t, 8)); status != http.StatusOK {
		t.Errorf("her own: %d %s", status, body)
	}
}
