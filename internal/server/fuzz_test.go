package server_test

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"github.com/gatehouse/gatehouse/internal/api"
)

// built are the methods that answer and match, in order.
func (w *world) built(f *testing.F, match func(*api.Method) bool) []*api.Method {
	f.Helper()
	contract, err := api.Contract()
	if err != nil {
		f.Fatal(err)
	}
	is := w.API.Built()
	return slices.DeleteFunc(contract, func(m *api.Method) bool { return !is[m.Procedure] || !match(m) })
}

// addCalls adds a seed for some of so many methods.
func addCalls(f *testing.F, count int) {
	f.Helper()
	full := slices.Repeat([]byte{1, 50, 2, 0}, 40)
	for i := 0; i < count; i += 5 {
		f.Add(uint(i), slices.Concat([]byte{byte(i)}, full), []string{"x", `'"%_\`, "ada", "é\u2028", strings.Repeat("x", 300), ""}[i%6])
	}
}

// FuzzCalls: no call of the contract, by whoever may make all of them, is a mistake of the
// server, whatever it says.
func FuzzCalls(f *testing.F) {
	w := newWorld(f)
	methods := w.built(f, func(*api.Method) bool { return true })
	addCalls(f, len(methods))
	f.Fuzz(func(t *testing.T, number uint, data []byte, text string) {
		w.call(t, methods[number%uint(len(methods))], data, text, "X-Gatehouse-Dry-Run", "true")
	})
}

// FuzzLists: no list and no search fails for what it is filtered by and in which order.
func FuzzLists(f *testing.F) {
	w := newWorld(f)
	methods := w.built(f, func(m *api.Method) bool {
		name := string(m.Descriptor.Name())
		return strings.HasPrefix(name, "List") || strings.HasPrefix(name, "Search")
	})
	if len(methods) < 60 {
		f.Fatalf("there are %d lists", len(methods))
	}
	addCalls(f, len(methods))
	f.Fuzz(func(t *testing.T, number uint, data []byte, text string) {
		w.call(t, methods[number%uint(len(methods))], data, text)
	})
}

// call makes a call of a message that is made of bytes.
func (w *world) call(t *testing.T, m *api.Method, data []byte, text string, header ...string) {
	t.Helper()
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "?")
	}
	by := &maker{data: data, text: text, ids: w.ids}
	org := []string{"acme", "", "other"}[by.next()%3]
	body, err := proto.Marshal(by.message(m.Descriptor.Input(), 0).Interface())
	if err != nil {
		return
	}
	r := request(http.MethodPost, m.Procedure, string(body), append(header, "Content-Type", "application/proto", "Authorization", "Bearer "+w.Token, "X-Zitadel-Orgid", org)...)
	w.answer(t, r)
}

// FuzzFrames: what comes as a message of gRPC, gRPC-Web, its text form or Connect is one or is
// refused, and nobody is let in by it.
func FuzzFrames(f *testing.F) {
	w := newWorld(f)
	frame := func(flag byte, length uint32, data string) string {
		return string(binary.BigEndian.AppendUint32([]byte{flag}, length)) + data
	}
	for i, body := range []string{frame(0, 3, "\n\x01a"), frame(1, 3, "\n\x01a"), frame(0, 1<<31, "x"), frame(0, 0, "") + frame(0, 0, ""), frame(0x80, 2, "a:"), "\x00\x00", `{"name":"x"}`} {
		f.Add(uint(i), uint(i), body, "")
		f.Add(uint(i), uint(3), base64.StdEncoding.EncodeToString([]byte(body)), "gzip")
	}
	types := []string{"application/grpc", "application/grpc+proto", "application/grpc-web+proto", "application/grpc-web-text+proto", "application/grpc-web+json", "application/json", "application/proto", "application/connect+proto"}
	procedures := slices.Sorted(maps.Keys(w.API.Built()))
	public := w.built(f, func(m *api.Method) bool { return m.Permission == api.Public })
	f.Fuzz(func(t *testing.T, number, kind uint, body, encoding string) {
		procedure := procedures[number%uint(len(procedures))]
		for _, token := range []string{"", w.Token} {
			r := request(http.MethodPost, procedure, body, "Content-Type", types[kind%uint(len(types))], "X-Gatehouse-Dry-Run", "true", "Te", "trailers")
			if token != "" {
				r.Header.Set("Authorization", "Bearer "+token)
			}
			if encoding != "" && !strings.ContainsAny(encoding, "\r\n\x00") {
				for _, name := range []string{"Grpc-Encoding", "Content-Encoding", "Connect-Content-Encoding"} {
					r.Header.Set(name, encoding)
				}
			}
			res := w.answer(t, r)
			isPublic := slices.ContainsFunc(public, func(m *api.Method) bool { return m.Procedure == procedure })
			good := res.Code == http.StatusOK && (strings.HasPrefix(types[kind%uint(len(types))], "application/json") || res.Result().Trailer.Get("Grpc-Status") == "0")
			if token == "" && good && !isPublic {
				t.Errorf("%s answers nobody: %q", procedure, res.Body)
			}
		}
	})
}

// FuzzGet: a call by GET changes nothing, is nobody's without a token, and no mistake of the
// server.
func FuzzGet(f *testing.F) {
	w := newWorld(f)
	methods := w.built(f, func(*api.Method) bool { return true })
	for i, query := range []string{
		"connect=v1&encoding=json&message=%7B%22name%22%3A%22x%22%7D", "connect=v1&encoding=proto&base64=1&message=CgF4", "encoding=json&message={", "message=&compression=gzip&encoding=proto&base64=1",
	} {
		f.Add(uint(i*97), query)
	}
	position := func(t *testing.T) int { t.Helper(); return len(w.Events(t)) }
	f.Fuzz(func(t *testing.T, number uint, query string) {
		m := methods[number%uint(len(methods))]
		before := position(t)
		w.answer(t, request(http.MethodGet, m.Procedure+"?"+query, "", "Authorization", "Bearer "+w.Token))
		if after := position(t); after != before {
			t.Errorf("GET %s?%s writes %d events", m.Procedure, query, after-before)
		}
		if res := w.answer(t, request(http.MethodGet, m.Procedure+"?"+query, "")); res.Code == http.StatusOK && m.Permission != api.Public {
			t.Errorf("GET %s?%s answers nobody", m.Procedure, query)
		}
	})
}

// FuzzToken: nothing but the token lets anybody in, in whatever form it comes.
func FuzzToken(f *testing.F) {
	w := newWorld(f)
	for _, seed := range []string{
		"Bearer " + w.Token, "bearer  " + w.Token, "DPoP " + w.Token, "Basic YTpi", "Bearer", "Bearer " + w.Token[:len(w.Token)-1], "Bearer gatehouse_session_x", "Bearer a.b.c",
		"Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJhIn0.", "\xff", "Bearer \x00",
	} {
		f.Add(seed, "", "localhost")
	}
	f.Add("DPoP x", "eyJ0eXAiOiJkcG9wK2p3dCJ9.e30.x", "localhost:80")
	f.Fuzz(func(t *testing.T, authorization, proof, host string) {
		for _, path := range []string{"/management/v1/orgs/me", "/oidc/v1/userinfo"} {
			r := request(http.MethodGet, path, "", "Authorization", authorization)
			if r.Host = host; proof != "" {
				r.Header.Set("Dpop", proof)
			}
			if res := w.answer(t, r); res.Code == http.StatusOK && !strings.Contains(authorization, w.Token) {
				t.Errorf("%q is let in", authorization)
			}
		}
	})
}

// FuzzImport: an import makes what it can, tells what it cannot, and fails as a whole for no
// part of it.
func FuzzImport(f *testing.F) {
	w := newWorld(f)
	f.Add([]byte(fuzzOrg))
	f.Add([]byte(`{"dataOrgs":{"orgs":[{"orgId":"new","org":{"name":"N"},"humanUsers":[{"userId":"'","user":{"userName":"x","hashedPassword":{"value":"$2b$05$1CJW08.lersqFpIvwPqbr.aJ4iQH/SkyIHAXwBoRdSpDURVNgnBqC"}}}],"projects":[null,{}]}]}}`))
	f.Add([]byte(`{"dataOrgsv1":{"orgs":[{"orgId":"acme","iamPolicy":{},"secondFactors":[{"type":"SECOND_FACTOR_TYPE_U2F"}],"userGrants":[{"userId":"nobody","projectId":"portal"}]}]},"timeout":"-1s"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := request(http.MethodPost, "/admin/v1/import", string(data), "Content-Type", "application/json", "Authorization", "Bearer "+w.Token, "X-Gatehouse-Dry-Run", "true")
		if res := w.answer(t, r); res.Code == http.StatusOK && !json.Valid(res.Body.Bytes()) {
			t.Errorf("%q", res.Body)
		}
	})
}
