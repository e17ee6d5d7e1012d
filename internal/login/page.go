package login

import (
	"cmp"
	"maps"
	"net/url"
	"slices"

	"github.com/gatehouse/gatehouse/internal/web"
)

// data is what a page shows.
type data struct {
	web.Frame
	Problem   string // what went wrong, in words for people
	Note      string // what went well
	LoginName string
	Who       string // the login name as it is shown
	Session   string
	Path      string // of the page, below prefix; empty: that of the request
	// Hidden are the values that forms carry along.
	Hidden map[string]string
	// Others are ways around: paths below prefix with the keys of their texts.
	Others []way
	// More is what only one page knows.
	More any
}

// way leads to another page.
type way struct{ Path, Text string }

// carried are the parameters that say who asked for a login, from its first page to its
// last.
var carried = []string{fieldRequest, fieldDevice, fieldNext}

const (
	fieldRequest = "authRequest" // of the application that asked for the login
	fieldNext    = "next"        // the page of ours that asked for it and is to be shown after it
)

// show answers with a page.
func (v *visit) show(status int, name string, d data) {
	d.Path = cmp.Or(d.Path, v.Path())
	v.Page = d.Path
	d.Frame, d.Who = v.Frame(), v.short(d.LoginName)
	if d.Hidden == nil {
		d.Hidden = map[string]string{}
	}
	if v.current != nil {
		d.Session = v.current.ID
		d.Hidden["session"] = v.current.ID
	}
	for _, name := range carried {
		if value := v.R.Form.Get(name); value != "" {
			d.Hidden[name] = value
		}
	}
	if lost := v.R.Form.Get("lost"); lost != "" && d.Problem == "" && slices.Contains(slices.Collect(maps.Values(paths)), lost) {
		d.Problem = v.T("lost", v.T(lost))
	}
	v.Show(status, name, d)
}

// goTo sends the browser to another page, with what the flow carries along.
func (v *visit) goTo(path string, more ...string) error {
	q := url.Values{}
	if v.current != nil {
		q.Set("session", v.current.ID)
	}
	for _, name := range carried {
		if value := v.R.Form.Get(name); value != "" {
			q.Set(name, value)
		}
	}
	if v.lost != "" {
		q.Set("lost", v.lost)
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	target := prefix + path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	return v.Redirect(target)
}
