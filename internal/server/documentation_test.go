//go:build unix

package server_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"strings"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/gatehouse/gatehouse/gen/openapi"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// description is the part of the OpenAPI document that holds the documentation.
type description struct {
	Paths map[string]map[string]struct {
		ID          string `json:"operationId"`
		Summary     string `json:"summary"`
		Description string `json:"description"`
	} `json:"paths"`
	Definitions map[string]struct {
		Title       string `json:"title"`
		Description string `json:"description"`
		Properties  map[string]struct {
			Title       string `json:"title"`
			Description string `json:"description"`
		} `json:"properties"`
	} `json:"definitions"`
}

// TestDocumentation holds the documentation in the protos, as the OpenAPI
// document carries it, against what is wired: an RPC that answers is documented
// with the permission that it really asks for, and so is every message, field and
// enum that it takes and gives.
func TestDocumentation(t *testing.T) {
	s, err := server.New(testdb.Open(t), server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	contract, err := api.Contract()
	if err != nil {
		t.Fatal(err)
	}
	doc := readDescription(t)
	texts := map[string]string{}
	for _, verbs := range doc.Paths {
		for _, o := range verbs {
			texts[o.ID] = o.Summary + "\n\n" + o.Description
		}
	}
	built, seen := s.API.Built(), map[protoreflect.FullName]bool{}
	for _, m := range contract {
		if !built[m.Procedure] {
			continue
		}
		text := texts[string(m.Descriptor.Parent().Name())+"_"+string(m.Descriptor.Name())]
		if strings.TrimSpace(text) == "" {
			t.Errorf("%s: describe it in its proto", m.Procedure)
			continue
		}
		if want := requirement(m.Permission); !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("%s: its description must say %q", m.Procedure, want)
		}
		for _, message := range []protoreflect.MessageDescriptor{m.Descriptor.Input(), m.Descriptor.Output()} {
			doc.check(t, m, message, seen)
		}
	}
}

// requirement is what the description of an RPC says about its permission.
func requirement(permission string) string {
	switch permission {
	case api.Public:
		return "Needs no token."
	case api.Authenticated: // Which permission it is, the verb decides.
		return "Requires "
	}
	return "Requires the permission " + permission + "."
}

// check looks through a message and everything in it, once. Messages of other
// projects are not ours to describe.
func (d *description) check(t *testing.T, m *api.Method, message protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) {
	t.Helper()
	if seen[message.FullName()] || strings.HasPrefix(string(message.FullName()), "google.") {
		return
	}
	seen[message.FullName()] = true
	properties := d.Definitions[string(message.FullName())].Properties
	for i := range message.Fields().Len() {
		f := message.Fields().Get(i)
		if p, shown := properties[f.JSONName()]; shown && p.Title+p.Description == "" {
			t.Errorf("%s: describe the field %s of %s", m.Procedure, f.Name(), message.FullName())
		}
		if e := f.Enum(); e != nil && !seen[e.FullName()] {
			seen[e.FullName()] = true
			if def, shown := d.Definitions[string(e.FullName())]; shown && def.Title+def.Description == "" {
				t.Errorf("%s: describe the values of %s", m.Procedure, e.FullName())
			}
		}
		if f.Message() != nil {
			d.check(t, m, f.Message(), seen)
		}
	}
}

func readDescription(t *testing.T) *description {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(openapi.SwaggerGzip))
	if err != nil {
		t.Fatal(err)
	}
	var d description
	if err := json.NewDecoder(r).Decode(&d); err != nil {
		t.Fatal(err)
	}
	return &d
}
