package account

import (
	"net/http"
	"net/url"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/web"
)

// frame is what is around the content of a page.
type frame struct {
	web.Frame
	Title   string
	Note    string // what went well
	Problem string // what went wrong
	// Reauth is where to prove again who one is, where that would help.
	Reauth  string
	Name    string // of the visitor; empty: nobody is known
	Login   string // their login name
	Session string
	Face    web.Face
	Nav     []entry
	// More is what only this page knows.
	More any

	typed url.Values // into the form that was refused
}

// Typed is what a field shows: what was typed where the form was refused, else what is
// known.
func (f frame) Typed(name, known string) string {
	if f.typed.Has(name) {
		return f.typed.Get(name)
	}
	return known
}

// Logout is where the visitor ends this session.
func (f frame) Logout() string { return web.Login + "logout?session=" + f.Session }

// entry is a page that the navigation leads to.
type entry struct {
	URL, Text string
	Here      bool
}

// navigation are the pages that the navigation leads to: paths that are keys of their
// texts, too.
var navigation = []string{"", "profile", "contact", "security", "sessions", "access", "history", "data"}

func (v *visit) nav() (out []entry) {
	here, _, _ := strings.Cut(v.Path(), "/")
	for _, path := range navigation {
		out = append(out, entry{URL: prefix + path, Text: v.Texts.T("nav-" + path), Here: path == here})
	}
	return out
}

// show answers with a page: as refused, where a form of it was.
func (v *visit) show(name, title string, more any) error {
	f, status := frame{Title: title, More: more}, http.StatusOK
	if v.refused != nil {
		status, f.typed = http.StatusUnprocessableEntity, v.R.PostForm
		f.Problem = v.Sentence(v.refused)
		if fault.Of(v.refused).ID == "AUTH-reauth" {
			f.Problem, f.Reauth = v.Texts.T("reauth-help"), v.LogIn(v.refused, v.session)
		}
	}
	v.put(status, name, f)
	return nil
}

// put answers with a page in its frame.
func (v *visit) put(status int, name string, f frame) {
	f.Frame = v.Frame()
	if v.me != nil {
		f.Name, f.Login, f.Session, f.Nav = displayName(v.me), v.me.GetPreferredLoginName(), v.session.ID, v.nav()
		f.Face = web.FaceOf(v.me.GetHuman().GetProfile().GetAvatarUrl(), f.Name)
	}
	if key := "done-" + v.R.URL.Query().Get("done"); v.R.Method == http.MethodGet && v.Texts.Has(key) {
		f.Note = v.Texts.T(key)
	}
	v.Show(status, name, f)
}

// problem shows what went wrong as a page.
func (v *visit) problem(status int, sentence string) {
	v.put(status, "problem", frame{Title: v.Texts.T("problem"), Problem: sentence})
}

// done leads to a page that says that something was done.
func (v *visit) done(path, what string) error {
	return v.Redirect(prefix + path + "?done=" + what)
}

// deed is what a form does. Where it is refused, the page that holds the form is shown
// once more, with the reason and what was typed.
type deed struct {
	path string
	page func(*visit) error // that holds the form
	do   func(*visit) error
	to   string // the page that it leads to
	done string // what is said there: the key is "done-" and this
}

func (d deed) pages() page {
	return page{path: d.path, get: d.page, post: func(v *visit) error {
		switch err := d.do(v); {
		case err == nil:
			return v.done(d.to, d.done)
		case isTheirs(err):
			v.refused = err
			return d.page(v)
		default:
			return err
		}
	}}
}

// question asks before something is done that cannot be taken back, and says what will
// happen: the keys are "ask-" and the name, with "-help" behind it.
type question struct {
	path, name string
	// about says what it is done to, such as the name of a key; nil: the name says it.
	about    func(*visit) (string, error)
	do       func(*visit) error
	to, done string // see deed
}

// questionPage is what the page shows.
type questionPage struct{ About, Help, Button, Back string }

func (q question) pages() page {
	ask := func(v *visit) error {
		p := questionPage{Help: v.Texts.T("ask-" + q.name + "-help"), Button: v.Texts.T("ask-" + q.name), Back: prefix + q.to}
		if q.about != nil {
			about, err := q.about(v)
			if err != nil {
				return err
			}
			p.About = about
		}
		return v.show("question", p.Button, p)
	}
	return deed{path: q.path, page: ask, do: q.do, to: q.to, done: q.done}.pages()
}

// isTheirs reports whether an error is one that who filled in a form can do something
// about.
func isTheirs(err error) bool {
	switch fault.KindOf(err) {
	case fault.KindInternal, fault.KindUnavailable, fault.KindDeadline, fault.KindUnauthenticated, fault.KindNotFound:
		return false
	default:
		return true
	}
}

// typed is what a field of the form says.
func (v *visit) typed(name string) string { return strings.TrimSpace(v.R.PostForm.Get(name)) }

// displayName is how a user is called.
func displayName(u *userpb.User) string {
	if name := u.GetHuman().GetProfile().GetDisplayName(); name != "" {
		return name
	}
	return u.GetUserName()
}

// when writes a time for people: to the minute, in UTC.
func when(t *timestamppb.Timestamp) string {
	if !t.IsValid() || t.AsTime().Unix() == 0 {
		return ""
	}
	return t.AsTime().UTC().Format(time.DateOnly + " 15:04")
}
