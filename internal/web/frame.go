package web

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/policy"
)

//go:embed templates/*.html
var sharedFiles embed.FS

// templates are the pages of an area by name.
type templates map[string]*template.Template

// readTemplates reads the pages of an area: each file of its templates defines the content
// of one, but for layout.html, which is around each, and those whose names begin with an
// underscore, which all of them can use.
func readTemplates(files fs.FS) templates {
	out := templates{}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		panic(err)
	}
	for _, file := range names {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "templates/"), ".html")
		if name == "layout" || strings.HasPrefix(name, "_") {
			continue
		}
		t := template.New("layout.html").Funcs(template.FuncMap{"file": File})
		t = template.Must(t.ParseFS(sharedFiles, "templates/*.html"))
		t = template.Must(t.ParseFS(files, "templates/layout.html"))
		if shared, _ := fs.Glob(files, "templates/_*.html"); len(shared) > 0 {
			t = template.Must(t.ParseFS(files, shared...))
		}
		out[name] = template.Must(t.ParseFS(files, file))
	}
	return out
}

// Texts are what pages say in one language, by key.
type Texts struct {
	Lang string
	tag  string // the form of the language that was asked for, such as de-CH
	by   map[string]string
	own  map[string]string // what somebody wrote in place of them
}

// ReadTexts reads the texts of an area by language: the files of its folder texts, whose
// names begin with the language, such as en.yaml or en.users.yaml.
func ReadTexts(files fs.FS) map[string]map[string]string {
	out := map[string]map[string]string{}
	names, err := fs.Glob(files, "texts/*.yaml")
	if err != nil {
		panic(err)
	}
	for _, file := range names {
		data, err := fs.ReadFile(files, file)
		by := map[string]string{}
		if err == nil {
			err = yaml.Unmarshal(data, &by)
		}
		lang, _, _ := strings.Cut(path.Base(file), ".")
		if out[lang] == nil {
			out[lang] = map[string]string{}
		}
		for key, text := range by {
			if _, twice := out[lang][key]; twice {
				err = errors.Join(err, fmt.Errorf("there is another %s", key))
			}
			out[lang][key] = text
		}
		if err != nil {
			panic(fmt.Errorf("%s: %w", file, err))
		}
	}
	return out
}

// textsFor gives the texts in the first language that has them, else English.
func textsFor(languages map[string]map[string]string, langs []language.Tag) Texts {
	for _, l := range langs {
		base, _ := l.Base()
		if by := languages[base.String()]; by != nil {
			return Texts{Lang: base.String(), tag: l.String(), by: by}
		}
	}
	return Texts{Lang: "en", tag: "en", by: languages["en"]}
}

// Speak has the page say what it says in the first of the languages (BCP 47) that has texts,
// before those of the browser.
func (v *Visit) Speak(preferred []string) {
	var langs []language.Tag
	for _, p := range preferred {
		if tag, err := language.Parse(p); err == nil {
			langs = append(langs, tag)
		}
	}
	v.Call.Languages = append(langs, v.Call.Languages...)
	v.Texts = textsFor(v.languages, v.Call.Languages)
}

// T is the text of a key with its arguments.
func (t Texts) T(key string, args ...any) string {
	text, ok := t.own[key]
	if !ok {
		text, ok = t.by[key]
	}
	if !ok {
		return "⟦" + key + "⟧" // Tests look that no page shows one.
	}
	return insert(text, args)
}

var slot = regexp.MustCompile(`%[sd]`)

// insert puts the arguments in the place of the slots of a text, in their order. The text may
// be of anybody: what else is in it stays as it is, and so does a slot too many.
func insert(text string, args []any) string {
	return slot.ReplaceAllStringFunc(text, func(found string) string {
		if len(args) == 0 {
			return found
		}
		found, args = fmt.Sprint(args[0]), args[1:]
		return found
	})
}

// Has reports whether there is a text of the key.
func (t Texts) Has(key string) bool { _, ok := t.by[key]; return ok }

// Or is the text of a key without arguments or, without one, another text.
func (t Texts) Or(key, other string) string {
	if text, ok := t.by[key]; ok {
		return text
	}
	return other
}

// Frame is what is around the content of every page.
type Frame struct {
	Texts
	Org   string // whose looks the page has
	Theme string // "dark", "light" or empty for what the device says
	// The addresses of pictures; empty: none. What the dark theme lacks is that of the light.
	Logo, LogoDark, Icon string
	Links                []Link
}

// Link leads out of the pages.
type Link struct{ URL, Text string }

// Frame reads what the organization's policies say about looks and links. Without them
// the page is plain and works all the same.
func (v *Visit) Frame() Frame {
	f := Frame{Texts: v.texts()}
	if v.Instance == "" {
		return f
	}
	f.Org = v.Org
	label, privacy := v.look.label, v.look.privacy
	f.Logo, f.LogoDark, f.Icon = asset(label.Doc.Logo), asset(cmp.Or(label.Doc.LogoDark, label.Doc.Logo)), asset(label.Doc.Icon)
	f.Theme = map[policy.ThemeMode]string{policy.ThemeDark: "dark", policy.ThemeLight: "light"}[label.Doc.ThemeMode]
	for _, l := range []Link{{privacy.Doc.TOSLink, "terms"}, {privacy.Doc.PrivacyLink, "privacy"}, {privacy.Doc.HelpLink, "help"}} {
		if l.URL != "" {
			f.Links = append(f.Links, v.Link(l))
		}
	}
	return f
}

// asset is the address of a picture or a font; empty for none.
func asset(key string) string {
	if key == "" {
		return ""
	}
	return api.AssetPrefix + key
}

// Link is a link of a policy, whose text is a key, in the language of the page.
func (v *Visit) Link(l Link) Link {
	return Link{strings.ReplaceAll(l.URL, policy.LanguagePlaceholder, url.PathEscape(v.Texts.Lang)), v.T(l.Text)}
}

// Show answers with a page of the area. What it shows begins with a Frame.
func (v *Visit) Show(status int, name string, page any) {
	var out bytes.Buffer
	if err := v.templates[name].Execute(&out, page); err != nil {
		slog.ErrorContext(v.Ctx, "a page cannot be shown", "error", err, "page", name, "request_id", v.Call.RequestID)
		http.Error(v.W, "The page cannot be shown.", http.StatusInternalServerError)
		return
	}
	v.W.Header().Set("Content-Security-Policy", csp(v.LeadsTo))
	v.W.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.W.Header().Set("Content-Language", v.Texts.Lang)
	v.W.WriteHeader(status)
	_, _ = v.W.Write(out.Bytes())
}
