package account

import (
	"net/http"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/web"
)

// What a page is made of: see web.
type (
	frame = web.Shell
	entry = web.Way
)

// navigation are the pages that the navigation leads to: paths that are keys of their
// texts, too.
var navigation = []string{"", "profile", "contact", "security", "sessions", "access", "history", "data"}

func (v *visit) nav() []web.Group {
	var out []entry
	here, _, _ := strings.Cut(v.Path(), "/")
	for _, path := range navigation {
		out = append(out, entry{URL: prefix + path, Text: v.Texts.T("nav-" + path), Here: path == here})
	}
	return []web.Group{{Entries: out}}
}

// show answers with a page: as refused, where a form of it was.
func (v *visit) show(name, title string, more any) error {
	f, status := frame{Title: title, More: more}, http.StatusOK
	if v.refused != nil {
		status, f.Given = http.StatusUnprocessableEntity, v.R.PostForm
		v.Explain(&f, v.Labeled(v.refused, v.label), v.session)
		if f.Reauth != "" {
			f.Problem = v.Texts.T("reauth-help")
		}
	}
	v.put(status, name, f)
	return nil
}

// labels are the keys of what fields of requests are called on the pages.
var labels = map[string]string{
	"firstName": "f-first", "lastName": "f-last", "nickName": "f-nick", "displayName": "f-display", "preferredLanguage": "f-language", "gender": "f-gender", "userName": "f-user-name",
	"email": "f-email", "phone": "f-phone", "code": "f-code", "oldPassword": "f-current", "newPassword": "f-new",
}

// label is what a field of a request is called, by its name in JSON; empty: no form asks
// for it.
func (v *visit) label(name string) string {
	if key, ok := labels[name]; ok {
		return v.Texts.T(key)
	}
	return ""
}

// put answers with a page in its frame.
func (v *visit) put(status int, name string, f frame) {
	f.Frame = v.Frame()
	f.Area, f.Home = "account", prefix
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
