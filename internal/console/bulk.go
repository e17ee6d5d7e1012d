package console

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"
)

// bulk is an action on several rows: a request for each.
type bulk struct {
	name, permission string // name is a key
	// help is the key of what it means, said before it is done; empty: it is done at once.
	help    string
	danger  bool
	request func(v *visit, id string) proto.Message
	// back is the path of the page that it leads to; empty: the list as it was.
	back string
}

// bulkButton does something with the chosen rows.
type bulkButton struct {
	Do, Text string
	Danger   bool
	AtOnce   bool // without asking first
}

// act does something with the chosen rows, one after the other: what fails for one says
// so and keeps nothing from the others.
func (l list[S]) act(v *visit) error {
	i := slices.IndexFunc(l.bulk, func(b bulk) bool { return v.R.PostForm.Get("do") == b.name && v.can[b.permission] })
	ids := v.R.PostForm["id"]
	if i < 0 || len(ids) == 0 {
		return v.Redirect(v.listed().String())
	}
	b, names := l.bulk[i], l.names(v)
	if b.help != "" && v.R.PostForm.Get("sure") == "" {
		return l.askFirst(v, b, ids, names)
	}
	var failed []string
	for _, id := range ids {
		if err := v.do(b.request(v, id)); err != nil {
			failed = append(failed, v.Texts.T("bulk-failed", cmp.Or(names[id], id), v.Sentence(err)))
		}
	}
	done := len(ids) - len(failed)
	if len(failed) > 0 {
		return l.show(v, append([]string{v.Texts.T("bulk-partly", done, len(ids))}, failed...))
	}
	address := v.listed().String()
	if b.back != "" {
		address = v.at(b.back)
	}
	return v.doneAt(address, "bulk&n="+strconv.Itoa(done))
}

// names are what the rows of the page are called, by id, before something is done with them.
func (l list[S]) names(v *visit) map[string]string {
	out := map[string]string{}
	res, _, err := callPage[S](v, l.ask(v, v.looksFor()), v.R.URL.Query().Get("page"))
	if err != nil { // Their ids name them too.
		return out
	}
	rows, _ := l.rows(v, res)
	for _, r := range rows {
		out[r.ID] = r.Cells[0].Text
	}
	return out
}

// listed is the address of the list with what it looks for.
func (v *visit) listed() *url.URL {
	q := v.R.URL.Query()
	q.Del("done")
	q.Del("n")
	return &url.URL{Path: v.R.URL.Path, RawQuery: q.Encode()}
}

// bulkPage asks before something is done with several rows.
type bulkPage struct {
	Help, Do, Button string
	Danger           bool
	Chosen           []option
}

func (l list[S]) askFirst(v *visit, b bulk, ids []string, names map[string]string) error {
	f, _, err := l.frame(v)
	if err != nil {
		return err
	}
	f.Crumbs = append(f.Crumbs, crumb{URL: v.R.URL.RequestURI(), Text: v.Texts.T(l.title)})
	p := bulkPage{Help: v.Texts.T(b.help), Do: b.name, Button: v.Texts.T(b.name), Danger: b.danger}
	for _, id := range ids {
		p.Chosen = append(p.Chosen, option{Value: id, Text: cmp.Or(names[id], id)})
	}
	v.show(http.StatusOK, "bulk", frame{Title: p.Button, Crumbs: f.Crumbs, More: p})
	return nil
}
