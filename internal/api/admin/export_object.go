package admin

import (
	"cmp"
	"context"
	"encoding/base64"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	authnpb "github.com/gatehouse/gatehouse/gen/zitadel/authn/v1"
	idppb "github.com/gatehouse/gatehouse/gen/zitadel/idp/v1"
	managementpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	orgpb "github.com/gatehouse/gatehouse/gen/zitadel/org/v1"
	projectpb "github.com/gatehouse/gatehouse/gen/zitadel/project/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	datapb "github.com/gatehouse/gatehouse/gen/zitadel/v1/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/project"
)

// exported is an organization as an import takes it.
func exported(ctx context.Context, o *flow.ExportedOrg) (*pb.DataOrg, error) {
	out := &pb.DataOrg{
		OrgId: o.ID, Org: &managementpb.AddOrgRequest{Name: o.Name}, OrgState: orgpb.OrgState(o.State), //nolint:gosec // numbered as on the wire
		Domains: api.Each(o.Domains, func(d org.Domain) *orgpb.Domain {
			return &orgpb.Domain{DomainName: d.Name, IsVerified: d.Verified, IsPrimary: d.Primary}
		}),
		HumanUsers: api.Each(o.Humans, exportedHuman), MachineUsers: api.Each(o.Machines, exportedMachine),
		UserLinks: api.Each(o.Links, func(l flow.ExportedLink) *idppb.IDPUserLink {
			return &idppb.IDPUserLink{UserId: l.UserID, IdpId: l.IDP, ProvidedUserId: l.ExternalID, ProvidedUserName: l.Name}
		}),
		MachineKeys: api.Each(o.MachineKeys, func(k flow.ExportedKey) *datapb.DataMachineKey {
			return &datapb.DataMachineKey{KeyId: k.ID, UserId: k.UserID, Type: authnpb.KeyType(k.Kind), ExpirationDate: ends(k), PublicKey: []byte(k.Public)} //nolint:gosec // numbered as on the wire
		}),
		AppKeys: api.Each(o.AppKeys, func(k flow.ExportedKey) *datapb.DataAppKey {
			return &datapb.DataAppKey{Id: k.ID, ProjectId: k.ProjectID, AppId: k.AppID, ClientId: k.ClientID, Type: authnpb.KeyType(k.Kind), ExpirationDate: ends(k), PublicKey: []byte(k.Public)} //nolint:gosec // numbered as on the wire
		}),
		Projects: api.Each(o.Projects, exportedProject),
		ProjectRoles: api.Each(o.Roles, func(r project.Role) *managementpb.AddProjectRoleRequest {
			return &managementpb.AddProjectRoleRequest{ProjectId: r.Project, RoleKey: r.Key, DisplayName: cmp.Or(r.DisplayName, r.Key), Group: r.Group}
		}),
		ProjectGrants: api.Each(o.Grants, func(g flow.ExportedRoles) *datapb.DataProjectGrant {
			return &datapb.DataProjectGrant{GrantId: g.ID, ProjectGrant: &managementpb.AddProjectGrantRequest{ProjectId: g.ProjectID, GrantedOrgId: g.GrantedOrg, RoleKeys: g.Roles}}
		}),
		UserGrants: api.Each(o.UserGrants, func(g flow.ExportedRoles) *managementpb.AddUserGrantRequest {
			return &managementpb.AddUserGrantRequest{UserId: g.UserID, ProjectId: g.ProjectID, ProjectGrantId: g.GrantID, RoleKeys: g.Roles}
		}),
		OrgMembers: api.Each(o.OrgMembers, func(m flow.ExportedRoles) *managementpb.AddOrgMemberRequest {
			return &managementpb.AddOrgMemberRequest{UserId: m.UserID, Roles: m.Roles}
		}),
		ProjectMembers: api.Each(o.ProjectMembers, func(m flow.ExportedRoles) *managementpb.AddProjectMemberRequest {
			return &managementpb.AddProjectMemberRequest{ProjectId: m.ProjectID, UserId: m.UserID, Roles: m.Roles}
		}),
		ProjectGrantMembers: api.Each(o.GrantMembers, func(m flow.ExportedRoles) *managementpb.AddProjectGrantMemberRequest {
			return &managementpb.AddProjectGrantMemberRequest{ProjectId: m.ProjectID, GrantId: m.GrantID, UserId: m.UserID, Roles: m.Roles}
		}),
	}
	exportPolicies(out, o.Own)
	exportTexts(out, o.Own.Texts)
	err := exportMetadata(out, o.Metadata)
	if err == nil {
		err = exportApplications(ctx, out, o.Applications)
	}
	return out, err
}

// ends is when a key ends; nil for never.
func ends(k flow.ExportedKey) *timestamppb.Timestamp {
	if k.Expires == 0 {
		return nil
	}
	return timestamppb.New(time.UnixMicro(k.Expires))
}

func exportedHuman(h flow.ExportedHuman) *datapb.DataHumanUser {
	u := &managementpb.ImportHumanUserRequest{
		UserName: h.UserName, PasswordChangeRequired: h.Password.ChangeRequired, OtpCode: h.TOTP,
		Profile: &managementpb.ImportHumanUserRequest_Profile{
			FirstName: h.FirstName, LastName: h.LastName, NickName: h.NickName, DisplayName: h.DisplayName,
			PreferredLanguage: h.PreferredLanguage, Gender: userpb.Gender(h.GenderNumber), //nolint:gosec // numbered as on the wire
		},
		Email: &managementpb.ImportHumanUserRequest_Email{Email: h.Email, IsEmailVerified: h.EmailVerified},
		RecoveryCodes: api.Each(h.Recovery, func(hash string) *managementpb.ImportHumanUserRequest_RecoveryCode {
			return &managementpb.ImportHumanUserRequest_RecoveryCode{CodeType: &managementpb.ImportHumanUserRequest_RecoveryCode_Hash{Hash: hash}}
		}),
	}
	if h.Phone != "" {
		u.Phone = &managementpb.ImportHumanUserRequest_Phone{Phone: h.Phone, IsPhoneVerified: h.PhoneVerified}
	}
	if h.Password.Hash != "" {
		u.HashedPassword = &managementpb.ImportHumanUserRequest_HashedPassword{Value: h.Password.Hash}
	}
	return &datapb.DataHumanUser{UserId: h.ID, User: u, State: api.UserStateV1(h.State)}
}

func exportedMachine(m flow.ExportedMachine) *datapb.DataMachineUser {
	return &datapb.DataMachineUser{UserId: m.ID, State: api.UserStateV1(m.State), User: &managementpb.AddMachineUserRequest{
		UserName: m.UserName, Name: m.Name, Description: m.Description, AccessTokenType: userpb.AccessTokenType(m.TokenType), //nolint:gosec // numbered as on the wire
	}}
}

func exportedProject(p project.Project) *datapb.DataProject {
	return &datapb.DataProject{ProjectId: p.ID, Project: &managementpb.AddProjectRequest{
		Name: p.Name, ProjectRoleAssertion: p.RoleAssertion, ProjectRoleCheck: p.RoleCheck, HasProjectCheck: p.OrgCheck,
		PrivateLabelingSetting: projectpb.PrivateLabelingSetting(p.PrivateLabeling), //nolint:gosec // numbered as on the wire
	}}
}

func exportMetadata(out *pb.DataOrg, list []flow.ExportedMetadata) error {
	for _, m := range list {
		value, err := base64.StdEncoding.DecodeString(m.Value)
		if err != nil {
			return err
		}
		out.UserMetadata = append(out.UserMetadata, &managementpb.SetUserMetadataRequest{Id: m.UserID, Key: m.Key, Value: value})
	}
	return nil
}

func exportApplications(ctx context.Context, out *pb.DataOrg, list []flow.ExportedApplication) error {
	for _, a := range list {
		config, err := a.Config()
		if err != nil {
			return err
		}
		shown := api.App(ctx)(application.Application{ClientID: a.ClientID, Config: config})
		if c := shown.GetApiConfig(); c != nil {
			app := &managementpb.AddAPIAppRequest{ProjectId: a.ProjectID, Name: a.Name, AuthMethodType: c.GetAuthMethodType()}
			out.ApiApps = append(out.ApiApps, &datapb.DataAPIApplication{AppId: a.ID, App: app})
			continue
		}
		app := &managementpb.AddOIDCAppRequest{ProjectId: a.ProjectID, Name: a.Name}
		alike(app, shown.GetOidcConfig())
		out.OidcApps = append(out.OidcApps, &datapb.DataOIDCApplication{AppId: a.ID, App: app})
	}
	return nil
}

// alike gives the fields of to the values of those fields of from that are called so.
func alike(to, from proto.Message) {
	fields := to.ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		f := from.ProtoReflect().Descriptor().Fields().ByName(fields.Get(i).Name())
		if f != nil && from.ProtoReflect().Has(f) {
			to.ProtoReflect().Set(fields.Get(i), from.ProtoReflect().Get(f))
		}
	}
}

func exportPolicies(out *pb.DataOrg, own policy.Own) {
	if p := own.Domain; p != nil {
		out.DomainPolicy = &pb.AddCustomDomainPolicyRequest{OrgId: out.GetOrgId()}
		alike(out.GetDomainPolicy(), api.Domain.Show(policy.State[policy.DomainPolicy]{Doc: *p}))
	}
	if p := own.Label; p != nil {
		out.LabelPolicy = &managementpb.AddCustomLabelPolicyRequest{}
		alike(out.GetLabelPolicy(), api.Label.Show(policy.State[policy.LabelPolicy]{Doc: *p}))
	}
	if p := own.Lockout; p != nil {
		out.LockoutPolicy = &managementpb.AddCustomLockoutPolicyRequest{MaxPasswordAttempts: uint32(p.MaxPasswordAttempts), MaxOtpAttempts: uint32(p.MaxOTPAttempts)} //nolint:gosec // they came so
	}
	if p := own.Login; p != nil {
		shown := api.LoginPolicy(policy.State[policy.LoginPolicy]{Doc: *p})
		idps := api.Each(p.IDPs, func(l policy.LoginIDP) *managementpb.AddCustomLoginPolicyRequest_IDP {
			return &managementpb.AddCustomLoginPolicyRequest_IDP{IdpId: l.ID, OwnerType: max(idppb.IDPOwnerType(l.Owner), idppb.IDPOwnerType_IDP_OWNER_TYPE_SYSTEM)}
		})
		shown.Idps, out.LoginPolicy = nil, &managementpb.AddCustomLoginPolicyRequest{Idps: idps}
		alike(out.GetLoginPolicy(), shown)
	}
	if p := own.PasswordComplexity; p != nil {
		out.PasswordComplexityPolicy = &managementpb.AddCustomPasswordComplexityPolicyRequest{}
		alike(out.GetPasswordComplexityPolicy(), api.PasswordComplexity[uint64]().Show(policy.State[policy.PasswordComplexityPolicy]{Doc: *p}))
	}
	if p := own.Privacy; p != nil {
		out.PrivacyPolicy = &managementpb.AddCustomPrivacyPolicyRequest{}
		alike(out.GetPrivacyPolicy(), api.Privacy.Show(policy.State[policy.PrivacyPolicy]{Doc: *p}))
	}
}

// exportTexts gives the texts; those of a template that imports do not know stay.
func exportTexts(out *pb.DataOrg, texts []policy.OwnText) {
	fields := map[string]func() proto.Message{
		policy.LoginTexts:                        grow(&out.LoginTexts),
		string(message.Init):                     grow(&out.InitMessages),
		string(message.PasswordReset):            grow(&out.PasswordResetMessages),
		string(message.VerifyEmail):              grow(&out.VerifyEmailMessages),
		string(message.VerifyPhone):              grow(&out.VerifyPhoneMessages),
		string(message.DomainClaimed):            grow(&out.DomainClaimedMessages),
		string(message.PasswordlessRegistration): grow(&out.PasswordlessRegistrationMessages),
		string(message.VerifySMSOTP):             grow(&out.VerifySmsOtpMessages),
		string(message.VerifyEmailOTP):           grow(&out.VerifyEmailOtpMessages),
		string(message.InviteUser):               grow(&out.InviteUserMessages),
	}
	for _, t := range texts {
		if field := fields[t.Template]; field != nil {
			api.FillText(field(), t)
		}
	}
}

// grow gives a function that adds an empty message to a list.
func grow[M any, P interface {
	*M
	proto.Message
}](list *[]P) func() proto.Message {
	return func() proto.Message {
		*list = append(*list, P(new(M)))
		return (*list)[len(*list)-1]
	}
}
