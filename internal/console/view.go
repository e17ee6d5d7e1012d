package console

import "net/http"

// view is a page about one thing: what it is, what can be done with it, and what hangs on
// it.
type view struct {
	path, permission string
	read             func(v *visit) (viewed, error)
}

// viewed is what a view shows.
type viewed struct {
	Title   string
	State   cell // the mark beside the title; no text: none
	Help    string
	Facts   []fact
	Actions []entry // links to forms and actions, as far as the visitor may
	Parts   []part
	Tabs    []crumb
	Crumbs  []crumb
}

// fact is something that is known: Text is the key of its name.
type fact struct {
	Text, Value string
	Link        string
	State       string
	Code        bool // Value is for programs, such as an id
}

// part is a table beneath the facts.
type part struct {
	Title, Help string
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
	Facts   []fact
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
	p := viewPage{viewed: seen, Actions: v.entries(seen.Actions)}
	for _, f := range seen.Facts {
		f.Text = v.Texts.T(f.Text)
		p.Facts = append(p.Facts, f)
	}
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
