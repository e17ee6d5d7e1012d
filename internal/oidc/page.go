package oidc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse/gatehouse/internal/oauth"
)

// The pages are few and plain: they show what went wrong, or pass an answer on. They
// have no address of others in them but the one that an application registered.
var pages = template.Must(template.New("").Parse(`{{define "head"}}<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{{.Title}}</title></head>
<body><main><h1>{{.Title}}</h1>{{end}}
{{define "text"}}{{template "head" .}}<p>{{.Text}}</p></main></body></html>{{end}}
{{define "post"}}{{template "head" .}}<form method="post" action="{{.URI}}">{{range .Parameters}}<input type="hidden" name="{{index . 0}}" value="{{index . 1}}">{{end}}<noscript><button>Continue</button></noscript></form></main><script>` + submit + `</script></body></html>{{end}}`))

// submit is the only script. The policy of its page names it by its digest.
const submit = "document.forms[0].submit()"

var submitDigest = func() string {
	sum := sha256.Sum256([]byte(submit))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

type page struct {
	Title, Text string
	// URI is where an application registered to be; it is checked already.
	URI        template.URL
	Parameters [][2]string
}

// show writes a page. more is of its Content-Security-Policy.
func show(w http.ResponseWriter, status int, name string, p page, more string) {
	var out bytes.Buffer
	if err := pages.ExecuteTemplate(&out, name, p); err != nil { // The templates are fixed, and write to memory.
		panic(err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"+more)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes())
}

// showError says what is wrong to whoever is there, since nobody can be sent
// anywhere: as a page to a browser, else as JSON.
func showError(ctx context.Context, w http.ResponseWriter, r *http.Request, err error) {
	f, status := explain(ctx, err)
	if status == http.StatusUnauthorized {
		status = http.StatusBadRequest
	}
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		show(w, status, "text", page{Title: "This login cannot go on", Text: f.Text}, "; form-action 'none'")
		return
	}
	reply(w, status, f)
}

// postAnswer is the page that posts an answer to a client (form_post).
func postAnswer(w http.ResponseWriter, a oauth.Answer) {
	action := "'none'"
	if u, err := url.Parse(a.URI); err == nil {
		action = u.Scheme + ":"
		if u.Host != "" {
			action += "//" + u.Host
		}
	}
	show(w, http.StatusOK, "post", page{Title: "Back to the application", URI: template.URL(a.URI), Parameters: a.Parameters}, //nolint:gosec // registered, and checked
		"; script-src "+submitDigest+"; form-action "+action)
}
