package test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var variants = flag.Int("variants", 10, "how many requests of each RPC TestTenancy compares")

// The other tenant: its name is in whatever of it has a name.
const tenant = "bbbsecret"

// TestTenancy calls every built RPC that takes an id, as the owner of an instance,
// with ids of another instance and with ids of nothing. Both must answer alike, over
// every protocol, and cost the same exchanges with the database. The requests are made
// from the contract, so a new RPC is covered as soon as it answers.
func TestTenancy(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	addInstance(t, n.s, tenant)
	n.them = testkit.Call{As: tenant, Host: tenant + ".example"}
	n.ids, n.own = n.populate(t, n.them, tenant, "123456789012345678"), n.populate(t, n.us, "ours", "223456789012345678")
	n.need(t, "org_id", "user_id", "token_id", "key_id")
	n.ids["instance_id"] = append(n.ids["instance_id"], n.s.Var(tenant))
	n.compareAll(t, rounds(*variants))
	for _, org := range n.ids["org_id"] {
		a := n.s.Send(t, testkit.Call{Do: "GET /management/v1/orgs/me", In: org})
		b := n.s.Send(t, testkit.Call{Do: "GET /management/v1/orgs/me", In: "123456789012345678"})
		if a.Status != b.Status || string(a.Body) != string(b.Body) {
			t.Errorf("in another's organization: %d %s, in none: %d %s", a.Status, a.Body, b.Status, b.Body)
		}
	}
}

// TestTenancyOfOrganizations is the same for the owner of an organization, and for what
// another organization of the instance has.
func TestTenancyOfOrganizations(t *testing.T) {
	t.Parallel()
	n := newNeighbours(t)
	for _, name := range []string{"acme", tenant} {
		n.s.Run(t, testkit.Call{Name: name, Do: "POST /management/v1/orgs", Body: `{"name":"` + name + `"}`, Keep: map[string]string{name: "id"}, Events: orgAdded})
		addMachine(t, n.s, "$"+name, name+"boss", "ORG_OWNER")
	}
	n.us, n.them = testkit.Call{As: "acmeboss"}, testkit.Call{As: tenant + "boss"}
	n.ids, n.own = n.populate(t, n.them, tenant, "123456789012345678"), n.populate(t, n.us, "ours", "223456789012345678")
	n.need(t, "org_id", "user_id", "token_id", "key_id", "project_id")
	n.methods = slices.DeleteFunc(n.methods, func(m *api.Method) bool { return acrossOrganizations[path.Base(m.Procedure)] })
	n.compareAll(t, rounds(*variants))
}

// acrossOrganizations are the methods by which an organization deals with others of its
// instance, as the contract has it: it gives their users roles and grants them projects.
// Whoever chooses the id of something new is told that it is taken.
var acrossOrganizations = map[string]bool{
	"AddOrgMember": true, "AddUserGrant": true, "CreateAuthorization": true, "AddProjectGrant": true, "CreateProjectGrant": true,
	"AddMachineUser": true, "AddHumanUser": true, "CreateUser": true, "CreateProject": true,
}

// neighbours share a server and must know nothing of each other.
type neighbours struct {
	s        *testkit.Server
	trips    *atomic.Int64 // of requests, without those of jobs
	methods  []*api.Method
	us, them testkit.Call        // who calls, and where
	ids, own map[string][]string // what they have, and what we have
}

func newNeighbours(t *testing.T) *neighbours {
	t.Helper()
	n := &neighbours{trips: new(atomic.Int64)}
	c := testdb.Config(t)
	c.Observe = func(ctx context.Context, _ database.Trip) {
		if api.CallOf(ctx).RequestID != "" {
			n.trips.Add(1)
		}
	}
	n.s = startSystemOn(t, c)
	t.Cleanup(n.s.ForgetSecrets) // The same text is in every field.
	n.methods = builtMethods(t, n.s)
	return n
}

// compareAll compares what every RPC tells, in so many variants of its request at most.
func (n *neighbours) compareAll(t *testing.T, variants int) {
	t.Helper()
	tried, reached := 0, 0
	for _, m := range n.methods {
		if !takesID(m.Descriptor.Input(), 0) {
			continue
		}
		tried++
		beyond := -1
		for variant := range min(variants, 1+len(n.ids[""])) {
			if n.compare(t, m, variant, all) && beyond < 0 {
				beyond = variant
			}
		}
		for foreign := range 4 { // One id is another's, the rest are our own.
			n.compare(t, m, max(beyond, 0), foreign)
		}
		for name, send := range rawProtocols {
			n.compareOver(t, name, send, m, max(beyond, 0))
		}
		if beyond >= 0 {
			reached++
		} else {
			t.Logf("%s: no request got past the check of its form", m.Procedure)
		}
	}
	t.Logf("%d RPCs take ids, %d of them looked at them", tried, reached)
	if tried < 40 || reached*10 < tried*9 {
		t.Errorf("only %d of %d RPCs got past the check of their requests: the test has become blind", reached, tried)
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

// populate lets somebody make what can be made, with a text for a name, and gives the ids
// in all answers by the names of their fields; under "" all of them. chosen is the id
// for what is made with an id, before there are others.
func (n *neighbours) populate(t *testing.T, who testkit.Call, text, chosen string) map[string][]string {
	t.Helper()
	ids := map[string][]string{"": {chosen}}
	for range 2 { // What is made second may need what was made first.
		for _, m := range n.methods {
			name := string(m.Descriptor.Name())
			if !slices.ContainsFunc([]string{"Add", "Create", "Generate", "Set", "List", "Get"}, func(p string) bool { return strings.HasPrefix(name, p) }) {
				continue
			}
			for variant := range 3 {
				g := &generator{variant: variant, id: func(field string) string { return pick(ids, field, variant) }, text: text}
				if r := sendMessage(t, n.s, m, g.request(t, m), who); r.Status == http.StatusOK {
					collect(ids, r.JSON(t))
				}
			}
		}
	}
	all := map[string]bool{}
	for name := range ids {
		slices.Sort(ids[name])
		ids[name] = slices.DeleteFunc(slices.Compact(ids[name]), func(id string) bool {
			return id == n.s.InstanceID || id == n.s.OrgID || id == n.s.OwnerID
		})
		for _, id := range ids[name] {
			all[id] = true
		}
	}
	ids[""] = slices.Sorted(maps.Keys(all))
	return ids
}

// need says which kinds of ids there must be.
func (n *neighbours) need(t *testing.T, kinds ...string) {
	t.Helper()
	for _, kind := range kinds {
		if len(n.ids[kind]) == 0 || len(n.own[kind]) == 0 {
			t.Errorf("somebody has no %s: %v %v", kind, n.ids, n.own)
		}
	}
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
	{"phone", "+41791234567"}, {"color", "#aabbcc"},
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
	if strings.Contains(name, "password") { // Who knows that of somebody else may use it.
		return "Correct-Horse-1" + g.text
	}
	for _, w := range words {
		if strings.Contains(name, w.part) {
			return w.value
		}
	}
	return g.text
}

// request is the generator's request for a method.
func (g *generator) request(t *testing.T, m *api.Method) proto.Message {
	t.Helper()
	kind, err := protoregistry.GlobalTypes.FindMessageByName(m.Descriptor.Input().FullName())
	if err != nil {
		t.Fatal(err)
	}
	req := kind.New()
	g.message(req, 0)
	return req.Interface()
}

func sendMessage(t *testing.T, s *testkit.Server, m *api.Method, req proto.Message, c testkit.Call) testkit.Reply {
	t.Helper()
	body, err := protojson.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	c.Do, c.Body, c.Header = "POST "+m.Procedure, string(body), maps.Clone(c.Header)
	if c.Header == nil {
		c.Header = map[string]string{}
	}
	c.Header[testkit.Aside] = "1"
	return s.Send(t, c)
}

// all says that every id of a request is another's.
const all = -1

// pair makes one variant of a request twice: with ids of the others, and with ids of
// nothing. foreign is the one that is, among ours, or all. used are the ids in each.
func (n *neighbours) pair(t *testing.T, m *api.Method, variant, foreign int) (requests [2]proto.Message, used [2][]string) {
	t.Helper()
	for i := range requests {
		count := 0
		g := &generator{variant: variant, text: "x", id: func(field string) string {
			id := pick(n.ids, field, variant)
			switch {
			case foreign != all && foreign != count:
				id = pick(n.own, field, variant)
			case i == 1:
				id = "7" + id[:len(id)-2] + "7"
			}
			count++
			used[i] = append(used[i], id)
			return id
		}}
		requests[i] = g.request(t, m)
	}
	return requests, used
}

// compare sends one variant of a request both ways, and reports whether it got past the
// check of its form. Dry runs keep what is allowed from doing anything.
func (n *neighbours) compare(t *testing.T, m *api.Method, variant, foreign int) (beyond bool) {
	t.Helper()
	requests, used := n.pair(t, m, variant, foreign)
	if foreign != all && (len(used[0]) <= foreign || len(used[0]) == 1) {
		return false
	}
	n.judge(t, fmt.Sprintf("%s, variant %d.%d", m.Procedure, variant, foreign), used, func(i int) string {
		call := n.us
		call.Header = map[string]string{"X-Gatehouse-Dry-Run": "true"}
		r := sendMessage(t, n.s, m, requests[i], call)
		if i == 0 {
			var e struct{ Code string }
			_ = json.Unmarshal(r.Body, &e)
			beyond = e.Code != "invalid_argument"
		}
		return fmt.Sprintf("%d\n%s%s", r.Status, headerText(r.Header), r.Body)
	})
	return beyond
}

// judge compares what is told with ids of the others and with ids of nothing, and what
// it costs. What somebody disturbed is asked again.
func (n *neighbours) judge(t *testing.T, what string, used [2][]string, ask func(int) string) {
	t.Helper()
	var told [2]string
	for range 4 {
		for i := range told {
			n.trips.Store(0)
			told[i] = masked(ask(i), used[i])
			told[i] += fmt.Sprintf("\n%d exchanges", n.trips.Load())
		}
		if told[0] == told[1] {
			break
		}
	}
	if told[0] != told[1] {
		t.Errorf("%s: with ids of others %s\nwith ids of nothing %s", what, told[0], told[1])
	}
	if strings.Contains(told[0], tenant) {
		t.Errorf("%s: shows what others have: %s", what, told[0])
	}
}

// headerText is a header without what differs between any two answers.
func headerText(h http.Header) string {
	same := http.Header{}
	for name, values := range h {
		same[http.CanonicalHeaderKey(name)] = values
	}
	var b strings.Builder
	_ = same.Write(&b)
	return datesRE.ReplaceAllString(strings.ReplaceAll(b.String(), "\r\n", "\n"), "")
}

// What differs from call to call: times, new ids, new secrets.
var changing = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z|[0-9]{15,19}|[A-Za-z0-9+/=_-]{24,}`)

func masked(body string, ids []string) string {
	for _, id := range ids {
		body = strings.ReplaceAll(body, id, "ID")
	}
	return changing.ReplaceAllString(body, "*")
}
