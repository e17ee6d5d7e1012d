package console

import (
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// action is a page that asks before something is done that takes no values.
type action struct {
	path, permission string
	title, help      string // keys; help says what it means
	danger           bool
	// request is what to call.
	request func(v *visit) proto.Message
	// send makes the calls in place of request, where it takes several.
	send func(v *visit) (proto.Message, error)
	// then says where it leads, and what is said there.
	then   func(v *visit, res proto.Message) (address, what string)
	once   func(v *visit, res proto.Message) []fact // see form
	crumbs func(v *visit) []crumb
}

// actionPage is what the page shows.
type actionPage struct {
	Help   string
	Danger bool
	Button string
}

func (a action) pages() []page {
	return []page{{path: a.path, permission: a.permission, get: func(v *visit) error { return a.ask(v, nil) }, post: a.do}}
}

func (a action) ask(v *visit, problem error) error {
	f := frame{Title: v.Texts.T(a.title), More: actionPage{Help: v.Texts.T(a.help), Danger: a.danger, Button: v.Texts.T(a.title)}}
	if a.crumbs != nil {
		f.Crumbs = a.crumbs(v)
	}
	status := http.StatusOK
	if problem != nil {
		status = http.StatusUnprocessableEntity
		v.explain(&f, problem)
	}
	v.show(status, "action", f)
	return nil
}

func (a action) do(v *visit) error {
	send := a.send
	if send == nil {
		send = func(v *visit) (proto.Message, error) { return call[proto.Message](v, a.request(v)) }
	}
	res, err := send(v)
	switch {
	case err != nil && isTheirs(err):
		return a.ask(v, err)
	case err != nil:
		return err
	}
	return v.leadOn(a.title, a.then, a.once, res)
}

// leadOn leads to where an answer leads, by way of what of it nobody can see again.
func (v *visit) leadOn(title string, then func(*visit, proto.Message) (address, what string), once func(*visit, proto.Message) []fact, res proto.Message) error {
	address, what := then(v, res)
	if once != nil {
		if facts := once(v, res); len(facts) > 0 {
			v.show(http.StatusOK, "once", frame{Title: v.Texts.T(title), More: oncePage{v.facts(facts), address}})
			return nil
		}
	}
	return v.doneAt(address, what)
}

type oncePage struct {
	Facts []shownFact
	Next  string
}

// isTheirs reports whether an error is one that who filled in a form can do something
// about.
func isTheirs(err error) bool {
	switch fault.KindOf(err) {
	case fault.KindInternal, fault.KindUnavailable, fault.KindDeadline, fault.KindUnauthenticated:
		return false
	default:
		return true
	}
}

// explain says on a page what was wrong.
func (v *visit) explain(f *frame, err error) { v.Explain(f, err, v.session) }
