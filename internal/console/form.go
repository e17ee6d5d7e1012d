package console

import (
	"net/http"

	"google.golang.org/protobuf/proto"
)

// form is a page that asks for a request of the contract. What was typed is kept where
// the call refuses it.
type form struct {
	path, permission string
	title, help      string // keys of texts; help may be empty
	button           string // key; empty: "save"
	// explain says more than help, in words that are no constant text; nil: nothing.
	explain func(v *visit) string
	// load gives the request with what is known now.
	load   func(v *visit) (proto.Message, error)
	fields []field
	// choose, where it is not nil, gives the fields in place of them, for the request.
	choose func(v *visit, req proto.Message) ([]field, error)
	// send makes the call; nil: the request as it is, whose answer says nothing.
	send func(v *visit, req proto.Message) (proto.Message, error)
	// then says where it leads, and what is said there: the key is "done-" and what.
	then func(v *visit, res proto.Message) (address, what string)
	// once, where it is not nil, gives what is shown once and never again, such as a
	// secret, before the way leads on; nothing: it leads on at once.
	once   func(v *visit, res proto.Message) []fact
	crumbs func(v *visit) []crumb
	more   []entry // ways beside it
}

// formPage is what the page shows.
type formPage struct {
	Help, Explained, Button string
	Inputs                  []input
	More                    []crumb
}

func (f form) pages() []page {
	return []page{{path: f.path, permission: f.permission, get: f.get, post: f.post}}
}

func (f form) get(v *visit) error {
	req, err := f.load(v)
	if err != nil {
		return err
	}
	return f.show(v, req, nil)
}

// show answers with the form, and with what was wrong with it.
func (f form) show(v *visit, req proto.Message, problem error) error {
	fields, err := f.of(v, req)
	if err != nil {
		return err
	}
	p := formPage{Button: v.Texts.T("save"), More: v.entries(f.more)}
	if f.button != "" {
		p.Button = v.Texts.T(f.button)
	}
	if f.help != "" {
		p.Help = v.Texts.T(f.help)
	}
	if f.explain != nil {
		p.Explained = f.explain(v)
	}
	for _, field := range fields {
		p.Inputs = append(p.Inputs, field.input(v, req.ProtoReflect()))
	}
	page := frame{Title: v.Texts.T(f.title), More: p}
	if f.crumbs != nil {
		page.Crumbs = f.crumbs(v)
	}
	status := http.StatusOK
	if problem != nil {
		status = http.StatusUnprocessableEntity
		v.explain(&page, v.Labeled(problem, func(name string) string { return labelOf(v, fields, name) }))
	}
	v.show(status, "form", page)
	return nil
}

// labelOf is what a field of the request is called on the page, by its name in JSON; empty:
// the form does not ask for it.
func labelOf(v *visit, fields []field, name string) string {
	for _, f := range fields {
		if f.json() == name {
			return v.Texts.T(f.label())
		}
	}
	return ""
}

func (f form) of(v *visit, req proto.Message) ([]field, error) {
	if f.choose != nil {
		return f.choose(v, req)
	}
	return f.fields, nil
}

func (f form) post(v *visit) error {
	req, err := f.load(v)
	if err != nil {
		return err
	}
	fields, err := f.of(v, req)
	if err != nil {
		return err
	}
	for _, field := range fields {
		if err := field.take(req.ProtoReflect(), v.R.PostForm); err != nil {
			return f.show(v, req, err)
		}
	}
	send := f.send
	if send == nil {
		send = func(v *visit, req proto.Message) (proto.Message, error) { return call[proto.Message](v, req) }
	}
	res, err := send(v, req)
	switch {
	case err != nil && isTheirs(err):
		return f.show(v, req, err)
	case err != nil:
		return err
	}
	return v.leadOn(f.title, f.then, f.once, res)
}
