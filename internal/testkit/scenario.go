//go:build unix

package testkit

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/database"
)

// Call is one request of a scenario and everything that it must cause. In In, Do,
// Body, Want and Header, $name stands for a variable: instance, org and owner (the
// first ones) and what earlier calls kept.
type Call struct {
	Name string
	// As names who calls: "owner" (the instance's, also where As is empty),
	// "nobody", or a name under which a token was kept.
	As string
	// In is the organization that the request names in its header.
	In string
	// Host is the host that the request names; the first instance's if empty.
	Host string
	// Do is the method and the path.
	Do     string
	Body   string
	Header map[string]string
	// Status is the expected status; 0 stands for 200.
	Status int
	// Want is JSON that the reply must contain: objects may have more members,
	// arrays must have these elements, "*" is any value that is not empty, and
	// null says that the member is absent.
	Want string
	// Keep stores values of the reply as variables: the name, and the path in the
	// reply such as "details.resourceOwner" or "result.0.id".
	Keep map[string]string
	// Token keeps the reply's string at this path as the token of KeepAs.
	Token, KeepAs string
	// Events are the types of the events that the call must write, in order; none
	// means that it must write none.
	Events []string
}

// Reply is what the server answered.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON is the reply's body as a tree.
func (r Reply) JSON(t testing.TB) any {
	t.Helper()
	var out any
	if err := json.Unmarshal(r.Body, &out); err != nil {
		t.Fatalf("reply is no JSON: %v: %s", err, r.Body)
	}
	return out
}

// Run makes the calls in order, each as a subtest, and stops at the first that
// fails: those after it would only fail for its sake.
func (s *Server) Run(t *testing.T, calls ...Call) {
	t.Helper()
	for _, c := range calls {
		if !t.Run(c.Name, func(t *testing.T) { s.Check(t, c) }) {
			t.FailNow()
		}
	}
}

// Check makes the call as part of the running test.
func (s *Server) Check(t testing.TB, c Call) {
	t.Helper()
	before := s.position(t)
	reply := s.Send(t, c)
	if want := cmp.Or(c.Status, http.StatusOK); reply.Status != want {
		t.Fatalf("%s: status %d, want %d: %s", c.Do, reply.Status, want, reply.Body)
	}
	if c.Want != "" {
		var want any
		if err := json.Unmarshal([]byte(s.Expand(c.Want)), &want); err != nil {
			t.Fatalf("Want is no JSON: %v: %s", err, s.Expand(c.Want))
		}
		if diff := contains("", reply.JSON(t), want); diff != "" {
			t.Errorf("%s: %s\nreply: %s", c.Do, diff, reply.Body)
		}
	}
	for name, path := range c.Keep {
		s.vars[name] = s.text(t, reply, path)
	}
	if c.KeepAs != "" {
		s.tokens[c.KeepAs] = s.text(t, reply, c.Token)
	}
	if got := s.eventsAfter(t, before); !slices.Equal(got, c.Events) {
		t.Errorf("%s: events %q, want %q", c.Do, got, c.Events)
	}
}

// Send makes the call's request and returns what came back, unchecked.
func (s *Server) Send(t testing.TB, c Call) Reply {
	t.Helper()
	method, path, ok := strings.Cut(s.Expand(c.Do), " ")
	if !ok {
		t.Fatalf("Do is %q, want a method and a path", c.Do)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, s.URL+path, strings.NewReader(s.Expand(c.Body)))
	if err != nil {
		t.Fatalf("request: %v", err)
	}
	if c.Host != "" {
		req.Host = s.Expand(c.Host)
	}
	if token := s.TokenOf(t, c.As); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if c.Body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.In != "" {
		req.Header.Set("X-Zitadel-Orgid", s.Expand(c.In))
	}
	for name, value := range c.Header {
		req.Header.Set(name, s.Expand(value))
	}
	res, err := s.Client.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", c.Do, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s: %v", c.Do, err)
	}
	return Reply{Status: res.StatusCode, Header: res.Header, Body: body}
}

// Set stores a variable for the calls to come.
func (s *Server) Set(name, value string) { s.vars[name] = value }

// Var is the value of a variable.
func (s *Server) Var(name string) string { return s.vars[name] }

// SetToken keeps a token under a name for As.
func (s *Server) SetToken(name, token string) { s.tokens[name] = token }

// TokenOf is the token of the named caller.
func (s *Server) TokenOf(t testing.TB, name string) string {
	t.Helper()
	if name == "" {
		name = "owner"
	}
	token, ok := s.tokens[name]
	if !ok {
		t.Fatalf("nobody kept a token as %q", name)
	}
	return token
}

// Expand fills in the variables of text. A name that is no variable stays as it is.
func (s *Server) Expand(text string) string {
	return os.Expand(text, func(name string) string {
		if v, ok := s.vars[name]; ok {
			return v
		}
		return "$" + name
	})
}

func (s *Server) text(t testing.TB, r Reply, path string) string {
	t.Helper()
	v := r.JSON(t)
	for step := range strings.SplitSeq(path, ".") {
		switch node := v.(type) {
		case map[string]any:
			v = node[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(node) {
				t.Fatalf("the reply has no %s: %s", path, r.Body)
			}
			v = node[i]
		default:
			v = nil
		}
	}
	if v == nil {
		t.Fatalf("the reply has no %s: %s", path, r.Body)
	}
	return fmt.Sprint(v)
}

func (s *Server) position(t testing.TB) uint64 {
	t.Helper()
	var last uint64
	if err := s.DB.Read(context.Background(), database.Query{
		SQL: "SELECT COALESCE(MAX(position), 0) FROM events", Row: func(scan database.Scan) error { return scan(&last) },
	}); err != nil {
		t.Fatalf("events: %v", err)
	}
	return last
}

// Events lists the types of all events so far, in order.
func (s *Server) Events(t testing.TB) []string { return s.eventsAfter(t, 0) }

func (s *Server) eventsAfter(t testing.TB, position uint64) []string {
	t.Helper()
	var out []string
	if err := s.DB.Read(context.Background(), database.Query{
		SQL: "SELECT type FROM events WHERE position > ? ORDER BY position", Args: []any{position},
		Row: func(scan database.Scan) error {
			var name string
			err := scan(&name)
			out = append(out, name)
			return err
		},
	}); err != nil {
		t.Fatalf("events: %v", err)
	}
	return out
}

// contains says where got does not contain want; "" if it does.
func contains(at string, got, want any) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return mismatch(at, got, want)
		}
		names := make([]string, 0, len(w))
		for name := range w {
			names = append(names, name)
		}
		sort.Strings(names)
		for _, name := range names {
			if w[name] == nil {
				if v, present := g[name]; present {
					return mismatch(at+"."+name, v, "nothing")
				}
				continue
			}
			if diff := contains(at+"."+name, g[name], w[name]); diff != "" {
				return diff
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return mismatch(at, got, want)
		}
		for i := range w {
			if diff := contains(fmt.Sprintf("%s.%d", at, i), g[i], w[i]); diff != "" {
				return diff
			}
		}
		return ""
	case string:
		if w == "*" && got != nil && got != "" {
			return ""
		}
	}
	if !reflect.DeepEqual(got, want) {
		return mismatch(at, got, want)
	}
	return ""
}

func mismatch(at string, got, want any) string {
	var b bytes.Buffer
	encode := json.NewEncoder(&b)
	encode.SetEscapeHTML(false)
	b.WriteString(strings.TrimPrefix(at, ".") + " is ")
	_ = encode.Encode(got)
	b.WriteString("want ")
	_ = encode.Encode(want)
	return b.String()
}
