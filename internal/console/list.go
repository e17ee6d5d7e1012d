package console

import (
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/protobuf/proto"
)

// pageSize is how many rows a page of a list has.
const pageSize = 25

// list is a page of rows, which are read by key: any page of a list of any size takes the
// same time.
type list[S proto.Message] struct {
	path, permission string
	title, empty     string   // keys of texts; empty teaches what could be here
	columns          []string // keys of texts
	// find is the key of what the field of the search is called; empty: there is none.
	find string
	// filters are choices beside the search.
	filters []filter
	// ask is the request for what is looked for, and for pageSize rows of it.
	ask func(v *visit, find string) proto.Message
	// rows are those of an answer, with how many there are on all pages together.
	rows func(v *visit, res S) ([]row, uint64)
	// add are ways to make more of them.
	add []entry
	// bulk are what can be done with several rows at once.
	bulk []bulk
	tabs func(v *visit) []crumb
	// crumbs are the pages above it.
	crumbs func(v *visit) []crumb
}

// filter is a choice among values of a parameter, whose texts have the keys
// name-value. The first value stands for no choice.
type filter struct {
	name   string
	values []string
}

// bulk is an action on several rows: a request for each.
type bulk struct {
	name, permission string // name is a key
	request          func(v *visit, id string) proto.Message
}

// row is a row of a list. Its first cell leads to it.
type row struct {
	ID    string
	Link  string // empty: nowhere
	Cells []cell
}

// cell is a text, with how it looks.
type cell struct {
	Text  string
	Quiet string // beneath it, of less weight
	State string // "good", "bad" or "idle": it is shown as a mark
}

// listPage is what the page shows.
type listPage struct {
	Columns []string
	Rows    []row
	Total   uint64
	Search  string // what the field of the search is called
	Find    string
	Filters []choice
	Next    string // the query of the next page
	First   bool
	Empty   string
	Add     []crumb
	Bulk    []crumb // URL is the name of the action
	Failed  []string
}

// choice is a choice among values.
type choice struct {
	Name, Text string
	Options    []option
}

type option struct {
	Value, Text string
	Chosen      bool
}

func (l list[S]) pages() []page {
	p := page{path: l.path, permission: l.permission, get: func(v *visit) error { return l.show(v, nil) }}
	if len(l.bulk) > 0 {
		p.post = l.act
	}
	return []page{p}
}

// show answers with the page. failed are the sentences of what did not succeed on it.
func (l list[S]) show(v *visit, failed []string) error {
	form := v.R.URL.Query()
	find := strings.TrimSpace(form.Get("q"))
	res, next, err := callPage[S](v, l.ask(v, find), form.Get("page"))
	if err != nil {
		return err
	}
	rows, total := l.rows(v, res)
	p := listPage{Rows: rows, Total: total, Find: find, Empty: v.Texts.T(l.empty), First: form.Get("page") == "", Failed: failed}
	if l.find != "" {
		p.Search = v.Texts.T(l.find)
	}
	for _, c := range l.columns {
		p.Columns = append(p.Columns, v.Texts.T(c))
	}
	for _, f := range l.filters {
		p.Filters = append(p.Filters, f.choice(v, form.Get(f.name)))
	}
	if next != "" {
		form.Set("page", next)
		form.Del("done")
		p.Next = form.Encode()
	}
	for _, e := range l.add {
		if v.can[e.permission] {
			p.Add = append(p.Add, crumb{URL: v.at(e.path), Text: v.Texts.T(e.text)})
		}
	}
	for _, b := range l.bulk {
		if v.can[b.permission] {
			p.Bulk = append(p.Bulk, crumb{URL: b.name, Text: v.Texts.T(b.name)})
		}
	}
	f := frame{Title: v.Texts.T(l.title), More: p}
	if l.tabs != nil {
		f.Tabs = l.tabs(v)
	}
	if l.crumbs != nil {
		f.Crumbs = l.crumbs(v)
	}
	status := http.StatusOK
	if len(failed) > 0 {
		status = http.StatusUnprocessableEntity
	}
	v.show(status, "list", f)
	return nil
}

func (f filter) choice(v *visit, chosen string) choice {
	c := choice{Name: f.name, Text: v.Texts.T(f.name)}
	for _, value := range f.values {
		c.Options = append(c.Options, option{Value: value, Text: v.Texts.T(f.name + "-" + value), Chosen: value == chosen})
	}
	return c
}

// act does something with the chosen rows, one after the other: what fails for one says
// so and keeps nothing from the others.
func (l list[S]) act(v *visit) error {
	var failed []string
	done := 0
	for _, b := range l.bulk {
		if v.R.PostForm.Get("do") != b.name || !v.can[b.permission] {
			continue
		}
		for _, id := range v.R.PostForm["id"] {
			if err := v.do(b.request(v, id)); err != nil {
				failed = append(failed, v.Texts.T("bulk-failed", id, v.Sentence(err)))
				continue
			}
			done++
		}
	}
	if len(failed) > 0 {
		return l.show(v, failed)
	}
	address := &url.URL{Path: v.R.URL.Path, RawQuery: v.R.URL.RawQuery}
	if done == 0 {
		return v.Redirect(address.String())
	}
	return v.doneAt(address.String(), "bulk")
}
