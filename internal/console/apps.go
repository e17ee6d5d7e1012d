package console

import (
	"google.golang.org/protobuf/proto"

	applicationpb "github.com/gatehouse/gatehouse/gen/zitadel/application/v2"
	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	projectpb "github.com/gatehouse/gatehouse/gen/zitadel/project/v2"
)

// The paths of a project's applications.
const (
	atApps = atProject + "/apps"
	atApp  = atApps + "/{app}"
)

// The permissions on applications.
//
//nolint:gosec // they are no credentials
const (
	appRead   = "project.app.read"
	appWrite  = "project.app.write"
	appDelete = "project.app.delete"
)

// appKind is a kind of applications as people know them, with what is right for most of it.
type appKind struct {
	name string // begins the keys of its texts, and the path of its form
	oidc *applicationpb.CreateOIDCApplicationRequest
	api  *applicationpb.CreateAPIApplicationRequest
	asks []field
}

// The values that the kinds of applications choose among, shorter.
const (
	byCode    = applicationpb.OIDCGrantType_OIDC_GRANT_TYPE_AUTHORIZATION_CODE
	byRefresh = applicationpb.OIDCGrantType_OIDC_GRANT_TYPE_REFRESH_TOKEN
	byDevice  = applicationpb.OIDCGrantType_OIDC_GRANT_TYPE_DEVICE_CODE
)

// appKinds are those that a new application can be of.
var appKinds = func() []appKind {
	redirects := []field{{path: "oidc_configuration.redirect_uris", required: true, help: "f-redirect_uris-help"}, {path: "oidc_configuration.post_logout_redirect_uris", help: "f-post_logout_redirect_uris-help"}}
	code := []applicationpb.OIDCResponseType{applicationpb.OIDCResponseType_OIDC_RESPONSE_TYPE_CODE}
	oidc := func(kind applicationpb.OIDCApplicationType, auth applicationpb.OIDCAuthMethodType, grants ...applicationpb.OIDCGrantType) *applicationpb.CreateOIDCApplicationRequest {
		return &applicationpb.CreateOIDCApplicationRequest{ResponseTypes: code, GrantTypes: grants, ApplicationType: kind, AuthMethodType: auth}
	}
	none := applicationpb.OIDCAuthMethodType_OIDC_AUTH_METHOD_TYPE_NONE
	return []appKind{
		{name: "web", oidc: oidc(applicationpb.OIDCApplicationType_OIDC_APP_TYPE_WEB, applicationpb.OIDCAuthMethodType_OIDC_AUTH_METHOD_TYPE_BASIC, byCode, byRefresh), asks: redirects},
		{name: "spa", oidc: oidc(applicationpb.OIDCApplicationType_OIDC_APP_TYPE_USER_AGENT, none, byCode), asks: redirects},
		{name: "native", oidc: oidc(applicationpb.OIDCApplicationType_OIDC_APP_TYPE_NATIVE, none, byCode, byRefresh), asks: redirects},
		{name: "device", oidc: oidc(applicationpb.OIDCApplicationType_OIDC_APP_TYPE_NATIVE, none, byDevice, byRefresh)},
		{name: "api", api: &applicationpb.CreateAPIApplicationRequest{}, asks: []field{{path: "api_configuration.auth_method_type"}}},
	}
}()

// request asks for an application of the kind.
func (k appKind) request(project string) proto.Message {
	req := &applicationpb.CreateApplicationRequest{ProjectId: project}
	if k.api != nil {
		req.ApplicationType = &applicationpb.CreateApplicationRequest_ApiConfiguration{ApiConfiguration: proto.CloneOf(k.api)}
	} else {
		req.ApplicationType = &applicationpb.CreateApplicationRequest_OidcConfiguration{OidcConfiguration: proto.CloneOf(k.oidc)}
	}
	return req
}

// oidcFields are all settings of an application that logs people in.
var oidcFields = []field{
	{path: "redirect_uris", help: "f-redirect_uris-help"},
	{path: "post_logout_redirect_uris", help: "f-post_logout_redirect_uris-help"},
	{path: "back_channel_logout_uri", kind: "url", help: "f-back_channel_logout_uri-help"},
	{path: "additional_origins", help: "f-additional_origins-help"},
	{path: "development_mode", help: "f-development_mode-help"},
	{path: "application_type", heading: "app-protocol"},
	{path: "auth_method_type"},
	{path: "grant_types"},
	{path: "response_types"},
	{path: "access_token_type", heading: "app-tokens"},
	{path: "access_token_role_assertion"},
	{path: "id_token_role_assertion"},
	{path: "id_token_userinfo_assertion"},
	{path: "clock_skew", help: "f-clock_skew-help"},
}

// within are fields of a message in the request.
func within(path string, fields []field) (out []field) {
	for _, f := range fields {
		f.text, f.path = f.label(), path+"."+f.path
		out = append(out, f)
	}
	return out
}

// appPages are about the applications of a project.
func appPages() (out []page) {
	out = append(out, list[*applicationpb.ListApplicationsResponse]{
		path: atApps, permission: appRead, title: "apps", empty: "apps-empty", columns: []string{"name", "kind", "client-id", "state"}, find: "apps-find",
		ask: func(v *visit, find string) proto.Message { return listApps(v.projectID(), find, pageSize) },
		rows: func(v *visit, res *applicationpb.ListApplicationsResponse) ([]row, uint64) {
			return appRows(v, v.at(atApps), res)
		},
		add: []entry{{atProject + "/app-new", "app-new", appWrite}}, of: projectAtHand,
	}.pages()...)
	out = append(out, view{path: atProject + "/app-new", permission: appWrite, read: chooseApp}.pages()...)
	for _, k := range appKinds {
		out = append(out, form{
			path: atProject + "/app-new/" + k.name, permission: appWrite, title: "app-" + k.name, help: "app-" + k.name + "-help", button: "create", crumbs: inProject,
			fields: append([]field{{path: "name", required: true}}, k.asks...),
			load:   func(v *visit) (proto.Message, error) { return k.request(v.projectID()), nil },
			then: func(v *visit, res proto.Message) (string, string) {
				return v.at(atApps) + "/" + res.(*applicationpb.CreateApplicationResponse).GetApplicationId(), "created" //nolint:forcetypeassert // the contract's
			},
			once: appOnce,
		}.pages()...)
	}
	out = append(out, view{path: atApp, permission: appRead, read: readApp}.pages()...)
	out = append(out, form{
		path: atApp + "/edit", permission: appWrite, title: "edit", then: backTo(atApp, "saved"), crumbs: inApp, load: loadApp,
		choose: func(v *visit, _ proto.Message) ([]field, error) {
			a, err := v.app()
			out := []field{{path: "name", required: true}}
			switch {
			case a.GetOidcConfiguration() != nil:
				out = append(out, within("oidc_configuration", oidcFields)...)
			case a.GetApiConfiguration() != nil:
				out = append(out, field{path: "api_configuration.auth_method_type"})
			}
			return out, err
		},
	}.pages()...)
	out = append(out, form{
		path: atApp + "/key", permission: appWrite, title: "key-new", help: "app-key-new-help", button: "create", then: backTo(atApp, "created"), crumbs: inApp,
		load: func(v *visit) (proto.Message, error) {
			return &applicationpb.CreateApplicationKeyRequest{ApplicationId: v.R.PathValue("app"), ProjectId: v.projectID(), ExpirationDate: v.in(lasts)}, nil
		},
		fields: []field{{path: "expiration_date", required: true, help: "f-expiration_date-help"}},
		once: func(_ *visit, res proto.Message) []fact {
			r := res.(*applicationpb.CreateApplicationKeyResponse) //nolint:forcetypeassert // the contract's
			return []fact{{Text: "id", Value: r.GetKeyId(), Code: true}, {Text: "key-file", Value: string(r.GetKeyDetails()), File: r.GetKeyId() + ".json", Help: "key-file-help"}}
		},
	}.pages()...)
	for _, a := range appActions() {
		a.crumbs = inApp
		out = append(out, a.pages()...)
	}
	return append(out, page{path: "apps/{app}", get: toApp})
}

// toApp leads to the page of an application of which the id alone is known.
func toApp(v *visit) error {
	app, err := call[*applicationpb.GetApplicationResponse](v, &applicationpb.GetApplicationRequest{ApplicationId: v.R.PathValue("app")})
	if err != nil {
		return err
	}
	project, err := call[*projectpb.GetProjectResponse](v, &projectpb.GetProjectRequest{ProjectId: app.GetApplication().GetProjectId()})
	if err != nil {
		return err
	}
	p := project.GetProject()
	return v.Redirect(prefix + "orgs/" + p.GetOrganizationId() + "/projects/" + p.GetProjectId() + "/apps/" + app.GetApplication().GetApplicationId())
}

// appActions are what can be done with an application as a whole.
func appActions() []action {
	return []action{
		{
			path: atApp + "/secret", permission: appWrite, title: "secret-new", help: "app-secret-help", then: backTo(atApp, "created"),
			request: func(v *visit) proto.Message {
				return &applicationpb.GenerateClientSecretRequest{ApplicationId: v.R.PathValue("app"), ProjectId: v.projectID()}
			},
			once: func(_ *visit, res proto.Message) []fact {
				return []fact{{Text: "client-secret", Value: res.(*applicationpb.GenerateClientSecretResponse).GetClientSecret(), Code: true}} //nolint:forcetypeassert // the contract's
			},
		},
		{
			path: atApp + "/deactivate", permission: appWrite, title: "deactivate", help: "app-deactivate-help", danger: true, then: backTo(atApp, "deactivated"),
			request: func(v *visit) proto.Message {
				return &applicationpb.DeactivateApplicationRequest{ApplicationId: v.R.PathValue("app"), ProjectId: v.projectID()}
			},
		},
		{
			path: atApp + "/activate", permission: appWrite, title: "activate", help: "app-activate-help", then: backTo(atApp, "activated"),
			request: func(v *visit) proto.Message {
				return &applicationpb.ReactivateApplicationRequest{ApplicationId: v.R.PathValue("app"), ProjectId: v.projectID()}
			},
		},
		{
			path: atApp + "/remove", permission: appDelete, title: "remove", help: "app-remove-help", danger: true, then: backTo(atApps, "removed"),
			request: func(v *visit) proto.Message {
				return &applicationpb.DeleteApplicationRequest{ApplicationId: v.R.PathValue("app"), ProjectId: v.projectID()}
			},
		},
		{
			path: atApp + "/keys/{key}/remove", permission: appWrite, title: "key-remove", help: "app-key-remove-help", danger: true, then: backTo(atApp, "removed"),
			request: func(v *visit) proto.Message {
				return &applicationpb.DeleteApplicationKeyRequest{KeyId: v.R.PathValue("key"), ApplicationId: v.R.PathValue("app"), ProjectId: v.projectID()}
			},
		},
	}
}

// chooseApp offers the kinds of applications.
func chooseApp(v *visit) (viewed, error) {
	p := part{Columns: []string{"kind", "app-for"}}
	for _, k := range appKinds {
		p.Rows = append(p.Rows, viewRow{row: row{Link: v.at(atProject + "/app-new/" + k.name), Cells: []cell{{Text: v.Texts.T("app-" + k.name)}, {Text: v.Texts.T("app-" + k.name + "-help")}}}})
	}
	return viewed{Title: v.Texts.T("app-new"), Help: v.Texts.T("app-new-help"), Crumbs: inProject(v), Parts: []part{p}}, nil
}

// listApps asks for applications of a project, or of all that may be seen, whose name holds
// a text.
func listApps(project, find string, limit uint32) *applicationpb.ListApplicationsRequest {
	req := &applicationpb.ListApplicationsRequest{
		Pagination: &filterpb.PaginationRequest{Limit: limit, Asc: true}, SortingColumn: applicationpb.ApplicationSorting_APPLICATION_SORT_BY_NAME,
	}
	if project != "" {
		req.Filters = append(req.Filters, &applicationpb.ApplicationSearchFilter{Filter: &applicationpb.ApplicationSearchFilter_ProjectIdFilter{
			ProjectIdFilter: &applicationpb.ProjectIDFilter{ProjectId: project},
		}})
	}
	if find != "" {
		req.Filters = append(req.Filters, &applicationpb.ApplicationSearchFilter{Filter: &applicationpb.ApplicationSearchFilter_NameFilter{
			NameFilter: &applicationpb.ApplicationNameFilter{Name: find, Method: containsText},
		}})
	}
	return req
}

func appRows(v *visit, at string, res *applicationpb.ListApplicationsResponse) (out []row, total uint64) {
	for _, a := range res.GetApplications() {
		kind, client := v.kindOf(a)
		out = append(out, row{ID: a.GetApplicationId(), Link: at + "/" + a.GetApplicationId(), Cells: []cell{{Text: a.GetName()}, {Text: kind}, {Text: client}, appState(v, a.GetState())}})
	}
	return out, res.GetPagination().GetTotalResult()
}

// kindOf is what kind of application it is, in words, and how clients call it.
func (v *visit) kindOf(a *applicationpb.Application) (kind, client string) {
	switch {
	case a.GetOidcConfiguration() != nil:
		return v.Texts.T(a.GetOidcConfiguration().GetApplicationType().String()), a.GetOidcConfiguration().GetClientId()
	case a.GetApiConfiguration() != nil:
		return "API", a.GetApiConfiguration().GetClientId()
	}
	return "SAML", ""
}

func appState(v *visit, s applicationpb.ApplicationState) cell {
	c := cell{Text: v.Texts.T(s.String()), State: "idle"}
	if s == applicationpb.ApplicationState_APPLICATION_STATE_ACTIVE {
		c.State = "good"
	}
	return c
}

// appOnce is what a new application proves itself with, where there is anything.
func appOnce(_ *visit, res proto.Message) []fact {
	r := res.(*applicationpb.CreateApplicationResponse) //nolint:forcetypeassert // the contract's
	client, secret := r.GetOidcConfiguration().GetClientId(), r.GetOidcConfiguration().GetClientSecret()
	if api := r.GetApiConfiguration(); api != nil {
		client, secret = api.GetClientId(), api.GetClientSecret()
	}
	if secret == "" {
		return nil
	}
	return []fact{{Text: "client-id", Value: client, Code: true}, {Text: "client-secret", Value: secret, Code: true}}
}

// loadApp is the request that changes the application, with what holds now.
func loadApp(v *visit) (proto.Message, error) {
	a, err := v.app()
	if err != nil {
		return nil, err
	}
	req := &applicationpb.UpdateApplicationRequest{ApplicationId: a.GetApplicationId(), ProjectId: v.projectID(), Name: a.GetName()}
	switch {
	case a.GetOidcConfiguration() != nil:
		req.ApplicationType = &applicationpb.UpdateApplicationRequest_OidcConfiguration{
			OidcConfiguration: carry(a.GetOidcConfiguration(), &applicationpb.UpdateOIDCApplicationConfigurationRequest{}),
		}
	case a.GetApiConfiguration() != nil:
		req.ApplicationType = &applicationpb.UpdateApplicationRequest_ApiConfiguration{
			ApiConfiguration: carry(a.GetApiConfiguration(), &applicationpb.UpdateAPIApplicationConfigurationRequest{}),
		}
	}
	return req, nil
}
