package console

import (
	"cmp"
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
	help             string   // key of what stands above; empty: nothing
	columns          []string // keys of texts
	// find is the key of what the field of the search is called; empty: there is none.
	find string
	// filters are choices beside the search.
	filters []filter
	// ask is the request for what is looked for, and for pageSize rows of it.
	ask func(v *visit, find string) proto.Message
	// rows are those of an answer, with how many there are on all pages together.
	rows func(v *visit, res S) ([]row, uint64)
	// add are ways to make more of them, and more what else can be done with them.
	add, more []entry
	// bulk are what can be done with several rows at once.
	bulk []bulk
	// ways are what can be done with one row, by its id.
	ways func(id string) []entry
	// of is the thing that the list hangs on, whose title, mark, tabs and pages above are
	// those of the page; nil: it stands for itself.
	of func(v *visit) (viewed, error)
	// crumbs are the pages above it.
	crumbs func(v *visit) []crumb
}

// filter is a choice among values of a parameter, whose texts have the keys
// name-value. The first value stands for no choice.
type filter struct {
	name   string
	values []string
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
	State   cell // see viewed
	Help    string
	Columns []string
	Rows    []viewRow
	Ways    bool // some row can be acted on
	Total   uint64
	Search  string // what the field of the search is called
	Find    string
	Filters []choice
	Begin   string // the query of the first page; empty: this is it
	Next    string // the query of the next page
	Narrow  bool   // there may be more than what is looked for
	Empty   string
	Add     []crumb
	More    []crumb
	Bulk    []bulkButton
	Failed  []string
}

// choice is a choice among values.
type choice struct {
	Name, Text string
	Options    []option
}

type option struct {
	Value, Text string
	Help        string // beneath the text, of several that can be chosen
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
	f, of, err := l.frame(v)
	if err != nil {
		return err
	}
	form := v.R.URL.Query()
	res, next, err := callPage[S](v, l.ask(v, v.looksFor()), form.Get("page"))
	if err != nil {
		return err
	}
	p := l.page(v, res)
	p.State, p.Failed = of.State, failed
	p.Help = cmp.Or(p.Help, of.Help)
	p.Begin, p.Next = beside(form, next)
	f.More = p
	status := http.StatusOK
	if len(failed) > 0 {
		status = http.StatusUnprocessableEntity
	}
	v.show(status, "list", f)
	return nil
}

// page is what is shown of an answer.
func (l list[S]) page(v *visit, res S) listPage {
	form := v.R.URL.Query()
	rows, total := l.rows(v, res)
	p := listPage{Total: total, Find: v.looksFor(), Empty: v.Texts.T(l.empty), Add: v.entries(l.add), More: v.entries(l.more)}
	p.Narrow = p.Find != "" || form.Has("page")
	for _, r := range rows {
		shown := viewRow{row: r}
		if l.ways != nil {
			shown.Actions = v.entries(l.ways(r.ID))
		}
		p.Rows, p.Ways = append(p.Rows, shown), p.Ways || len(shown.Actions) > 0
	}
	if l.find != "" {
		p.Search = v.Texts.T(l.find)
	}
	if l.help != "" {
		p.Help = v.Texts.T(l.help)
	}
	for _, c := range l.columns {
		p.Columns = append(p.Columns, v.Texts.T(c))
	}
	for _, f := range l.filters {
		p.Filters, p.Narrow = append(p.Filters, f.choice(v, form.Get(f.name))), p.Narrow || form.Get(f.name) != ""
	}
	for _, b := range l.bulk {
		if v.can[b.permission] {
			p.Bulk = append(p.Bulk, bulkButton{b.name, v.Texts.T(b.name), b.danger, b.help == ""})
		}
	}
	return p
}

// looksFor is what the visitor looks for.
func (v *visit) looksFor() string { return strings.TrimSpace(v.R.URL.Query().Get("q")) }

// frame is what is around the rows.
func (l list[S]) frame(v *visit) (f frame, of viewed, err error) {
	f.Title = v.Texts.T(l.title)
	if l.crumbs != nil {
		f.Crumbs = l.crumbs(v)
	}
	if l.of != nil {
		of, err = l.of(v)
		f.Title, f.Tabs, f.Crumbs = of.Title, of.Tabs, of.Crumbs
	}
	return f, of, err
}

// beside are the queries of the first page, where it is another one, and of the next.
func beside(form url.Values, token string) (begin, next string) {
	form.Del("done")
	form.Del("n")
	if form.Has("page") {
		form.Del("page")
		begin = "?" + form.Encode()
	}
	if token != "" {
		form.Set("page", token)
		next = "?" + form.Encode()
	}
	return begin, next
}

func (f filter) choice(v *visit, chosen string) choice {
	c := choice{Name: f.name, Text: v.Texts.T(f.name)}
	for _, value := range f.values {
		c.Options = append(c.Options, option{Value: value, Text: v.Texts.T(f.name + "-" + value), Chosen: value == chosen})
	}
	return c
}
