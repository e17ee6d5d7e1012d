package admin

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	idppb "github.com/gatehouse/gatehouse/gen/zitadel/idp/v1"
	managementpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	orgpb "github.com/gatehouse/gatehouse/gen/zitadel/org/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	datapb "github.com/gatehouse/gatehouse/gen/zitadel/v1/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// object is one of the things that an import makes.
type object struct {
	org  string
	data proto.Message // as the import has it
	as   api.Import
	// request is that of the call that makes it, where one call does.
	request proto.Message
	create  func(context.Context, api.Do) (proto.Message, error)
}

var (
	errImportOrg   = fault.Precondition("IMPORT-org", "The organization that this belongs to was not made.")
	errImportLink  = fault.Invalid("IMPORT-passkey", "An import has nobody to give a link for a passkey to. Leave it out, and ask for the link afterwards.")
	errImportKey   = fault.Invalid("IMPORT-key", "A key is imported by its public part. Give that, as public_key.")
	errImportProof = fault.Precondition("IMPORT-domain", "The domain was added and has to be proved, as the domain policy demands.")
	errImportState = fault.Invalid("IMPORT-state", "An organization can be imported as active or inactive.")
)

// objectsOf reads the objects of a field of an organization's data, of which the two
// messages have not all the same.
func objectsOf(o *importedOrg, name protoreflect.Name) (out []object) {
	f := o.data.Descriptor().Fields().ByName(name)
	if f == nil || !o.data.Has(f) {
		return nil
	}
	v := o.data.Get(f)
	switch {
	case f.IsList():
		for n := range v.List().Len() {
			out = append(out, newObject(o, v.List().Get(n).Message().Interface()))
		}
	case f.Message() != nil:
		out = append(out, newObject(o, v.Message().Interface()))
	default: // The state of the organization, which is the one field without a message.
		if state := orgpb.OrgState(v.Enum()); state != orgpb.OrgState_ORG_STATE_ACTIVE { // It is active when it is made.
			out = append(out, stateOf(o.id, state))
		}
	}
	if o.id == "" {
		for n := range out {
			out[n].create = refused(errImportOrg)
		}
	}
	return out
}

// newObject reads an object: what has no form of its own in imports is the request of
// the call that makes it.
func newObject(o *importedOrg, data proto.Message) object {
	org := o.id
	x := object{org: org, data: data, request: data}
	switch d := data.(type) {
	case *datapb.DataProject:
		x.as.ID, x.request = d.GetProjectId(), d.GetProject()
	case *datapb.DataAPIApplication:
		x.as, x.request = api.Import{ID: d.GetAppId(), ClientID: o.clients[d.GetAppId()]}, d.GetApp()
	case *datapb.DataOIDCApplication:
		x.as, x.request = api.Import{ID: d.GetAppId(), ClientID: o.clients[d.GetAppId()]}, d.GetApp()
	case *datapb.DataMachineKey:
		x.as.ID = d.GetKeyId()
		x.request = &managementpb.AddMachineKeyRequest{UserId: d.GetUserId(), Type: d.GetType(), ExpirationDate: d.GetExpirationDate(), PublicKey: d.GetPublicKey()}
	case *datapb.DataAppKey:
		x.as = api.Import{ID: d.GetId(), PublicKey: string(d.GetPublicKey())}
		x.request = &managementpb.AddAppKeyRequest{ProjectId: d.GetProjectId(), AppId: d.GetAppId(), Type: d.GetType(), ExpirationDate: d.GetExpirationDate()}
	case *datapb.DataProjectGrant:
		x.as.ID, x.request = d.GetGrantId(), d.GetProjectGrant()
	case *datapb.DataAction:
		x.as.ID, x.request = d.GetActionId(), d.GetAction()
	case *datapb.DataOIDCIDP:
		x.as.ID, x.request = d.GetIdpId(), d.GetIdp()
	case *datapb.DataJWTIDP:
		x.as.ID, x.request = d.GetIdpId(), d.GetIdp()
	case *datapb.DataMachineUser:
		x.as, x.request = api.Import{ID: d.GetUserId(), State: userState(d.GetState())}, d.GetUser()
	case *datapb.DataHumanUser:
		x.as, x.request = api.Import{ID: d.GetUserId(), State: userState(d.GetState())}, d.GetUser()
		if d.GetUser().GetRequestPasswordlessRegistration() {
			x.create = refused(errImportLink)
			return x
		}
	case *datapb.AddCustomOrgIAMPolicyRequest:
		x.request = &pb.AddCustomDomainPolicyRequest{OrgId: org, UserLoginMustBeDomain: d.GetUserLoginMustBeDomain()}
	case *pb.AddCustomDomainPolicyRequest:
		policy := proto.CloneOf(d)
		policy.OrgId, x.request = org, policy
	case *idppb.IDPUserLink:
		x.request = &userv2.AddIDPLinkRequest{UserId: d.GetUserId(), IdpLink: &userv2.IDPLink{
			IdpId: d.GetIdpId(), UserId: d.GetProvidedUserId(), UserName: d.GetProvidedUserName(),
		}}
	case *managementpb.AddCustomLabelPolicyRequest:
		x.create = func(ctx context.Context, do api.Do) (proto.Message, error) { return nil, importLabel(ctx, do, org, d) }
		return x
	case *orgpb.Domain:
		x.create = func(ctx context.Context, do api.Do) (proto.Message, error) { return nil, importDomain(ctx, do, org, d) }
		return x
	}
	if k, ok := data.(interface{ GetPublicKey() []byte }); ok && len(k.GetPublicKey()) == 0 {
		x.create = refused(errImportKey)
		return x
	}
	x.create = func(ctx context.Context, do api.Do) (proto.Message, error) {
		return do(api.WithImport(ctx, x.as), org, x.request)
	}
	return x
}

// refused is a creation that cannot be.
func refused(why error) func(context.Context, api.Do) (proto.Message, error) {
	return func(context.Context, api.Do) (proto.Message, error) { return nil, why }
}

// userState is the state that a user is to have; -1 for one that nobody can.
func userState(s userpb.UserState) int {
	if s == userpb.UserState_USER_STATE_SUSPEND {
		return -1
	}
	return api.UserState(s)
}

// stateOf makes an organization inactive, once all that belongs to it is there.
func stateOf(org string, state orgpb.OrgState) object {
	return object{org: org, create: func(ctx context.Context, do api.Do) (proto.Message, error) {
		if state != orgpb.OrgState_ORG_STATE_INACTIVE {
			return nil, errImportState
		}
		return do(ctx, org, &managementpb.DeactivateOrgRequest{})
	}}
}

// importLabel gives an organization looks of its own, which visitors see at once.
func importLabel(ctx context.Context, do api.Do, org string, r *managementpb.AddCustomLabelPolicyRequest) error {
	_, err := do(ctx, org, r)
	if err == nil {
		_, err = do(ctx, org, &managementpb.ActivateCustomLabelPolicyRequest{})
	}
	return err
}

// importDomain gives an organization a domain that it does not have yet, and makes it
// the primary one where it is to be.
func importDomain(ctx context.Context, do api.Do, org string, d *orgpb.Domain) error {
	there, err := domainOf(ctx, do, org, d.GetDomainName())
	if err == nil && there == nil {
		if _, err = do(ctx, org, &managementpb.AddOrgDomainRequest{Domain: d.GetDomainName()}); err == nil {
			there, err = domainOf(ctx, do, org, d.GetDomainName())
		}
	}
	switch {
	case err != nil:
		return err
	case d.GetIsVerified() && !there.GetIsVerified():
		return errImportProof
	case d.GetIsPrimary() && !there.GetIsPrimary():
		_, err = do(ctx, org, &managementpb.SetPrimaryOrgDomainRequest{Domain: d.GetDomainName()})
	}
	return err
}

// domainOf gives a domain of an organization; nil where it has no such one.
func domainOf(ctx context.Context, do api.Do, org, name string) (*orgpb.Domain, error) {
	res, err := do(ctx, org, &managementpb.ListOrgDomainsRequest{Queries: []*orgpb.DomainSearchQuery{{
		Query: &orgpb.DomainSearchQuery_DomainNameQuery{DomainNameQuery: &orgpb.DomainNameQuery{Name: strings.ToLower(name)}},
	}}})
	if err != nil {
		return nil, err
	}
	for _, d := range res.(*managementpb.ListOrgDomainsResponse).GetResult() { //nolint:forcetypeassert // the answer to the request
		return d, nil
	}
	return nil, nil
}

// names are the fields by which objects and requests name what they are about.
var names = []protoreflect.Name{
	"project_id", "app_id", "grant_id", "project_grant_id", "user_id", "id", "key_id", "role_key", "key", "language",
	"domain_name", "idp_id", "provided_user_id", "type", "flow_type", "trigger_type", "user_name", "name",
}

// name is how errors name the object: by its id, or by what it is about.
func (x object) name() string { return cmp.Or(x.as.ID, nameIn(x.data), nameIn(x.request), x.org) }

func nameIn(m proto.Message) string {
	if m == nil {
		return ""
	}
	var parts []string
	fields, values := m.ProtoReflect().Descriptor().Fields(), m.ProtoReflect()
	for n := range fields.Len() {
		f := fields.Get(n)
		if !slices.Contains(names, f.Name()) || f.IsList() || f.Message() != nil || !values.Has(f) {
			continue
		}
		if v := values.Get(f); f.Enum() == nil {
			parts = append(parts, v.String())
		} else if known := f.Enum().Values().ByNumber(v.Enum()); known != nil {
			parts = append(parts, string(known.Name()))
		}
	}
	return strings.Join(parts, "/")
}

// tell says in an import's answer that the object was made. Policies and texts have no
// place there.
func (x object) tell(out *pb.ImportDataSuccessOrg, answer proto.Message) {
	switch r := x.request.(type) {
	case *managementpb.AddProjectGrantRequest:
		out.ProjectGrants = append(out.ProjectGrants, &pb.ImportDataSuccessProjectGrant{GrantId: idOf(answer), ProjectId: r.GetProjectId(), OrgId: r.GetGrantedOrgId()})
	case *managementpb.AddUserGrantRequest:
		out.UserGrants = append(out.UserGrants, &pb.ImportDataSuccessUserGrant{ProjectId: r.GetProjectId(), UserId: r.GetUserId()})
	case *managementpb.AddProjectMemberRequest:
		out.ProjectMembers = append(out.ProjectMembers, &pb.ImportDataSuccessProjectMember{ProjectId: r.GetProjectId(), UserId: r.GetUserId()})
	case *managementpb.AddProjectGrantMemberRequest:
		out.ProjectGrantMembers = append(out.ProjectGrantMembers, &pb.ImportDataSuccessProjectGrantMember{ProjectId: r.GetProjectId(), GrantId: r.GetGrantId(), UserId: r.GetUserId()})
	case *managementpb.SetUserMetadataRequest:
		out.UserMetadata = append(out.UserMetadata, &pb.ImportDataSuccessUserMetadata{UserId: r.GetId(), Key: r.GetKey()})
	case *userv2.AddIDPLinkRequest:
		l := r.GetIdpLink()
		out.UserLinks = append(out.UserLinks, &pb.ImportDataSuccessUserLinks{UserId: r.GetUserId(), ExternalUserId: l.GetUserId(), DisplayName: l.GetUserName(), IdpId: l.GetIdpId()})
	default:
		x.list(out, cmp.Or(idOf(answer), x.name()))
	}
}

// list adds the object's id, or its name, to those of its sort.
func (x object) list(out *pb.ImportDataSuccessOrg, id string) {
	var list *[]string
	switch x.request.(type) {
	case *managementpb.AddProjectRequest:
		list = &out.ProjectIds
	case *managementpb.AddProjectRoleRequest:
		list = &out.ProjectRoles
	case *managementpb.AddOIDCAppRequest:
		list = &out.OidcAppIds
	case *managementpb.AddAPIAppRequest:
		list = &out.ApiAppIds
	case *managementpb.ImportHumanUserRequest:
		list = &out.HumanUserIds
	case *managementpb.AddMachineUserRequest:
		list = &out.MachineUserIds
	case *managementpb.CreateActionRequest:
		list = &out.ActionIds
	case *managementpb.AddOrgMemberRequest:
		list = &out.OrgMembers
	case *managementpb.AddOrgOIDCIDPRequest:
		list = &out.OidcIpds
	case *managementpb.AddOrgJWTIDPRequest:
		list = &out.JwtIdps
	case *managementpb.AddIDPToLoginPolicyRequest:
		list = &out.IdpLinks
	case *orgpb.Domain:
		list = &out.Domains
	case *managementpb.AddAppKeyRequest:
		list = &out.AppKeys
	case *managementpb.AddMachineKeyRequest:
		list = &out.MachineKeys
	default:
		return
	}
	*list = append(*list, id)
}

// idOf is the id of what was made, where the answer names it.
func idOf(answer proto.Message) string {
	if answer == nil {
		return ""
	}
	for _, name := range []protoreflect.Name{"id", "user_id", "app_id", "grant_id", "key_id"} {
		if f := answer.ProtoReflect().Descriptor().Fields().ByName(name); f != nil {
			return answer.ProtoReflect().Get(f).String()
		}
	}
	return ""
}
