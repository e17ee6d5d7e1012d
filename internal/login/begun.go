package login

import (
	"net/http"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

// begunCookie is where a browser keeps what was begun in it and goes on by the link of a
// mail.
const begunCookie = "gatehouse-begun"

// begun is a login that waits for a mail: what it was begun for is known to the browser
// alone and not to the mail, whose link anybody may open.
type begun struct {
	Ticket  string            `json:"t"`
	Carried map[string]string `json:"c"` // who asked for the login; see carried
}

// begin makes what the browser is known again by, and gives its hash for flow.
func (v *visit) begin(hash *string) (b begun) {
	b.Ticket, *hash = flow.NewTicket()
	b.Carried = map[string]string{}
	for _, name := range carried {
		if value := v.R.Form.Get(name); value != "" {
			b.Carried[name] = value
		}
	}
	return b
}

// remember has the browser keep it. Whether a mail went out is not known here, so that the
// cookie tells nothing of who has an account.
func (v *visit) remember(b begun) { v.SetCookie(begunCookie, b, flow.TicketLifetime) }

// leadBack lets the form of a link lead to where the login goes on that was begun in this
// browser: for whomever the link is, so that it tells nothing of them.
func (v *visit) leadBack() error {
	var b begun
	if !v.Cookie(begunCookie, &b) {
		return nil
	}
	if id := b.Carried[fieldRequest]; id != "" {
		r, err := flow.AuthRequest(v.AsNobody(), v.Store, id)
		if fault.KindOf(err) == fault.KindNotFound {
			return nil
		}
		v.leadTo(r.RedirectURI)
		return err
	}
	return nil
}

// afterPassword ends the page of a link whose code has set a password. In the browser in
// which its mail was asked for, the login goes on that was begun there. In any other one,
// nothing of it does: who was sent a link must not finish what a stranger began, nor may who
// sends a link have others logged in as themselves.
func (v *visit) afterPassword(r user.Ref, password string) error {
	var b begun
	v.Cookie(begunCookie, &b)
	here, elsewhere, err := flow.BeganHere(v.AsSystem(), v.Store, r, b.Ticket)
	switch {
	case err != nil:
		return err
	case elsewhere:
		return v.passwordSet("begun-elsewhere")
	case !here:
		return v.passwordSet("")
	}
	v.SetCookie(begunCookie, nil, 0)
	return v.goOn(r, password, b)
}

// passwordSet says that a password was set, and what to do now.
func (v *visit) passwordSet(text string) error {
	d := data{Note: v.T("password-set")}
	if text != "" {
		d.More = v.T(text)
	}
	v.show(http.StatusOK, "passwordset", d)
	return nil
}

// goOn logs in whose password was just set, and goes on with what the login was begun for,
// if that has waited.
func (v *visit) goOn(r user.Ref, password string, b begun) error {
	for _, name := range carried {
		v.R.Form.Set(name, b.Carried[name])
	}
	if err := v.openAsker(); err != nil {
		for _, name := range carried {
			v.R.Form.Del(name)
		}
		v.request, v.device = nil, nil
		if fault.KindOf(err) != fault.KindNotFound {
			return err
		}
		return v.passwordSet("begun-over")
	}
	out, err := v.sessions.Create(v.AsSystem(), flow.SessionChange{Proof: flow.Proof{UserID: r.UserID, Password: &password}, UserAgent: v.agent()})
	if err != nil {
		return v.askName("", err)
	}
	v.hold(out, "")
	return v.next()
}
