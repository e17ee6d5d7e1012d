package test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// golden is a call with the answer that clients of the API are used to. An
// answer's "*" stands for any value; messages and sequences are left out.
type golden struct {
	Section, Name string
	Auth          *string // the Authorization header, if not the owner's
	In, Host      string
	Do, Body      string
	Status        int
	Answer        any
	Keep          map[string]string
	Diverges      string // why the answer is not the one that was recorded
}

func readGolden(t *testing.T, name string) (out []golden) {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var g golden
		if err := json.Unmarshal(lines.Bytes(), &g); err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		out = append(out, g)
	}
	return out
}

// TestGoldenREST replays the table in its own protocol: status and body, whole.
func TestGoldenREST(t *testing.T) {
	t.Parallel()
	s := startGolden(t)
	for i, g := range readGolden(t, "login-policy.jsonl") {
		t.Run(fmt.Sprintf("%03d %s", i, g.Name), func(t *testing.T) {
			c := testkit.Call{In: g.In, Host: g.Host, Do: g.Do, Body: g.Body}
			if g.Auth != nil {
				c.As, c.Header = "nobody", map[string]string{"Authorization": *g.Auth}
			}
			reply := s.Send(t, c)
			if reply.Status != g.Status {
				t.Fatalf("status %d, want %d: %s", reply.Status, g.Status, reply.Body)
			}
			if g.Answer == nil {
				return
			}
			if diff := same("", withoutNoise(reply.JSON(t)), g.Answer); diff != "" {
				t.Fatalf("%s\nreply: %s", diff, reply.Body)
			}
			if code := reply.JSON(t).(map[string]any)["code"]; code != nil && reply.JSON(t).(map[string]any)["message"] == "" {
				t.Errorf("an error without a message: %s", reply.Body)
			}
			if reply.Status == http.StatusUnauthorized && reply.Header.Get("WWW-Authenticate") == "" {
				t.Error("401 without WWW-Authenticate")
			}
			if reply.Header.Get("X-Request-Id") == "" || reply.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("headers lack the request id or the cache rule: %v", reply.Header)
			}
			keep(t, s, g, reply.JSON(t))
		})
	}
}

func startGolden(t *testing.T) *testkit.Server {
	t.Helper()
	s := testkit.Start(t)
	s.Set("token", s.Token)
	return s
}

func keep(t *testing.T, s *testkit.Server, g golden, reply any) {
	t.Helper()
	for name, member := range g.Keep {
		v, ok := reply.(map[string]any)[member].(string)
		if !ok {
			t.Fatalf("the reply has no %s: %v", member, reply)
		}
		s.Set(name, v)
	}
}

// withoutNoise drops what the table leaves out.
func withoutNoise(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "sequence")
		delete(v, "message")
		for name := range v {
			v[name] = withoutNoise(v[name])
		}
	case []any:
		for i := range v {
			v[i] = withoutNoise(v[i])
		}
	}
	return v
}

// same says where got is not exactly want.
func same(at string, got, want any) string {
	g, gok := got.(map[string]any)
	w, wok := want.(map[string]any)
	if gok && wok {
		for name := range g {
			if _, ok := w[name]; !ok {
				return fmt.Sprintf("%s.%s is %v, want nothing", at, name, g[name])
			}
		}
		for name := range w {
			if diff := same(at+"."+name, g[name], w[name]); diff != "" {
				return diff
			}
		}
		return ""
	}
	gl, gok := got.([]any)
	wl, wok := want.([]any)
	if gok && wok && len(gl) == len(wl) {
		for i := range wl {
			if diff := same(fmt.Sprintf("%s.%d", at, i), gl[i], wl[i]); diff != "" {
				return diff
			}
		}
		return ""
	}
	if want == "*" && got != nil && got != "" {
		return ""
	}
	a, _ := json.Marshal(got)
	b, _ := json.Marshal(want)
	if !bytes.Equal(a, b) {
		return fmt.Sprintf("%s is %s, want %s", strings.TrimPrefix(at, "."), a, b)
	}
	return ""
}
