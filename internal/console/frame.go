package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gatehouse/gatehouse/internal/web"
)

// frame is what is around the content of a page.
type frame struct {
	web.Frame
	Title   string
	Note    string // what went well
	Problem string // what went wrong
	// Reauth is where to prove again who one is, where that would help.
	Reauth string
	Me     me
	OrgID  string
	// OrgName is of the organization that the page is about; empty: none.
	OrgName string
	Nav     []group
	Crumbs  []crumb
	Tabs    []crumb
	Find    string // what the visitor looks for everywhere
	// More is what only this kind of pages knows.
	More any
}

// Back is the page right above this one; empty: there is none.
func (f frame) Back() string {
	if len(f.Crumbs) == 0 {
		return ""
	}
	return f.Crumbs[len(f.Crumbs)-1].URL
}

// me is who sees the page.
type me struct{ Name, LoginName, Session string }

// crumb is a page above this one, or beside it.
type crumb struct {
	URL, Text string
	Here      bool
}

// group is a part of the navigation.
type group struct {
	Text    string
	Entries []crumb
}

// noted begins the keys of what a page says after something was done.
const noted = "done-"

// show answers with a page.
func (v *visit) show(status int, name string, f frame) {
	f.Frame = v.Frame()
	f.OrgID, f.OrgName = v.org, v.orgName
	if v.me != nil {
		f.Me = me{Name: displayName(v.me), LoginName: v.me.GetPreferredLoginName(), Session: v.session.ID}
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
