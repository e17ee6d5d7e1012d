package login

import (
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/web"
)

// account is a session of the browser, as it is offered.
type account struct {
	ID, LoginName, DisplayName string
	Face                       web.Face
}

// accounts are the sessions of the browser that are somebody's and not over.
func (v *visit) accounts() (out []account, err error) {
	now := v.Store.Now()
	for _, e := range v.Jar {
		s, err := v.sessions.SessionByID(v.AsNobody(), e.ID, e.Token)
		switch {
		case fault.KindOf(err) == fault.KindNotFound:
			continue
		case err != nil:
			return nil, err
		case s.User.LoginName == "" || s.Ended || s.Expired(now):
			continue
		}
		out = append(out, account{ID: e.ID, LoginName: v.short(s.User.LoginName), DisplayName: s.User.DisplayName, Face: web.FaceOf(s.User.Avatar, s.User.DisplayName)})
	}
	return out, nil
}

// showAccounts offers the sessions of the browser.
func showAccounts(v *visit) error {
	known, err := v.accounts()
	if err != nil {
		return err
	}
	if len(known) == 0 {
		return v.goTo("login", "new", "true")
	}
	v.current = nil
	v.show(http.StatusOK, "account", data{More: known})
	return nil
}

// takeAccount goes on with a session of the browser, for as far as it still counts.
func takeAccount(v *visit) error {
	if v.R.PostForm.Get("session") == "" {
		return errNoSession
	}
	return v.next()
}

// askLogout asks which of the browser's sessions are to end, or whether the named one is: no page elsewhere may decide
// that (OpenID Connect RP-Initiated Logout, section 2).
func askLogout(v *visit) error {
	known, err := v.accounts()
	if err != nil {
		return err
	}
	if named := slices.IndexFunc(known, func(a account) bool { return a.ID == v.R.Form.Get("session") }); named >= 0 {
		known = known[named : named+1]
	}
	v.current = nil
	d := data{More: known}
	if len(known) == 0 {
		d.Note = v.T("logout-nobody")
	}
	v.show(http.StatusOK, "logout", d)
	return nil
}

// logOut ends the page's session.
func logOut(v *visit) error {
	if v.current == nil {
		return v.goTo("login")
	}
	id := v.current.ID
	if _, err := v.sessions.End(v.AsNobody(), id, v.current.Token); err != nil && fault.KindOf(err) != fault.KindNotFound {
		return err
	}
	v.Keep(v.Jar.Without(id))
	v.current = nil
	return v.goTo("login")
}

// showDone says that the login succeeded, where nobody asked for it, and leads on where the
// policy says so: as a page, since what a form leads to by redirects would have to be named
// by the page with the form, which may not know yet whose policy counts.
func showDone(v *visit, p *progress) error {
	if !p.Enough {
		return v.next()
	}
	d := data{LoginName: p.name}
	if to := p.Login().DefaultRedirectURI; to != "" {
		v.W.Header().Set("Refresh", "0; url="+to)
		d.More = template.URL(to) //nolint:gosec // the policy takes no address that is a program
	}
	v.show(http.StatusOK, "done", d)
	return nil
}

// leadTo lets the forms of the page lead to the place of an address.
func (v *visit) leadTo(address string) {
	if u, err := url.Parse(address); err == nil && u.Scheme != "" && place.MatchString(u.Host) {
		v.LeadsTo = u.Scheme + ":"
		if u.Host != "" {
			v.LeadsTo += "//" + u.Host
		}
	}
}

// place is a host that can stand in a header: with a port, or of IPv6.
var place = regexp.MustCompile(`^[A-Za-z0-9.:\[\]-]*$`)
