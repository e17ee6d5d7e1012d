package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"strings"

	"github.com/gatehouse/gatehouse/internal/policy"
)

//go:embed static
var staticFiles embed.FS

// versions are the digests of the files that browsers may keep, by name.
var versions = func() map[string]string {
	out := map[string]string{}
	entries, err := staticFiles.ReadDir("static")
	if err != nil { // The folder is embedded.
		panic(err)
	}
	for _, e := range entries {
		data, err := staticFiles.ReadFile("static/" + e.Name())
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(data)
		out[e.Name()] = hex.EncodeToString(sum[:6])
	}
	return out
}()

// File is the address of a static file. It changes with the file, so that browsers may
// keep what they got for good.
func File(name string) string { return static + name + "?v=" + versions[name] }

// Static answers with the files and colors of all areas, under /ui/static/.
type Static struct{ pages http.Handler }

// NewStatic makes the handler.
func NewStatic(c Common) *Static {
	files, err := fs.Sub(staticFiles, "static")
	if err != nil { // The folder is embedded.
		panic(err)
	}
	colors := (&Area{Common: c, Prefix: static, Fail: func(v *Visit, status int, problem string) { http.Error(v.W, problem, status) }}).Page(showColors)
	mux := http.NewServeMux()
	mux.Handle("GET "+static, http.StripPrefix(static, kept(http.FileServerFS(files))))
	mux.Handle("GET "+static+"colors.css", colors)
	return &Static{Guard(mux)}
}

// Serves reports whether a path is one of the files.
func (*Static) Serves(path string) bool { return strings.HasPrefix(path, static) }

func (s *Static) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.pages.ServeHTTP(w, r) }

// kept lets browsers keep a file whose address names its version.
func kept(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		age := "300"
		if v := r.URL.Query().Get("v"); v != "" && v == versions[strings.TrimPrefix(r.URL.Path, "/")] {
			age = "31536000, immutable"
		}
		w.Header().Set("Cache-Control", "public, max-age="+age)
		h.ServeHTTP(w, r)
	})
}

// showColors is the stylesheet of an organization's colors.
func showColors(v *Visit) error {
	label, err := policy.ResolveActiveLabel(v.Ctx, v.Store, v.Scope(v.R.Form.Get("org")))
	if err != nil {
		return err
	}
	v.W.Header().Set("Content-Type", "text/css; charset=utf-8")
	v.W.Header().Set("Cache-Control", "private, max-age=60")
	_, _ = v.W.Write([]byte(stylesheet(label.Doc)))
	return nil
}
