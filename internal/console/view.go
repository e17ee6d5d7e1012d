package console

import (
	"encoding/base64"
	"html/template"
	"net/http"

	"github.com/gatehouse/gatehouse/internal/web"
)

// view is a page about one thing: what it is, what can be done with it, and what hangs on
// it.
type view struct {
	path, permission string
	read             func(v *visit) (viewed, error)
}

// viewed is what a view shows.
type viewed struct {
	Title   string
	Face    *web.Face // beside the title; nil: none
	State   cell      // the mark beside the title; no text: none
	Help    string
	Facts   []fact
	Actions []entry // links to forms and actions, as far as the visitor may
	Parts   []part
	Line    *timeline // nil: none
	Tabs    []crumb
	Crumbs  []crumb
}

// fact is something that is known: Text is the key of its name.
type fact struct {
	Text, Value string
	Link        string
	State       string
	Code        bool    // Value is for programs, such as an id
	Mark        cell    // beside the value; no text: none
	Ways        []entry // what can be done with it, as far as the visitor may
	Help        string  // key of what to do with it; empty: nothing is said
	File        string  // the name of the file as which the value is given; empty: it is shown
}

// shownFact is a fact as the page shows it.
type shownFact struct {
	fact
	Ways []crumb
	Data template.URL // holds the file
}

// facts are what is known in words.
func (v *visit) facts(list []fact) (out []shownFact) {
	for _, f := range list {
		shown := shownFact{fact: f, Ways: v.entries(f.Ways)}
		shown.Text = v.Texts.T(f.Text)
		if f.Help != "" {
			shown.Help = v.Texts.T(f.Help)
		}
		if f.File != "" { // Base64 holds nothing that could end the address.
			shown.Data = template.URL("data:application/octet-stream;base64," + base64.StdEncoding.EncodeToString([]byte(f.Value))) //nolint:gosec // see there
		}
		out = append(out, shown)
	}
	return out
}

// part is a table beneath the facts.
type part struct {
	Title, Help string   // no title: the only part of a tab, whose name says it
	Columns     []string // keys of texts
	Rows        []viewRow
	Empty       string
	Add         []entry
}

// viewRow is a row with what can be done with it.
type viewRow struct {
	row
	Actions []crumb
}

// viewPage is what the page shows.
type viewPage struct {
	viewed
	Facts   []shownFact
	Actions []crumb
	Parts   []partPage
}

type partPage struct {
	part
	Columns []string
	Add     []crumb
}

func (w view) pages() []page {
	return []page{{path: w.path, permission: w.permission, get: func(v *visit) error {
		seen, err := w.read(v)
		if err != nil {
			return err
		}
		v.showView(http.StatusOK, seen)
		return nil
	}}}
}

// showView answers with a view.
func (v *visit) showView(status int, seen viewed) {
	p := viewPage{viewed: seen, Facts: v.facts(seen.Facts), Actions: v.entries(seen.Actions)}
	for _, part := range seen.Parts {
		shown := partPage{part: part, Add: v.entries(part.Add)}
		for _, c := range part.Columns {
			shown.Columns = append(shown.Columns, v.Texts.T(c))
		}
		p.Parts = append(p.Parts, shown)
	}
	v.show(status, "view", frame{Title: seen.Title, Tabs: seen.Tabs, Crumbs: seen.Crumbs, More: p})
}

// entries are the ways on that the visitor may go.
func (v *visit) entries(list []entry) (out []crumb) {
	for _, e := range list {
		if e.permission == "" || v.can[e.permission] {
			out = append(out, crumb{URL: v.at(e.path), Text: v.Texts.T(e.text)})
		}
	}
	return out
}
