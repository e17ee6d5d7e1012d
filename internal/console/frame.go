package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse/gatehouse/internal/web"
)

// What a page is made of: see web.
type (
	frame = web.Shell
	crumb = web.Way
	group = web.Group
)

// noted begins the keys of what a page says after something was done.
const noted = "done-"

// show answers with a page.
func (v *visit) show(status int, name string, f frame) {
	f.Frame = v.Frame()
	f.Area, f.Home = "console", prefix
	if v.me != nil {
		f.Name, f.Login, f.Session = displayName(v.me), v.me.GetPreferredLoginName(), v.session.ID
		f.Face = web.FaceOf(v.me.GetHuman().GetProfile().GetAvatarUrl(), f.Name)
		f.Nav = v.nav()
	}
	if f.Note == "" && v.R.Method == http.MethodGet {
		f.Note = v.note()
	}
	v.Show(status, name, f)
}

// note is what the page says after something was done.
func (v *visit) note() string {
	what := v.R.URL.Query().Get("done")
	n, err := strconv.Atoi(v.R.URL.Query().Get("n"))
	switch {
	case what == "bulk" && err == nil:
		return v.Texts.T(noted+"bulk", n)
	case what != "bulk" && v.Texts.Has(noted+what):
		return v.Texts.T(noted + what)
	}
	return ""
}

// problem shows what went wrong as a page.
func (v *visit) problem(status int, sentence string) {
	v.show(status, "problem", frame{Title: v.Texts.T("problem"), Problem: sentence})
}

// at is the address of a page: path is below prefix, with the values of this page in the
// place of {org} and the like.
func (v *visit) at(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, "{"); ok {
			parts[i] = v.R.PathValue(strings.TrimSuffix(name, "}"))
		}
	}
	return prefix + strings.Join(parts, "/")
}

// doneAt leads to a page that says that something was done.
func (v *visit) doneAt(address, what string) error {
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return v.Redirect(address + separator + "done=" + what)
}
