package web

import (
	"net/url"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// Shell is the frame of the pages for who is logged in: a bar, a navigation beside, and the
// content. The layout of an area that has it says no more than {{template "shell" .}}, and what
// the area adds to it.
type Shell struct {
	Frame
	Area    string // key of what the area is called
	Home    string // where it begins
	Title   string
	Note    string // what went well
	Problem string // what went wrong
	// Reauth is where to prove again who one is, where that would help.
	Reauth string
	// Name and Login are of who sees the page; empty: nobody is known.
	Name, Login string
	Session     string // theirs
	Face        Face
	Nav         []Group
	Crumbs      []Way      // the pages above this one
	Tabs        []Way      // the pages beside it
	Find        string     // what the visitor looks for everywhere
	Given       url.Values // what was typed into a form that was refused
	// More is what only this kind of pages knows.
	More any
}

// Way leads to a page.
type Way struct {
	URL, Text string
	Here      bool
}

// Group is a part of the navigation. Without a text it stands for itself.
type Group struct {
	Text    string
	Entries []Way
}

// Back is the page right above this one; empty: there is none.
func (s Shell) Back() string {
	if len(s.Crumbs) == 0 {
		return ""
	}
	return s.Crumbs[len(s.Crumbs)-1].URL
}

// Logout is where the visitor ends this session.
func (s Shell) Logout() string { return Login + "logout?session=" + s.Session }

// Other is where another account is chosen, for the area.
func (s Shell) Other() string {
	return Login + "account?" + url.Values{"next": {s.Home}}.Encode()
}

// Typed is what a field shows: what was typed where the form was refused, else what is
// known.
func (s Shell) Typed(name, known string) string {
	if s.Given.Has(name) {
		return s.Given.Get(name)
	}
	return known
}

// Explain says on a page what was wrong. Who has to prove anew who they are is shown the
// way.
func (v *Visit) Explain(s *Shell, err error, session *Session) {
	s.Problem = v.Sentence(err)
	if fault.Of(err).ID == "AUTH-reauth" {
		s.Reauth = v.LogIn(err, session)
	}
}
