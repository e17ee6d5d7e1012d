package server_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// world is a server with one of most things in it, which targets call without a network.
type world struct {
	*testkit.Server
	// ids are those that things have there, and what else leads far.
	ids []string
	// cookie is that of a browser in which somebody who owns the instance is logged in.
	cookie string
	secret string // of the application of the web
}

const (
	fuzzPassword = "Correct-Horse-1"
	fuzzOrg      = `{"dataOrgs":{"orgs":[{"orgId":"acme","org":{"name":"Acme"},
		"loginPolicy":{"allowUsernamePassword":true,"allowRegister":true},"domains":[{"domainName":"acme.localhost","isVerified":true}],
		"humanUsers":[{"userId":"ada","user":{"userName":"ada","profile":{"firstName":"Ada","lastName":"L"},"email":{"email":"ada@acme.example","isEmailVerified":true},"password":"` + fuzzPassword + `"}}],
		"machineUsers":[{"userId":"robot","user":{"userName":"robot","name":"Robot"}}],"userMetadata":[{"id":"ada","key":"k","value":"dg=="}],
		"projects":[{"projectId":"portal","project":{"name":"Portal"}}],"projectRoles":[{"projectId":"portal","roleKey":"reader","displayName":"Reader"}],
		"oidcApps":[{"appId":"web","app":{"projectId":"portal","name":"Web","redirectUris":["https://acme.example/cb"],"responseTypes":["OIDC_RESPONSE_TYPE_CODE"],"grantTypes":["OIDC_GRANT_TYPE_AUTHORIZATION_CODE","OIDC_GRANT_TYPE_REFRESH_TOKEN"]}}],
		"projectGrants":[{"grantId":"portal-other","projectGrant":{"projectId":"portal","grantedOrgId":"other","roleKeys":["reader"]}}],
		"userGrants":[{"userId":"ada","projectId":"portal","roleKeys":["reader"]}],"orgMembers":[{"userId":"ada","roles":["ORG_OWNER"]}],"projectMembers":[{"projectId":"portal","userId":"ada","roles":["PROJECT_OWNER"]}]},
		{"orgId":"other","org":{"name":"Other"}}]},"timeout":"9s"}`
)

func newWorld(f *testing.F) *world {
	f.Helper()
	w := &world{Server: testkit.Start(f)}
	w.Outbound.Resolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") }}
	w.Outbound.Redial = func(string) string { return "127.0.0.1:1" } // Which is refused.
	for _, c := range [][2]string{
		{"POST /admin/v1/import", fuzzOrg},
		{"POST /admin/v1/members", `{"userId":"ada","roles":["IAM_OWNER"]}`},
	} {
		if r := w.Send(f, testkit.Call{Do: c[0], Body: c[1]}); r.Status != http.StatusOK || strings.Contains(string(r.Body), `"errors"`) {
			f.Fatalf("%s: %d %s", c[0], r.Status, r.Body)
		}
	}
	session := w.Send(f, testkit.Call{Do: "POST /v2/sessions", Body: `{"checks":{"user":{"userId":"ada"},"password":{"password":"` + fuzzPassword + `"}}}`}).JSON(f).(map[string]any)
	jar, _ := json.Marshal([]map[string]any{{"i": session["sessionId"], "t": session["sessionToken"], "n": "ada"}})
	w.cookie = "gatehouse-login=" + base64.RawURLEncoding.EncodeToString(jar)
	app := w.Send(f, testkit.Call{In: "acme", Do: "GET /management/v1/projects/portal/apps/web"}).JSON(f).(map[string]any)["app"].(map[string]any)["oidcConfig"].(map[string]any)
	secret := w.Send(f, testkit.Call{In: "acme", Do: "POST /management/v1/projects/portal/apps/web/oidc_config/_generate_client_secret", Body: "{}"}).JSON(f).(map[string]any)
	w.Set("client", app["clientId"].(string))
	w.secret = secret["clientSecret"].(string)
	w.ids = []string{
		"acme", "other", "ada", "robot", "portal", "web", "reader", "portal-other", "k", w.InstanceID, w.OrgID, w.OwnerID, w.Var("client"), session["sessionId"].(string),
		"localhost", "acme.localhost", "ORG_OWNER", "en", "ada@acme.example", "https://acme.example/cb", fuzzPassword, "#5469d4", "2030-01-01T00:00:00Z",
	}
	return w
}

// answer gives what the server says to a request, and complains of what is its own mistake.
func (w *world) answer(t *testing.T, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	if r.Host == "" || r.Host == "example.com" {
		r.Host = "localhost"
	}
	res := httptest.NewRecorder()
	w.ServeHTTP(res, r)
	status := res.Result().Trailer.Get("Grpc-Status") + res.Header().Get("Grpc-Status")
	if res.Code == http.StatusInternalServerError || res.Code == http.StatusServiceUnavailable || status == "13" || status == "2" || strings.Contains(strings.ToLower(res.Body.String()), "grpc-status: 13") {
		t.Errorf("%s %s: %d %q", r.Method, r.URL, res.Code, res.Body)
	}
	return res
}

// page is what the server says to a request of a set-up.
func (w *world) page(r *http.Request) *httptest.ResponseRecorder {
	res := httptest.NewRecorder()
	w.ServeHTTP(res, r)
	return res
}

// request makes a request of texts that need not be one; nil: it is none.
func request(method, target, body string, header ...string) *http.Request {
	r, err := http.NewRequest(method, "http://localhost/", strings.NewReader(body))
	if err != nil {
		return nil
	}
	path, query, _ := strings.Cut(target, "?")
	u, err := r.URL.Parse(strings.Map(func(c rune) rune {
		if c <= ' ' || c == 0x7f || c == '#' || c == '?' {
			return -1
		}
		return c
	}, "/"+strings.TrimLeft(path, "/\\")))
	if err != nil || u.Host != "localhost" {
		return nil
	}
	r.URL, r.RemoteAddr = u, "192.0.2.1:1"
	r.URL.RawQuery = query
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// maker makes messages out of bytes: which fields are there, and what they hold.
type maker struct {
	data []byte
	text string
	ids  []string
}

func (m *maker) next() int {
	if len(m.data) == 0 {
		return 0
	}
	b := m.data[0]
	m.data = m.data[1:]
	return int(b)
}

const maxMade = 6 // levels

func (m *maker) message(d protoreflect.MessageDescriptor, level int) protoreflect.Message {
	out := dynamicpb.NewMessage(d)
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if len(m.data) == 0 || level == maxMade || m.next()%4 == 0 || f.IsMap() {
			continue
		}
		if f.IsList() {
			list := out.Mutable(f).List()
			for range m.next() % 3 {
				list.Append(m.value(f, level))
			}
			continue
		}
		out.Set(f, m.value(f, level))
	}
	return out
}

func (m *maker) value(f protoreflect.FieldDescriptor, level int) protoreflect.Value {
	b := m.next()
	switch f.Kind() {
	case protoreflect.MessageKind, protoreflect.GroupKind:
		return protoreflect.ValueOfMessage(m.message(f.Message(), level+1))
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(b % (f.Enum().Values().Len() + 1)))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(m.string(b))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(m.text))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(b%2 == 1)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(b) - 3)
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(uint32(b))
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return protoreflect.ValueOfUint64(uint64(b) << (b % 64))
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(float32(b))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(b))
	default: // Of 64 bits, with a sign.
		return protoreflect.ValueOfInt64((int64(b) - 3) << (b % 64))
	}
}

// string is the text, a part of it, or something that leads far.
func (m *maker) string(b int) string {
	switch {
	case b < 32:
		return m.text
	case b < 40:
		return m.text[:len(m.text)/2]
	}
	return m.ids[b%len(m.ids)]
}
