package login

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"

	"github.com/gatehouse/gatehouse/internal/policy"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed texts/*.yaml
var textFiles embed.FS

// templates are the pages: each file defines the content of one, layout.html what is
// around it.
var templates = sync.OnceValue(func() map[string]*template.Template {
	out := map[string]*template.Template{}
	entries, err := templateFiles.ReadDir("templates")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".html"); ok && name != "layout" {
			out[name] = template.Must(template.New("layout.html").ParseFS(templateFiles, "templates/layout.html", "templates/"+e.Name()))
		}
	}
	return out
})

// texts are what pages say in one language, by key.
type texts struct {
	Lang string
	by   map[string]string
}

// languages are the texts by language.
var languages = sync.OnceValue(func() map[string]map[string]string {
	out := map[string]map[string]string{}
	entries, err := textFiles.ReadDir("texts")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		data, err := textFiles.ReadFile("texts/" + e.Name())
		by := map[string]string{}
		if err == nil {
			err = yaml.Unmarshal(data, &by)
		}
		if err != nil {
			panic(fmt.Errorf("%s: %w", e.Name(), err))
		}
		out[strings.TrimSuffix(e.Name(), ".yaml")] = by
	}
	return out
})

// textsFor gives the texts in the first language that has them, else English.
func textsFor(langs []language.Tag) texts {
	for _, l := range langs {
		base, _ := l.Base()
		if by := languages()[base.String()]; by != nil {
			return texts{base.String(), by}
		}
	}
	return texts{"en", languages()["en"]}
}

// T is the text of a key with its arguments.
func (t texts) T(key string, args ...any) string {
	text, ok := t.by[key]
	if !ok {
		return key // A test looks that there is none.
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// data is what a page shows.
type data struct {
	texts
	Problem   string // what went wrong, in words for people
	Note      string // what went well
	LoginName string
	Session   string
	Path      string // of the page, below Prefix
	// Hidden are the values that forms carry along.
	Hidden map[string]string
	// Others are ways around: paths below Prefix with the keys of their texts.
	Others []way
	// More is what only one page knows.
	More any

	Org   string // whose looks the page has
	Theme string // "dark", "light" or empty for what the device says
	Links []link
}

// way leads to another page.
type way struct{ Path, Text string }

// link leads out of the pages.
type link struct{ URL, Text string }

// carried are the parameters that say who asked for a login, from its first page to its
// last.
var carried = []string{"authRequest", fieldDevice}

// show answers with a page.
func (v *visit) show(status int, name string, d data) {
	d.texts, d.Path = v.texts, cmp.Or(d.Path, v.path())
	if d.Hidden == nil {
		d.Hidden = map[string]string{}
	}
	if v.current != nil {
		d.Session = v.current.ID
		d.Hidden["session"] = v.current.ID
	}
	for _, name := range carried {
		if value := v.r.Form.Get(name); value != "" {
			d.Hidden[name] = value
		}
	}
	if lost := v.r.Form.Get("lost"); lost != "" && d.Problem == "" && slices.Contains(slices.Collect(maps.Values(paths)), lost) {
		d.Problem = v.texts.T("lost", v.texts.T(lost))
	}
	v.brand(&d)
	var out bytes.Buffer
	if err := templates()[name].Execute(&out, d); err != nil {
		http.Error(v.w, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	v.w.Header().Set("Content-Security-Policy", csp(v.leadsTo))
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.Header().Set("Content-Language", v.texts.Lang)
	v.w.WriteHeader(status)
	_, _ = v.w.Write(out.Bytes())
}

// brand adds what the organization's policies say about looks and links. Without
// them the page is plain and works all the same.
func (v *visit) brand(d *data) {
	if v.instance == "" {
		return
	}
	d.Org = v.org
	var label policy.State[policy.LabelPolicy]
	var privacy policy.State[policy.PrivacyPolicy]
	if v.store.Read(v.ctx, policy.AskActiveLabel(v.scope(v.org), &label), policy.Privacy.Ask(v.scope(v.org), &privacy)) != nil {
		return
	}
	d.Theme = map[policy.ThemeMode]string{policy.ThemeDark: "dark", policy.ThemeLight: "light"}[label.Doc.ThemeMode]
	for _, l := range []link{{privacy.Doc.TOSLink, "terms"}, {privacy.Doc.PrivacyLink, "privacy"}, {privacy.Doc.HelpLink, "help"}} {
		if l.URL != "" {
			d.Links = append(d.Links, link{strings.ReplaceAll(l.URL, policy.LanguagePlaceholder, url.PathEscape(v.texts.Lang)), v.texts.T(l.Text)})
		}
	}
}

// goTo sends the browser to another page, with what the flow carries along.
func (v *visit) goTo(path string, more ...string) error {
	q := url.Values{}
	if v.current != nil {
		q.Set("session", v.current.ID)
	}
	for _, name := range carried {
		if value := v.r.Form.Get(name); value != "" {
			q.Set(name, value)
		}
	}
	if v.lost != "" {
		q.Set("lost", v.lost)
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	target := Prefix + path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	http.Redirect(v.w, v.r, target, http.StatusSeeOther)
	return nil
}
