// Package api is the wire: one contract, spoken as gRPC, gRPC-Web, Connect and
// REST on one port. It reads the contract from the proto descriptors, checks who
// calls and what is sent, and hands each call to one function, whatever protocol
// it came in by.
//
// The services themselves live in the folders below and register their
// functions here. api imports flow, the aggregates and everything under them.
package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	options "github.com/gatehouse/gatehouse/gen/gatehouse/options/v1"
	// Every service of the contract, so that its descriptors are in the registry.
	_ "github.com/gatehouse/gatehouse/gen/gatehouse/policy/v1"
	_ "github.com/gatehouse/gatehouse/gen/gatehouse/webkey/v1"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/action/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/application/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/authorization/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/feature/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/group/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/idp/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/instance/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/internal_permission/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/oidc/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/org/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/project/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/saml/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/session/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/settings/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/system/v1"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	_ "github.com/gatehouse/gatehouse/gen/zitadel/webkey/v2"
)

// Authenticated is the permission of calls that any valid token may make; what
// they touch is decided in the verb. Public is that of calls without a token.
const (
	Authenticated = "authenticated"
	Public        = ""
)

// systemService is where the procedures begin that are about the installation
// and not about one instance.
const systemService = "/zitadel.system."

// Method is an RPC of the contract.
type Method struct {
	Procedure  string // "/package.Service/Method"
	Descriptor protoreflect.MethodDescriptor
	Permission string // Authenticated, Public or the name of a permission
	// OrgField is the path of the request's field that names the organization in
	// which the permission is needed; empty: the one of the header.
	OrgField string
	Success  int // HTTP status of a REST call that succeeds
	Routes   []Route
}

// Route is a REST form of a method.
type Route struct {
	Verb string // HTTP method
	Path string // template, such as "/v2/organizations/{organization_id}"
	Body string // "*": the whole request; empty: none
}

// Contract lists every method by procedure, those of our own services included. It fails if a method lacks its
// permission option, so that nothing answers unguarded by oversight.
func Contract() ([]*Method, error) {
	var out []*Method
	var err error
	protoregistry.GlobalFiles.RangeFiles(func(f protoreflect.FileDescriptor) bool {
		if p := string(f.Package()); !strings.HasPrefix(p, "zitadel.") && !strings.HasPrefix(p, "gatehouse.") {
			return true
		}
		for i := range f.Services().Len() {
			methods := f.Services().Get(i).Methods()
			for j := range methods.Len() {
				m, merr := describe(methods.Get(j))
				if merr != nil && err == nil {
					err = merr
				}
				out = append(out, m)
			}
		}
		return true
	})
	slices.SortFunc(out, func(a, b *Method) int { return strings.Compare(a.Procedure, b.Procedure) })
	return out, err
}

func describe(d protoreflect.MethodDescriptor) (*Method, error) {
	o := d.Options()
	m := &Method{
		Procedure:  "/" + string(d.Parent().FullName()) + "/" + string(d.Name()),
		Descriptor: d, Success: http.StatusOK,
		OrgField: proto.GetExtension(o, options.E_OrgField).(string), //nolint:forcetypeassert // the extension's type
	}
	if !proto.HasExtension(o, options.E_Permission) {
		return m, fmt.Errorf("%s has no permission option", m.Procedure)
	}
	m.Permission = proto.GetExtension(o, options.E_Permission).(string) //nolint:forcetypeassert // the extension's type
	if code := proto.GetExtension(o, options.E_SuccessCode).(int32); code != 0 {
		m.Success = int(code)
	}
	rule, _ := proto.GetExtension(o, annotations.E_Http).(*annotations.HttpRule)
	for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		if verb, path := binding(r); verb != "" {
			m.Routes = append(m.Routes, Route{Verb: verb, Path: path, Body: r.GetBody()})
		}
	}
	return m, nil
}

func binding(r *annotations.HttpRule) (verb, path string) {
	switch p := r.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return http.MethodGet, p.Get
	case *annotations.HttpRule_Put:
		return http.MethodPut, p.Put
	case *annotations.HttpRule_Post:
		return http.MethodPost, p.Post
	case *annotations.HttpRule_Delete:
		return http.MethodDelete, p.Delete
	case *annotations.HttpRule_Patch:
		return http.MethodPatch, p.Patch
	}
	return "", ""
}
