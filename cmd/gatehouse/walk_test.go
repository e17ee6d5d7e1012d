//go:build unix

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit/program"
)

// step is a command of a document, and what the document says that it prints.
type step struct{ command, prints string }

// steps reads the commands of a document: indented lines that begin with $, with
// those after them that are indented further.
func steps(t *testing.T, file string) (out []step) {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		text, indented := strings.CutPrefix(line, "    ")
		command, begins := strings.CutPrefix(text, "$ ")
		switch last := len(out) - 1; {
		case !indented:
			out = append(out, step{}) // Nothing goes on here.
		case begins:
			out = append(out, step{command: command})
		case last >= 0 && out[last].command != "" && strings.HasPrefix(text, "    ") && out[last].prints == "":
			out[last].command += text
		case last >= 0 && out[last].command != "":
			out[last].prints += text
		}
	}
	return out
}

// walker does what a document tells its reader to do. What is made has other ids and
// secrets than in the document, and servers have other ports.
type walker struct {
	*node
	origin string   // of the application
	known  []string // pairs: what the document says, and what it is here
	said   string   // the assignments to variables so far
}

func (w *walker) here(text string) string { return strings.NewReplacer(w.known...).Replace(text) }

// do runs a command of the document. Its reply must have the members that the
// document shows.
func (w *walker) do(t *testing.T, s step) {
	t.Helper()
	command := w.here(s.command)
	if regexp.MustCompile(`^[A-Z]+=\S+\s*$`).MatchString(command) || strings.HasPrefix(command, "TOKEN=") {
		w.said += command
		return
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", w.said+strings.Replace(command, "curl ", "curl -sS ", 1))
	cmd.Dir = w.dir
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v %s", command, err, &problems)
	}
	var shown, is map[string]any
	if err := json.Unmarshal([]byte(s.prints), &shown); err != nil {
		t.Fatalf("%s: the document shows %q", command, s.prints)
	}
	if err := json.Unmarshal(out, &is); err != nil {
		t.Fatalf("%s: %s", command, out)
	}
	for name, value := range shown {
		if is[name] == nil || reflect.TypeOf(is[name]) != reflect.TypeOf(value) {
			t.Errorf("%s: the document shows %s, here it is %s", command, s.prints, out)
		}
		if text, ok := value.(string); ok {
			w.known = append(w.known, text, fmt.Sprint(is[name]))
		}
	}
	if len(is) != len(shown) {
		t.Errorf("%s: the document shows %s, here it is %s", command, s.prints, out)
	}
}

// freeOrigin is where an application can listen.
func freeOrigin(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return "http://localhost:" + port
}

// run runs an application by the command of the document until the test ends.
func (w *walker) run(t *testing.T, folder string, s step) {
	t.Helper()
	out := &program.Output{}
	cmd := exec.Command("bash", "-c", "exec env "+w.here(s.command))
	cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = folder, out, out, &syscall.SysProcAttr{Setpgid: true}
	cmd.Env = append(os.Environ(), "ISSUER="+w.url, "ORIGIN="+w.origin)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // With the program that go run started.
		<-ended
	})
	for range 3000 {
		if strings.Contains(out.String(), w.here(s.prints)) {
			return
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s: %v\n%s", s.command, err, out)
		case <-time.After(20 * time.Millisecond):
		}
	}
	t.Fatalf("%s: %s", s.command, out)
}

// visitor is a browser without scripts, and the page that it shows.
type visitor struct {
	http.Client
	at   *url.URL
	page string
}

func newVisitor(t *testing.T) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &visitor{Client: http.Client{Timeout: client.Timeout, Jar: jar}}
}

func (v *visitor) open(t *testing.T, method, at string, form url.Values) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), method, at, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
	}
	req.Header.Set("Accept", "text/html")
	res, err := v.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if v.at, v.page = res.Request.URL, string(body); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %s %v", at, res.StatusCode, body, err)
	}
}

var (
	aForm  = regexp.MustCompile(`(?s)<form method="post" action="([^"]*)"(.*?)</form>`)
	hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// submit sends the form of the page that has a text in it.
func (v *visitor) submit(t *testing.T, text string, fields ...string) {
	t.Helper()
	for _, form := range aForm.FindAllStringSubmatch(v.page, -1) {
		if !strings.Contains(form[2], text) {
			continue
		}
		values := url.Values{}
		for _, m := range hidden.FindAllStringSubmatch(form[2], -1) {
			values.Set(m[1], html.UnescapeString(m[2]))
		}
		for i := 0; i < len(fields); i += 2 {
			values.Set(fields[i], fields[i+1])
		}
		to, err := v.at.Parse(html.UnescapeString(form[1]))
		if err != nil {
			t.Fatal(err)
		}
		v.open(t, http.MethodPost, to.String(), values)
		return
	}
	t.Fatalf("%s has no form with %q:\n%s", v.at, text, v.page)
}

// visit logs ada in at the application, looks at what it says, and logs out.
func (w *walker) visit(t *testing.T, want ...string) {
	t.Helper()
	v := newVisitor(t)
	v.open(t, http.MethodGet, w.origin+"/login", nil)
	v.submit(t, "Go on", "loginName", "ada")
	v.submit(t, "Go on", "proof", "Correct-Horse-1")
	if !strings.HasPrefix(v.at.String(), w.origin) {
		v.submit(t, "Not now")
	}
	for _, text := range append(want, "You are logged in.", `"email": "ada@example.com"`, `"sub": "`+w.here("100548030284955649")+`"`) {
		if v.at.String() != w.origin+"/" || !strings.Contains(html.UnescapeString(v.page), text) {
			t.Errorf("%s does not show %s:\n%s", v.at, text, v.page)
		}
	}
	v.open(t, http.MethodGet, w.origin+"/logout", nil)
	if v.at.String() != w.origin+"/" || !strings.Contains(v.page, "Log in") {
		t.Errorf("after the logout %s shows\n%s", v.at, v.page)
	}
	v.open(t, http.MethodGet, w.origin+"/login", nil)
	if !strings.Contains(v.page, `name="loginName"`) {
		t.Errorf("the session outlives the logout:\n%s", v.page)
	}
}

// TestFirstApplication walks through docs/oidc.md: each command does what the page
// says, and people log in at both applications.
func TestFirstApplication(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	w := &walker{node: serve(t, t.TempDir()), origin: freeOrigin(t)}
	w.known = []string{"http://localhost:8080", w.url, "localhost:8080", strings.TrimPrefix(w.url, "http://"), "http://localhost:3000", w.origin}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var inGo, inJavaScript, install step
	for _, s := range steps(t, "../../docs/oidc.md") {
		switch {
		case s.command == "":
		case strings.Contains(s.command, "go run "):
			inGo = s
		case strings.Contains(s.command, "node "):
			inJavaScript = s
		case strings.Contains(s.command, "npm "):
			install = s
		default:
			w.do(t, s)
		}
	}
	const roles = `"urn:zitadel:iam:org:project:roles"`
	t.Run("Go", func(t *testing.T) {
		w.run(t, root, inGo)
		w.visit(t, roles)
	})
	t.Run("JavaScript", func(t *testing.T) {
		folder := t.TempDir()
		if err := os.CopyFS(filepath.Join(folder, "docs", "examples", "javascript"), os.DirFS(filepath.Join(root, "docs", "examples", "javascript"))); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		npm := exec.CommandContext(ctx, "bash", "-c", install.command)
		npm.Dir = folder
		if out, err := npm.CombinedOutput(); err != nil {
			t.Skipf("%v %s", err, out)
		}
		w.run(t, folder, inJavaScript)
		w.visit(t, roles)
	})
	w.stop(t)
}
