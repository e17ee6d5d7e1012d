package test

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// The other tenant: its name is in whatever of it has a name.
const tenant = "bbbsecret"

// TestTenancy calls every built RPC that takes an id, as the owner of an instance,
// with ids of another instance and with ids of nothing. Both must answer alike. The
// requests are made from the contract, so a new RPC is covered as soon as it
// answers.
func TestTenancy(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	addInstance(t, s, tenant)
	methods := builtMethods(t, s)
	ids := populate(t, s, methods)
	tried, reached := 0, 0
	for _, m := range methods {
		if !takesID(m.Descriptor.Input(), 0) {
			continue
		}
		tried++
		beyond := false
		for variant := range 1 + len(ids[""]) {
			if compareTenants(t, s, m, ids, variant) {
				beyond = true
			}
		}
		if beyond {
			reached++
		} else {
			t.Logf("%s: no request got past the check of its form", m.Procedure)
		}
	}
	t.Logf("%d RPCs take ids, %d of them looked at them", tried, reached)
	if tried < 40 || reached*10 < tried*9 {
		t.Errorf("only %d of %d RPCs got past the check of their requests: the test has become blind", reached, tried)
	}
	for _, org := range ids["org_id"] {
		a := s.Send(t, testkit.Call{Do: "GET /management/v1/orgs/me", In: org})
		b := s.Send(t, testkit.Call{Do: "GET /management/v1/orgs/me", In: "123456789012345678"})
		if a.Status != b.Status || string(a.Body) != string(b.Body) {
			t.Errorf("in another's organization: %d %s, in none: %d %s", a.Status, a.Body, b.Status, b.Body)
		}
	}
}

func builtMethods(t *testing.T, s *testkit.Server) (out []*api.Method) {
	t.Helper()
	contract, err := api.Contract()
	if err != nil {
		t.Fatal(err)
	}
	built := s.API.Built()
	for _, m := range contract {
		if built[m.Procedure] {
			out = append(out, m)
		}
	}
	return out
}

// populate lets the other tenant's owner make what can be made, and gives the ids
// in all answers by the names of their fields; under "" all of them.
func populate(t *testing.T, s *testkit.Server, methods []*api.Method) map[string][]string {
	t.Helper()
	ids := map[string][]string{"instance_id": {s.Var(tenant)}}
	for range 2 { // What is made second may need what was made first.
		for _, m := range methods {
			name := string(m.Descriptor.Name())
			if !slices.ContainsFunc([]string{"Add", "Create", "Generate", "Set", "List", "Get"}, func(p string) bool { return strings.HasPrefix(name, p) }) {
				continue
			}
			for variant := range 3 {
				g := &generator{variant: variant, id: func(field string) string { return pick(ids, field, variant) }, text: tenant}
				if r := sendMessage(t, s, m, g, testkit.Call{As: tenant, Host: tenant + ".example"}); r.Status == http.StatusOK {
					collect(ids, r.JSON(t))
				}
			}
		}
	}
	all := map[string]bool{}
	for name := range ids {
		slices.Sort(ids[name])
		ids[name] = slices.Compact(ids[name])
		for _, id := range ids[name] {
			all[id] = true
		}
	}
	ids[""] = slices.Sorted(maps.Keys(all))
	for _, kind := range []string{"instance_id", "org_id", "user_id", "token_id", "key_id"} {
		if len(ids[kind]) == 0 {
			t.Errorf("the other tenant has no %s: %v", kind, ids)
		}
	}
	return ids
}

var (
	isID  = regexp.MustCompile(`^[0-9]{15,19}$`)
	camel = regexp.MustCompile(`[A-Z]`)
)

// collect takes the ids out of an answer. The same thing has several names.
func collect(ids map[string][]string, v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			collect(ids, e)
		}
	case map[string]any:
		for key, e := range v {
			collect(ids, e)
			id, _ := e.(string)
			if !isID.MatchString(id) {
				continue
			}
			name := camel.ReplaceAllStringFunc(key, func(c string) string { return "_" + strings.ToLower(c) })
			if name == "organization_id" || name == "resource_owner" || name == "resource_owner_id" {
				name = "org_id"
			}
			ids[name] = append(ids[name], id)
		}
	}
}

// pick gives an id for a field: one of its name where there are some, else any.
func pick(ids map[string][]string, field string, n int) string {
	field = strings.TrimSuffix(strings.Replace(field, "organization_id", "org_id", 1), "s")
	list := ids[field]
	if len(list) == 0 {
		list = ids[""]
	}
	if len(list) == 0 {
		return "123456789012345678"
	}
	return list[n%len(list)]
}

func isIDField(f protoreflect.FieldDescriptor) bool {
	name := string(f.Name())
	return f.Kind() == protoreflect.StringKind &&
		(name == "id" || name == "ids" || strings.HasSuffix(name, "_id") || strings.HasSuffix(name, "_ids"))
}

func takesID(m protoreflect.MessageDescriptor, depth int) bool {
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		if isIDField(f) || f.Message() != nil && depth < 3 && takesID(f.Message(), depth+1) {
			return true
		}
	}
	return false
}

// generator makes requests: id gives the ids, variant chooses among alternatives.
type generator struct {
	variant int
	id      func(field string) string
	text    string
}

var listPages = []protoreflect.FullName{"zitadel.v1.ListQuery", "zitadel.filter.v2.PaginationRequest", "zitadel.object.v2.ListQuery"}

func (g *generator) message(m protoreflect.Message, depth int) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if one := f.ContainingOneof(); one != nil && !one.IsSynthetic() && one.Fields().Get(g.variant%one.Fields().Len()) != f ||
			f.IsMap() || !g.gives(f) || f.Message() != nil && (depth == 4 || slices.Contains(listPages, f.Message().FullName())) {
			continue
		}
		if f.IsList() {
			list := m.Mutable(f).List()
			list.Append(g.value(f, list.NewElement(), depth))
			continue
		}
		m.Set(f, g.value(f, m.NewField(f), depth))
	}
}

// gives reports whether a field is given that requests may leave out: every other
// variant leaves it out.
func (g *generator) gives(f protoreflect.FieldDescriptor) bool {
	return g.variant%2 == 0 || !f.HasOptionalKeyword() && f.Kind() != protoreflect.BytesKind
}

var words = []struct{ part, value string }{
	{"email", "x@example.com"}, {"domain", "x.example"}, {"url", "https://x.example"}, {"uri", "https://x.example"}, {"language", "en"},
	{"phone", "+41791234567"}, {"password", "Correct-Horse-1"}, {"color", "#aabbcc"},
}

func (g *generator) value(f protoreflect.FieldDescriptor, empty protoreflect.Value, depth int) protoreflect.Value {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(min(1, values.Len()-1)).Number())
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(g.text))
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(g.string(f))
	case protoreflect.MessageKind:
		switch m := empty.Message().Interface().(type) {
		case *timestamppb.Timestamp:
			proto.Merge(m, timestamppb.New(time.Now().Add(time.Hour).Truncate(time.Hour)))
		case *durationpb.Duration:
			proto.Merge(m, durationpb.New(time.Hour))
		default:
			g.message(empty.Message(), depth+1)
		}
		return empty
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(8)
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(8)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(8)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(8)
	default:
		return empty
	}
}

func (g *generator) string(f protoreflect.FieldDescriptor) string {
	name := string(f.Name())
	if isIDField(f) {
		return g.id(name)
	}
	if name == "user_name" || name == "username" { // A human and a machine cannot have one together.
		return g.text + "-" + string(f.Parent().Name())
	}
	if strings.Contains(name, "role") {
		return []string{"ORG_OWNER", "IAM_OWNER"}[g.variant%2]
	}
	for _, w := range words {
		if strings.Contains(name, w.part) {
			return w.value
		}
	}
	return g.text
}

func sendMessage(t *testing.T, s *testkit.Server, m *api.Method, g *generator, c testkit.Call) testkit.Reply {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(m.Descriptor.Input().FullName())
	if err != nil {
		t.Fatal(err)
	}
	req := kind.New()
	g.message(req, 0)
	body, err := protojson.Marshal(req.Interface())
	if err != nil {
		t.Fatal(err)
	}
	c.Do, c.Body = "POST "+m.Procedure, string(body)
	if c.Header == nil {
		c.Header = map[string]string{}
	}
	c.Header[testkit.Aside] = "1"
	return s.Send(t, c)
}

// compareTenants sends one variant of a request twice, with ids of the other
// tenant and with ids of nothing, and reports whether it got past the check of its
// form. Dry runs keep what is allowed from doing anything.
func compareTenants(t *testing.T, s *testkit.Server, m *api.Method, ids map[string][]string, variant int) (beyond bool) {
	t.Helper()
	send := func(id func(string) string) (testkit.Reply, string) {
		var used []string
		g := &generator{variant: variant, text: "x", id: func(field string) string {
			used = append(used, id(field))
			return used[len(used)-1]
		}}
		r := sendMessage(t, s, m, g, testkit.Call{Header: map[string]string{"X-Gatehouse-Dry-Run": "true"}})
		return r, masked(string(r.Body), used)
	}
	theirs, a := send(func(field string) string { return pick(ids, field, variant) })
	nothing, b := send(func(field string) string {
		id := pick(ids, field, variant)
		return "7" + id[:len(id)-2] + "7"
	})
	if theirs.Status != nothing.Status || a != b {
		t.Errorf("%s, variant %d: with ids of another tenant %d %s, with ids of nothing %d %s",
			m.Procedure, variant, theirs.Status, theirs.Body, nothing.Status, nothing.Body)
	}
	if strings.Contains(string(theirs.Body), tenant) || strings.Contains(theirs.Header.Get("Location"), tenant) {
		t.Errorf("%s, variant %d: shows another tenant's things: %s", m.Procedure, variant, theirs.Body)
	}
	var e struct{ Code string }
	_ = json.Unmarshal(theirs.Body, &e)
	return e.Code != "invalid_argument"
}

// What differs from call to call: times, new ids, new secrets.
var changing = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z|[0-9]{15,19}|[A-Za-z0-9+/=_-]{24,}`)

func masked(body string, ids []string) string {
	for _, id := range ids {
		body = strings.ReplaceAll(body, id, "ID")
	}
	return changing.ReplaceAllString(body, "*")
}
