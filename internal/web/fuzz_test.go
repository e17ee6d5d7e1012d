package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// declarations is all that colors can make.
var declarations = regexp.MustCompile(`^(--[a-z-]+:#[0-9a-f]{6};)*$`)

// FuzzColors: whatever is stored as a color, a stylesheet has colors of it or nothing, and
// texts in them can be read.
func FuzzColors(f *testing.F) {
	for _, seed := range []string{"#fff", "#5469d4", "#5469d480", "#1234", "red;}*{background:url(//evil)", "#00000g", "", "#FFFFFF\n"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		light, dark := Themes(policy.LabelPolicy{
			PrimaryColor: a, BackgroundColor: b, WarnColor: a, FontColor: b, PrimaryColorDark: b, BackgroundColorDark: a, WarnColorDark: b, FontColorDark: a,
		})
		if !declarations.MatchString(light) || !declarations.MatchString(dark) {
			t.Errorf("%q and %q make %q and %q", a, b, light, dark)
		}
		c, ok := parseColor(a)
		if !ok {
			return
		}
		for _, surface := range []rgb{lightSurface, darkSurface} {
			if got := contrast(readable(c, surface), surface); got < contrastLeast {
				t.Errorf("%q has the contrast %f", a, got)
			}
		}
		if got := contrast(ink(c), c); got < contrastLeast {
			t.Errorf("on %q the contrast is %f", a, got)
		}
		if again, ok := parseColor(c.String()); !ok || again != c {
			t.Errorf("%q is written as %s", a, c)
		}
	})
}

// FuzzJar: what a browser keeps comes back as it was, and whatever else it sends is no
// session more than there can be.
func FuzzJar(f *testing.F) {
	f.Add("1", "gatehouse_session_x", "ada", "bnVsbA", false)
	f.Add("", "", "\u2028", "W3siaSI6IjEifV0", true)
	f.Add("a;b", `"`, "=", "", true)
	f.Fuzz(func(t *testing.T, id, token, name, cookie string, secure bool) {
		visit := func(w http.ResponseWriter, c *http.Cookie) *Visit {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			if c != nil {
				r.Header.Set("Cookie", c.Name+"="+c.Value)
			}
			return &Visit{Area: &Area{Common: Common{External: &url.URL{}}}, W: w, R: r, Call: &api.Call{Secure: secure}}
		}
		v := visit(nil, &http.Cookie{Name: visit(nil, nil).cookieName(jarCookie), Value: cookie})
		if j := v.readJar(); len(j) > maxSessions {
			t.Errorf("%q holds %d sessions", cookie, len(j))
		}
		w := httptest.NewRecorder()
		jar := Jar{{ID: id, Token: token, Name: name}}
		visit(w, nil).Keep(jar)
		set := w.Result().Cookies()
		if len(set) != 1 || !set[0].HttpOnly || set[0].Secure != secure || secure != strings.HasPrefix(set[0].Name, "__Host-") {
			t.Fatalf("%+v", set)
		}
		if got := visit(nil, set[0]).readJar(); utf8.ValidString(id) && utf8.ValidString(token) && utf8.ValidString(name) && !slices.Equal(got, jar) {
			t.Errorf("%q comes back as %q", jar, got)
		}
	})
}
