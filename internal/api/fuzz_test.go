package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// FuzzForwarded: who is no trusted proxy changes nothing by headers, and what a proxy says
// is an address, a host and the id of a request, or does not count.
func FuzzForwarded(f *testing.F) {
	f.Add("192.0.2.1:1", "id.example:443", "10.0.0.1, 8.8.8.8", "evil.example", "https", "proxy-id-0001")
	f.Add("10.0.0.1:1", "internal", "8.8.8.8, ::ffff:10.0.0.9", "a, [::1]:80", "http,https", "x\" level=\"y")
	f.Add("[fd00::1]:1", "[::1]", "unknown, _hidden", "", "HTTPS", strings.Repeat("a", 200))
	e := &Edge{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}
	f.Fuzz(func(t *testing.T, peer, host, by, of, scheme, id string) {
		origin := func(headers bool) *Call {
			r := &http.Request{Header: http.Header{}, Host: host, RemoteAddr: peer, URL: &url.URL{}}
			if headers {
				r.Header = http.Header{"X-Forwarded-For": {by}, "X-Forwarded-Host": {of}, "X-Forwarded-Proto": {scheme}, "X-Request-Id": {id}}
			}
			c := &Call{RequestID: "ours"}
			e.origin(c, r)
			return c
		}
		plain, got := origin(false), origin(true)
		if !got.Trusted && (got.Host != plain.Host || got.RemoteIP != plain.RemoteIP || got.Secure || got.RequestID != "ours") {
			t.Errorf("%q is believed: %+v", peer, got)
		}
		if ip, err := netip.ParseAddr(got.RemoteIP); got.RemoteIP != "" && (err != nil || ip.Is4In6()) {
			t.Errorf("the caller is at %q", got.RemoteIP)
		}
		if got.RequestID != "ours" && (got.RequestID != id || len(id) > 128 || strings.ContainsAny(id, "\"\r\n ")) {
			t.Errorf("the id is %q", got.RequestID)
		}
		_ = languages(by)
	})
}

// contractOf gives the methods with a route, in order.
func contractOf(f *testing.F) (methods []*Method, routes *router) {
	f.Helper()
	contract, err := Contract()
	if err != nil {
		f.Fatal(err)
	}
	routes = newRouter()
	for _, m := range contract {
		for _, r := range m.Routes {
			if err := routes.add(m, r); err != nil {
				f.Fatal(err)
			}
		}
	}
	return slices.DeleteFunc(contract, func(m *Method) bool { return len(m.Routes) == 0 }), routes
}

// FuzzRouter: a path leads to a method whose route gives the path again, with what was found
// for its variables.
func FuzzRouter(f *testing.F) {
	methods, routes := contractOf(f)
	for i := 0; i < len(methods); i += 20 {
		f.Add(methods[i].Routes[0].Verb, methods[i].Routes[0].Path)
	}
	f.Add("GET", "//v2/users/%2e%2e/x")
	f.Fuzz(func(t *testing.T, verb, path string) {
		e, values, ok := routes.find(verb, path)
		if !ok || e == nil {
			return
		}
		again := e.route.Path
		for _, v := range values {
			if v.value == "" && !strings.Contains(path, "//") && !strings.HasSuffix(path, "/") {
				t.Errorf("%q: %s is empty", path, v.name)
			}
			again = strings.Replace(again, "{"+v.name+manySegments, v.value, 1)
			again = strings.Replace(again, "{"+v.name+"}", v.value, 1)
		}
		if strings.TrimPrefix(again, "/") != strings.TrimPrefix(path, "/") || e.route.Verb != verb {
			t.Errorf("%s %q leads to %s %s, which is %q", verb, path, e.route.Verb, e.route.Path, again)
		}
	})
}

// FuzzTranscode: a query and a body make a message or a refusal of the caller, and what the
// path says cannot be said otherwise beside it.
func FuzzTranscode(f *testing.F) {
	methods, _ := contractOf(f)
	s, err := New(nil)
	if err != nil {
		f.Fatal(err)
	}
	for i, query := range []string{"a=b", "query.limit=5&query.asc=true", "userId=other&user_id=third", "a.b.c.d=1", "%zz", "state=1&state=x", "ids=1&ids=2", "x=%00", "page.limit=-1"} {
		f.Add(i*37, query, []byte(`{"name":"x","userId":"other"}`), "the%20value")
	}
	f.Fuzz(func(t *testing.T, number int, query string, body []byte, value string) {
		m := methods[uint(number)%uint(len(methods))]
		route := m.Routes[uint(number)/uint(len(methods))%uint(len(m.Routes))]
		var values []pathValue
		for _, name := range variables(route.Path) {
			values = append(values, pathValue{name, value})
		}
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(string(body)))
		r.URL.RawQuery = query
		req := dynamicpb.NewMessage(m.Descriptor.Input())
		if err := s.readREST(httptest.NewRecorder(), r, route, values, req); err != nil {
			if fault.KindOf(err) != fault.KindInvalid {
				t.Errorf("%s: %v", m.Procedure, err)
			}
			return
		}
		if err := validateMessage(req); err != nil && fault.KindOf(err) != fault.KindInvalid {
			t.Errorf("%s: %v", m.Procedure, err)
		}
		plain, err := url.PathUnescape(value)
		for _, v := range values {
			if got := textAt(req, strings.Split(v.name, ".")); err != nil || got != plain {
				t.Errorf("%s: %s is %q and not %q (%v)", m.Procedure, v.name, got, plain, err)
			}
		}
	})
}

// textAt is the text of a field; fields of other types are all that is asked for.
func textAt(m protoreflect.Message, path []string) string {
	f := m.Descriptor().Fields().ByTextName(path[0])
	if len(path) > 1 {
		return textAt(m.Get(f).Message(), path[1:])
	}
	if f.Kind() != protoreflect.StringKind {
		return m.Get(f).String()
	}
	return m.Get(f).String()
}

// FuzzJSON: what is read from JSON is the same once it is written and read again, and what is
// unknown or too deep neither changes it nor stops the server.
func FuzzJSON(f *testing.F) {
	methods, _ := contractOf(f)
	for i, body := range []string{
		`{"name":"x"}`, `{"query":{"limit":5,"asc":true},"queries":[{"nameQuery":{"name":"x","method":"TEXT_QUERY_METHOD_EQUALS"}}]}`, `{"unknown":{"a":[1,{"b":null}]},"name":"x"}`,
		`{"a":` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `}`, `{"lifetime":"5s","expirationDate":"2030-01-01T00:00:00Z"}`, `{"x":1e400}`, "\xff", `{"state":"NONE"}`, `null`, `{"a":1}{"b":2}`,
	} {
		f.Add(i*41, []byte(body))
	}
	f.Fuzz(func(t *testing.T, number int, body []byte) {
		m := methods[uint(number)%uint(len(methods))]
		one := dynamicpb.NewMessage(m.Descriptor.Input())
		if err := readJSON(body, one); err != nil {
			if fault.KindOf(err) != fault.KindInvalid {
				t.Errorf("%s: %v", m.Procedure, err)
			}
			return
		}
		if err := validateMessage(one); err != nil && fault.KindOf(err) != fault.KindInvalid {
			t.Errorf("%s: %v", m.Procedure, err)
		}
		written, err := writeJSON.Marshal(one)
		if err != nil {
			t.Fatalf("%s: %v", m.Procedure, err)
		}
		two := dynamicpb.NewMessage(m.Descriptor.Input())
		if err := readJSON(written, two); err != nil || !proto.Equal(one, two) {
			t.Errorf("%s: %s is read as %v and then as %v (%v)", m.Procedure, body, one, two, err)
		}
		if strings.HasPrefix(string(body), "{") && json.Valid(body) {
			more := dynamicpb.NewMessage(m.Descriptor.Input())
			if err := readJSON(append([]byte(`{"thereIsNoSuchKey":{"deep":[[]]},`), body[1:]...), more); err == nil && !proto.Equal(one, more) {
				t.Errorf("%s: an unknown key changes %s to %v", m.Procedure, body, more)
			}
		}
	})
}
