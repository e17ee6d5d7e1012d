package console

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	applicationpb "github.com/gatehouse/gatehouse/gen/zitadel/application/v2"
	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
)

// app asks for the application that the page is about: one of the project.
func (v *visit) app() (*applicationpb.Application, error) {
	if v.aboutApp != nil {
		return v.aboutApp, nil
	}
	if _, err := v.project(); err != nil {
		return nil, err
	}
	res, err := call[*applicationpb.GetApplicationResponse](v, &applicationpb.GetApplicationRequest{ApplicationId: v.R.PathValue("app")})
	switch {
	case err != nil:
		return nil, err
	case res.GetApplication().GetProjectId() != v.projectID():
		return nil, errNoPage
	}
	v.aboutApp = res.GetApplication()
	return v.aboutApp, nil
}

// appAtHand is what all tabs of an application's page show.
func appAtHand(v *visit) (viewed, error) {
	a, err := v.app()
	if err != nil {
		return viewed{}, err
	}
	return viewed{
		Title: a.GetName(), State: appState(v, a.GetState()), Crumbs: inApps(v),
		Tabs: v.tabs([]entry{{atApp, "overview", appRead}, {atApp + "/history", "history", appRead}}),
	}, nil
}

// readApp is the page of an application: what its developers need, and what it may do.
func readApp(v *visit) (viewed, error) {
	out, err := appAtHand(v)
	if err != nil {
		return viewed{}, err
	}
	a := v.aboutApp
	kind, client := v.kindOf(a)
	issuer := v.Call.Origin(v.External)
	out.Facts = []fact{{Text: "kind", Value: kind}, {Text: "client-id", Value: client, Code: true}, {Text: "issuer", Value: issuer, Code: true}}
	out.Actions = []entry{
		{atApp + "/edit", "edit", appWrite}, {atApp + "/secret", "secret-new", appWrite}, {atApp + "/deactivate", "deactivate", appWrite}, {atApp + "/remove", "remove", appDelete},
	}
	if a.GetState() != applicationpb.ApplicationState_APPLICATION_STATE_ACTIVE {
		out.Actions[2] = entry{atApp + "/activate", "activate", appWrite}
	}
	if c := a.GetOidcConfiguration(); c != nil {
		out.Facts = append(out.Facts, fact{Text: "discovery", Value: issuer + "/.well-known/openid-configuration", Link: issuer + "/.well-known/openid-configuration"})
		for _, p := range c.GetComplianceProblems() {
			out.Facts = append(out.Facts, fact{Text: "app-problem", Value: p.GetLocalizedMessage(), State: "bad"})
		}
		for _, f := range oidcFields {
			out.Facts = append(out.Facts, v.factsIn(c, f)...)
		}
	} else if c := a.GetApiConfiguration(); c != nil {
		out.Facts = append(out.Facts, fact{Text: "introspection", Value: issuer + "/oauth/v2/introspect", Code: true})
		out.Facts = append(out.Facts, v.factsOf(c, []field{{path: "auth_method_type"}})...)
	}
	keys, err := call[*applicationpb.ListApplicationKeysResponse](v, &applicationpb.ListApplicationKeysRequest{
		Pagination: &filterpb.PaginationRequest{Limit: maxKeysShown}, SortingColumn: applicationpb.ApplicationKeysSorting_APPLICATION_KEYS_SORT_BY_CREATION_DATE,
		Filters: []*applicationpb.ApplicationKeySearchFilter{{Filter: &applicationpb.ApplicationKeySearchFilter_ApplicationIdFilter{
			ApplicationIdFilter: &applicationpb.ApplicationKeyApplicationIDFilter{ApplicationId: a.GetApplicationId()},
		}}},
	})
	if err != nil {
		return out, err
	}
	p := part{Title: v.Texts.T("keys"), Help: v.Texts.T("app-keys-help"), Columns: []string{"id", "created", "expires"}, Empty: v.Texts.T("app-keys-empty"), Add: []entry{{atApp + "/key", "key-new", appWrite}}}
	for _, k := range keys.GetKeys() {
		shown := viewRow{row: row{Cells: []cell{{Text: k.GetKeyId()}, {Text: when(k.GetCreationDate())}, {Text: when(k.GetExpirationDate())}}}}
		shown.Actions = v.entries([]entry{{strings.ReplaceAll(atApp+"/keys/{key}/remove", "{key}", k.GetKeyId()), "remove", appWrite}})
		p.Rows = append(p.Rows, shown)
	}
	out.Parts = []part{p}
	return out, nil
}

// maxKeysShown is how many keys of an application its page shows.
const maxKeysShown = 100

// factsIn says what a field holds, also where that is several values.
func (v *visit) factsIn(m proto.Message, f field) []fact {
	t := f.find(m.ProtoReflect(), false)
	if !t.fd.IsList() || t.fd.Kind() != protoreflect.EnumKind {
		return v.factsOf(m, []field{f})
	}
	var names []string
	for _, o := range f.input(v, m.ProtoReflect()).Options {
		if o.Chosen {
			names = append(names, o.Text)
		}
	}
	return []fact{{Text: f.label(), Value: strings.Join(names, ", ")}}
}

// inApps are the pages above those of applications.
func inApps(v *visit) []crumb {
	return append(inProject(v), crumb{URL: v.at(atApps), Text: v.Texts.T("apps")})
}

// inApp are the pages above those of one application.
func inApp(v *visit) []crumb {
	out := inApps(v)
	if a, err := v.app(); err == nil {
		out = append(out, crumb{URL: v.at(atApp), Text: a.GetName()})
	}
	return out
}
