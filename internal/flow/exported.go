package flow

import (
	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/authorization"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/project"
	"github.com/gatehouse/gatehouse/internal/user"
)

// ExportedOrg is what an organization consists of.
type ExportedOrg struct {
	ID, Name       string
	State          int // numbered as on the wire
	Own            policy.Own
	Domains        []org.Domain
	Humans         []ExportedHuman
	Machines       []ExportedMachine
	Metadata       []ExportedMetadata // of its users
	Links          []ExportedLink     // of its users
	MachineKeys    []ExportedKey
	Projects       []project.Project
	Roles          []project.Role
	Applications   []ExportedApplication
	AppKeys        []ExportedKey
	Grants         []ExportedRoles // of its projects
	UserGrants     []ExportedRoles
	OrgMembers     []ExportedRoles
	ProjectMembers []ExportedRoles
	GrantMembers   []ExportedRoles

	self     []org.Org
	policies []exportedPolicy
	factors  []exportedFactor
}

// ExportedHuman is a human, with secrets as far as they were wished for.
type ExportedHuman struct {
	user.Human
	ID                           string
	State, GenderNumber          int
	EmailVerified, PhoneVerified bool
	Password                     user.Password
	TOTP                         string   // in base32
	Recovery                     []string // hashes
}

// ExportedMachine is a machine user.
type ExportedMachine struct {
	user.Machine
	ID               string
	State, TokenType int
}

// ExportedMetadata is a key of a user with its value, which is base64.
type ExportedMetadata struct{ UserID, Key, Value string }

// ExportedLink is an account of an identity provider that is a user's.
type ExportedLink struct {
	user.Link
	UserID string
}

// ExportedKey is the public part of a key of a machine user or of an application.
type ExportedKey struct {
	ID, UserID, ProjectID, AppID, ClientID, Public string
	Kind                                           int
	Expires                                        int64 // microseconds; 0: never
}

// ExportedApplication is an application, as it is stored.
type ExportedApplication struct{ ID, ProjectID, ClientID, Name, Kind, Document string }

// Config is how the application is set up.
func (a ExportedApplication) Config() (application.Config, error) {
	return application.Parse(a.Kind, a.Document)
}

// ExportedRoles are roles that something has: a grant of a project, or a user.
type ExportedRoles struct {
	ID, ProjectID, GrantID, GrantedOrg, UserID string
	Roles                                      []string
	role                                       string
}

type exportedPolicy struct {
	kind     string
	document []byte
}

type exportedFactor struct{ userID, kind, id, sealed string }

// together makes one of the rows that differ in the role only and are beside each other.
func together(rows []ExportedRoles) (out []ExportedRoles) {
	for _, r := range rows {
		n := len(out) - 1
		if n < 0 || out[n].ID != r.ID || out[n].ProjectID != r.ProjectID || out[n].GrantID != r.GrantID || out[n].UserID != r.UserID {
			out, n = append(out, r), n+1
		}
		if r.role != "" {
			out[n].Roles = append(out[n].Roles, r.role)
		}
	}
	return out
}

// ask collects the queries.
func (e *export) ask() {
	gather(e, e.from("org.read", "o.org_id", "o.name, o.state", "orgs o", "o"), "o.org_id",
		func(o *ExportedOrg) *[]org.Org { return &o.self }, func(o *org.Org) []any { return []any{&o.Name, &o.State} })
	gather(e, e.from("org.read", "d.org_id", "d.domain, d.verified = 1, d.is_primary = 1", "org_domains d", "d"), "d.domain",
		func(o *ExportedOrg) *[]org.Domain { return &o.Domains }, func(d *org.Domain) []any { return []any{&d.Name, &d.Verified, &d.Primary} })
	gather(e, e.from("policy.read", "p.org_id", "p.kind, p.document", "policies p", "p").Filter(policy.OwnRows), "p.kind",
		func(o *ExportedOrg) *[]exportedPolicy { return &o.policies }, func(p *exportedPolicy) []any { return []any{&p.kind, &p.document} })
	e.askUsers()
	e.askProjects()
	e.askMembers()
}

// secret is a column where it is wished for, and empty elsewhere.
func secret(wished bool, column string) string {
	if wished {
		return column
	}
	return "''"
}

func (e *export) askUsers() {
	of := func(columns, table, alias string) *database.Select {
		return e.from("user.read", "u.org_id", columns, "users u JOIN "+table+" "+alias+" ON "+alias+".instance_id = u.instance_id AND "+alias+".user_id = u.user_id", "u")
	}
	gather(e, of("u.user_id, "+stateOf+", u.user_name, h.first_name, h.last_name, h.nick_name, h.display_name, h.preferred_language, h.gender, h.email, h.email_verified = 1, h.phone, h.phone_verified = 1, "+
		secret(e.wish.Passwords, "h.password_hash")+", h.password_change_required = 1", "humans", "h"), "u.user_id",
		func(o *ExportedOrg) *[]ExportedHuman { return &o.Humans }, func(h *ExportedHuman) []any {
			return []any{
				&h.ID, &h.State, &h.UserName, &h.FirstName, &h.LastName, &h.NickName, &h.DisplayName, &h.PreferredLanguage, &h.GenderNumber, &h.Email, &h.EmailVerified, &h.Phone, &h.PhoneVerified,
				&h.Password.Hash, &h.Password.ChangeRequired,
			}
		})
	gather(e, of("u.user_id, u.state, u.user_name, m.name, m.description, m.access_token_type", "machines", "m"), "u.user_id",
		func(o *ExportedOrg) *[]ExportedMachine { return &o.Machines }, func(m *ExportedMachine) []any {
			return []any{&m.ID, &m.State, &m.UserName, &m.Name, &m.Description, &m.TokenType}
		})
	if e.wish.OTP {
		gather(e, of("f.user_id, f.kind, f.factor_id, f.secret", "user_factors", "f").Where("f.state = ?", user.FactorReady).In("f.kind", []string{string(user.TOTP), string(user.Recovery)}), "f.user_id, f.factor_id",
			func(o *ExportedOrg) *[]exportedFactor { return &o.factors }, func(f *exportedFactor) []any { return []any{&f.userID, &f.kind, &f.id, &f.sealed} })
	}
	gather(e, e.from("user.read", "u.org_id", "m.object_id, m.meta_key, m.value", "users u JOIN metadata m ON m.instance_id = u.instance_id AND m.object_id = u.user_id", "u").Where("m.kind = 'user'"), "m.object_id, m.meta_key",
		func(o *ExportedOrg) *[]ExportedMetadata { return &o.Metadata }, func(m *ExportedMetadata) []any { return []any{&m.UserID, &m.Key, &m.Value} })
	gather(e, of("l.user_id, l.idp_id, l.external_id, l.name", "user_idp_links", "l"), "l.user_id, l.idp_id, l.external_id",
		func(o *ExportedOrg) *[]ExportedLink { return &o.Links }, func(l *ExportedLink) []any { return []any{&l.UserID, &l.IDP, &l.ExternalID, &l.Name} })
	gather(e, of("k.key_id, k.user_id, k.kind, k.expires, k.public_key", "machine_keys", "k").Where("(k.expires = 0 OR k.expires > ?)", e.now.UnixMicro()), "k.key_id",
		func(o *ExportedOrg) *[]ExportedKey { return &o.MachineKeys }, func(k *ExportedKey) []any { return []any{&k.ID, &k.UserID, &k.Kind, &k.Expires, &k.Public} })
}

func (e *export) askProjects() {
	of := func(permission, columns, joins string) *database.Select {
		return e.from(permission, "p.org_id", columns, "projects p"+joins, "p").Where("p.state = ?", project.Active)
	}
	const apps = " JOIN applications a ON a.instance_id = p.instance_id AND a.project_id = p.project_id"
	gather(e, of("project.read", "p.project_id, p.name, p.role_assertion = 1, p.role_check = 1, p.org_check = 1, p.private_labeling", ""), "p.project_id",
		func(o *ExportedOrg) *[]project.Project { return &o.Projects }, func(p *project.Project) []any {
			return []any{&p.ID, &p.Name, &p.RoleAssertion, &p.RoleCheck, &p.OrgCheck, &p.PrivateLabeling}
		})
	gather(e, of("project.role.read", "r.project_id, r.role_key, r.display_name, r.role_group", " JOIN project_roles r ON r.instance_id = p.instance_id AND r.project_id = p.project_id"), "r.project_id, r.role_key",
		func(o *ExportedOrg) *[]project.Role { return &o.Roles }, func(r *project.Role) []any { return []any{&r.Project, &r.Key, &r.DisplayName, &r.Group} })
	gather(e, of("project.app.read", "a.app_id, a.project_id, a.client_id, a.name, a.kind, a.document", apps).Where("a.state = ?", application.Active).In("a.kind", []string{application.KindOIDC, application.KindAPI}), "a.app_id",
		func(o *ExportedOrg) *[]ExportedApplication { return &o.Applications }, func(a *ExportedApplication) []any {
			return []any{&a.ID, &a.ProjectID, &a.ClientID, &a.Name, &a.Kind, &a.Document}
		})
	gather(e, of("project.app.read", "k.key_id, a.project_id, k.app_id, k.client_id, k.kind, k.expires, k.public_key", apps+" JOIN application_keys k ON k.instance_id = a.instance_id AND k.app_id = a.app_id").
		Where("a.state = ? AND (k.expires = 0 OR k.expires > ?)", application.Active, e.now.UnixMicro()), "k.key_id",
		func(o *ExportedOrg) *[]ExportedKey { return &o.AppKeys }, func(k *ExportedKey) []any {
			return []any{&k.ID, &k.ProjectID, &k.AppID, &k.ClientID, &k.Kind, &k.Expires, &k.Public}
		})
	gather(e, of("project.grant.read", "g.grant_id, g.project_id, g.granted_org_id, COALESCE(r.role_key, '')", activeGrants+
		" LEFT JOIN project_grant_roles r ON r.instance_id = g.instance_id AND r.grant_id = g.grant_id").Where("g.state = ?", project.Active), "g.grant_id, r.place",
		func(o *ExportedOrg) *[]ExportedRoles { return &o.Grants }, func(r *ExportedRoles) []any { return []any{&r.ID, &r.ProjectID, &r.GrantedOrg, &r.role} })
	gather(e, e.from("user.grant.read", "u.org_id", "u.grant_id, u.user_id, u.project_id, u.project_grant_id, COALESCE(r.role_key, '')",
		`user_grants u JOIN projects p ON p.instance_id = u.instance_id AND p.project_id = u.project_id
		LEFT JOIN project_grants g ON g.instance_id = u.instance_id AND g.grant_id = u.project_grant_id
		LEFT JOIN user_grant_roles r ON r.instance_id = u.instance_id AND r.grant_id = u.grant_id`, "u").
		Where("u.state = ? AND p.state = ? AND (u.project_grant_id = '' OR g.state = ?)", authorization.Active, project.Active, project.Active), "u.grant_id, r.place",
		func(o *ExportedOrg) *[]ExportedRoles { return &o.UserGrants }, func(r *ExportedRoles) []any { return []any{&r.ID, &r.UserID, &r.ProjectID, &r.GrantID, &r.role} })
}

const activeGrants = " JOIN project_grants g ON g.instance_id = p.instance_id AND g.project_id = p.project_id"

func (e *export) askMembers() {
	gather(e, e.from("org.member.read", "r.object_id", "r.user_id, r.role", "member_roles r", "r").Where("r.kind = ?", member.OfOrg), "r.object_id, r.user_id, r.place",
		func(o *ExportedOrg) *[]ExportedRoles { return &o.OrgMembers }, func(r *ExportedRoles) []any { return []any{&r.UserID, &r.role} })
	gather(e, e.from("project.member.read", "p.org_id", "r.object_id, r.user_id, r.role", "projects p JOIN member_roles r ON r.instance_id = p.instance_id AND r.object_id = p.project_id", "p").
		Where("r.kind = ? AND p.state = ?", member.OfProject, project.Active), "r.object_id, r.user_id, r.place",
		func(o *ExportedOrg) *[]ExportedRoles { return &o.ProjectMembers }, func(r *ExportedRoles) []any { return []any{&r.ProjectID, &r.UserID, &r.role} })
	gather(e, e.from("project.grant.member.read", "p.org_id", "g.project_id, g.grant_id, r.user_id, r.role", "projects p"+activeGrants+" JOIN member_roles r ON r.instance_id = g.instance_id AND r.object_id = g.grant_id", "p").
		Where("r.kind = ? AND p.state = ? AND g.state = ?", member.OfGrant, project.Active, project.Active), "g.grant_id, r.user_id, r.place",
		func(o *ExportedOrg) *[]ExportedRoles { return &o.GrantMembers }, func(r *ExportedRoles) []any { return []any{&r.ProjectID, &r.GrantID, &r.UserID, &r.role} })
}
