package console

import (
	"cmp"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// policy is a policy or a setting: calls of the contract that read and change it, and the
// fields that it has. Its page says what holds, its form changes it.
type policy struct {
	path  string // below the page of all policies
	title string // key
	help  string // key; empty: that of the title with "-help"
	// ofOrg and ofInstance are the requests by which the two are read and changed. An
	// organization can have its own, or none.
	ofOrg, ofInstance calls
	fields            []field
	// fix fills in what a request is about.
	fix func(v *visit, req proto.Message)
	// more carries what the request that changes it calls otherwise than the answer that
	// says what holds.
	more func(from, to proto.Message)
	// explain says more about what can be typed; nil: nothing.
	explain func(v *visit) string
	// giveUp is the key of what gives an own one up; empty: that of all.
	giveUp string
	// page shows the policy, and send changes it, where that is not done as for all.
	page func(p policy, v *visit) error
	send func(v *visit, req proto.Message) (proto.Message, error)
}

// calls are the requests about a policy by their names in the contract; those that there
// are not, are empty.
type calls struct {
	read, add, change, reset string
	canRead, canWrite        string // permissions
	canReset                 string // empty: see mayReset
}

const (
	ofManagement = "zitadel.management.v1."
	ofAdmin      = "zitadel.admin.v1."
	ofFeatures   = "zitadel.feature.v2."
)

// both are the calls about a policy that the instance has and an organization can have.
func both(name string) (ofOrg, ofInstance calls) {
	return calls{
		read: ofManagement + "Get" + name + "Request", add: ofManagement + "AddCustom" + name + "Request", change: ofManagement + "UpdateCustom" + name + "Request",
		reset: ofManagement + "Reset" + name + "ToDefaultRequest", canRead: "policy.read", canWrite: "policy.write",
	}, inInstance("Get"+name, "Update"+name, "iam.policy")
}

// inInstance are the calls about what the instance alone has.
func inInstance(read, change, permission string) calls {
	return calls{read: ofAdmin + read + "Request", change: ofAdmin + change + "Request", canRead: permission + ".read", canWrite: permission + ".write"}
}

// ofBoth is a policy that the instance has and an organization can have.
func ofBoth(path, name string, fields ...field) policy {
	p := policy{path: path, title: "p-" + path, fields: fields}
	p.ofOrg, p.ofInstance = both(name)
	return p
}

// policies are all but the login policy and the looks, which have pages of their own.
var policies = append([]policy{
	ofBoth("password-complexity", "PasswordComplexityPolicy",
		field{path: "min_length"}, field{path: "has_lowercase"}, field{path: "has_uppercase"}, field{path: "has_number"}, field{path: "has_symbol"}),
	ofBoth("password-age", "PasswordAgePolicy", field{path: "max_age_days", help: "f-max_age_days-help"}, field{path: "expire_warn_days"}),
	ofBoth("lockout", "LockoutPolicy", field{path: "max_password_attempts", help: "f-max_attempts-help"}, field{path: "max_otp_attempts", help: "f-max_attempts-help"}),
	ofBoth("notification", "NotificationPolicy", field{path: "password_change"}),
	ofBoth("privacy", "PrivacyPolicy",
		field{path: "tos_link", help: "f-address-help"}, field{path: "privacy_link", help: "f-address-help"}, field{path: "help_link", help: "f-address-help"},
		field{path: "support_email", kind: "email"}, field{path: "docs_link"}, field{path: "custom_link"}, field{path: "custom_link_text"}),
	{
		path: "domain", title: "p-domain", ofInstance: inInstance("GetDomainPolicy", "UpdateDomainPolicy", "iam.policy"),
		ofOrg: calls{
			read: ofManagement + "GetDomainPolicyRequest", add: ofAdmin + "AddCustomDomainPolicyRequest", change: ofAdmin + "UpdateCustomDomainPolicyRequest",
			reset: ofAdmin + "ResetCustomDomainPolicyToDefaultRequest", canRead: "policy.read", canWrite: "iam.policy.write",
		},
		fields: []field{
			{path: "user_login_must_be_domain", help: "f-user_login_must_be_domain-help"}, {path: "validate_org_domains"}, {path: "smtp_sender_address_matches_instance_domain"},
		},
		fix: func(v *visit, req proto.Message) { fill(req, "org_id", protoreflect.ValueOfString(v.org)) },
	},
	{
		path: "security", title: "p-security", ofInstance: inInstance("GetSecurityPolicy", "SetSecurityPolicy", "iam.policy"),
		fields: []field{{path: "enable_impersonation", help: "f-enable_impersonation-help"}, {path: "enable_iframe_embedding"}, {path: "allowed_origins", help: "f-allowed_origins-help"}},
	},
	{
		path: "restrictions", title: "p-restrictions", ofInstance: inInstance("GetRestrictions", "SetRestrictions", "iam.restrictions"),
		fields: []field{{path: "disallow_public_org_registration"}, {path: "allowed_languages.list", text: "f-allowed_languages", help: "f-allowed_languages-help"}},
		more: func(from, to proto.Message) {
			source, target := from.ProtoReflect(), to.ProtoReflect()
			chosen := target.Mutable(target.Descriptor().Fields().ByName("allowed_languages")).Message()
			if languages := source.Get(source.Descriptor().Fields().ByName("allowed_languages")); languages.List().Len() > 0 {
				chosen.Set(chosen.Descriptor().Fields().ByName("list"), languages)
			}
		},
	},
	{
		path: "language", title: "p-language", ofInstance: calls{read: ofAdmin + "GetDefaultLanguageRequest", change: ofAdmin + "SetDefaultLanguageRequest", canRead: "iam.read", canWrite: "iam.write"},
		fields: []field{{path: "language", options: languages}},
	},
	{
		path: "tokens", title: "p-tokens",
		ofInstance: calls{read: ofAdmin + "GetOIDCSettingsRequest", change: ofAdmin + "UpdateOIDCSettingsRequest", canRead: "iam.read", canWrite: "iam.write"},
		fields: []field{
			{path: "access_token_lifetime", help: "duration-help"}, {path: "id_token_lifetime", help: "duration-help"},
			{path: "refresh_token_idle_expiration", help: "duration-help"}, {path: "refresh_token_expiration", help: "duration-help"},
		},
	},
	{
		path: "rotation", title: "p-rotation",
		ofInstance: calls{read: "gatehouse.webkey.v1.GetRotationRequest", change: "gatehouse.webkey.v1.SetRotationRequest", canRead: "iam.web_key.read", canWrite: "iam.web_key.write"},
		fields: []field{
			{path: "rotation.enabled", text: "f-rotation-enabled"}, {path: "rotation.interval", help: "duration-help"}, {path: "rotation.retention", help: "duration-help"},
		},
	},
	{
		path: "enforcement", title: "p-enforcement",
		ofInstance: calls{read: "gatehouse.policy.v1.GetEnforcementRequest", change: "gatehouse.policy.v1.SetEnforcementRequest", canRead: "iam.policy.read", canWrite: "iam.policy.write"},
		fields:     []field{{path: "mode", text: "f-enforcement"}},
	},
	{
		path: "erasure", title: "p-erasure",
		ofInstance: calls{read: "gatehouse.policy.v1.GetErasureRequest", change: "gatehouse.policy.v1.SetErasureRequest", canRead: "iam.policy.read", canWrite: "iam.policy.write"},
		fields:     []field{{path: "mode", text: "f-erasure"}},
	},
	{
		path: "own-login", title: "p-own-login",
		ofInstance: calls{read: ofFeatures + "GetInstanceFeaturesRequest", change: ofFeatures + "SetInstanceFeaturesRequest", canRead: "iam.feature.read", canWrite: "iam.feature.write"},
		fields:     []field{{path: "login_v2.base_uri", text: "f-own-login-uri", kind: "url", help: "f-own-login-uri-help"}},
		fix:        func(_ *visit, req proto.Message) { fill(req, "inheritance", protoreflect.ValueOfBool(true)) },
		more: func(from, to proto.Message) {
			source, target := from.ProtoReflect(), to.ProtoReflect()
			name := protoreflect.Name("login_v2")
			carry(source.Get(source.Descriptor().Fields().ByName(name)).Message().Interface(), target.Mutable(target.Descriptor().Fields().ByName(name)).Message().Interface())
		},
	},
}, secretGenerators()...)

// secretGenerators are how codes and secrets are made, a policy for each kind.
func secretGenerators() (out []policy) {
	for _, of := range []string{"init-code", "verify-email-code", "verify-phone-code", "password-reset-code", "passwordless-init-code", "app-secret", "otp-sms", "otp-email", "invite-code"} {
		name := protoreflect.Name("SECRET_GENERATOR_TYPE_" + strings.ToUpper(strings.ReplaceAll(of, "-", "_")))
		out = append(out, policy{
			path: "codes-" + of, title: "p-codes-" + of, help: "codes-help", ofInstance: calls{read: ofAdmin + "GetSecretGeneratorRequest", change: ofAdmin + "UpdateSecretGeneratorRequest", canRead: "iam.read", canWrite: "iam.write"},
			fields: []field{
				{path: "length", text: "f-code-length"}, {path: "expiry", help: "f-expiry-help"}, {path: "include_digits"}, {path: "include_lower_letters"}, {path: "include_upper_letters"}, {path: "include_symbols"},
			},
			fix: func(_ *visit, req proto.Message) {
				values := req.ProtoReflect().Descriptor().Fields().ByName("generator_type").Enum().Values()
				fill(req, "generator_type", protoreflect.ValueOfEnum(values.ByName(name).Number()))
			},
		})
	}
	return out
}

// fill sets a field of a request that may have it.
func fill(req proto.Message, name protoreflect.Name, value protoreflect.Value) {
	if fd := req.ProtoReflect().Descriptor().Fields().ByName(name); fd != nil {
		req.ProtoReflect().Set(fd, value)
	}
}

// request makes a request by its name in the contract.
func request(name string) proto.Message {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
	if err != nil {
		panic(err)
	}
	return kind.New().Interface()
}

// above are where the policies of the instance and of organizations are.
const (
	policiesOfInstance = "instance/policies"
	policiesOfOrg      = atOrg + "/policies"
)

// policyPages are the pages of all policies.
func policyPages() (out []page) {
	out = append(out, view{path: policiesOfInstance, permission: "iam.policy.read", read: showPolicies}.pages()...)
	out = append(out, view{path: policiesOfOrg, permission: "policy.read", read: showPolicies}.pages()...)
	for _, p := range policies {
		out = append(out, p.pages()...)
	}
	return out
}

// pages are what shows the policy and changes it, of the instance and of organizations.
func (p policy) pages() (out []page) {
	for base, c := range map[string]calls{policiesOfInstance: p.ofInstance, policiesOfOrg: p.ofOrg} {
		if c.read == "" {
			continue
		}
		at := base + "/" + p.path
		if p.page != nil {
			out = append(out, page{path: at, permission: c.canRead, get: func(v *visit) error { return p.page(p, v) }})
		} else {
			out = append(out, view{path: at, permission: c.canRead, read: p.show}.pages()...)
		}
		out = append(out, form{
			path: at + "/edit", permission: c.canWrite, title: p.title, help: p.helpKey(), explain: p.explain, load: p.load, fields: p.fields, send: p.send, then: backTo(at, "saved"), crumbs: p.below,
		}.pages()...)
		if c.reset != "" {
			out = append(out, action{
				path: at + "/follow", permission: c.mayReset(), title: cmp.Or(p.giveUp, "login-follow"), help: cmp.Or(p.giveUp, "policy-follow") + "-help", danger: true,
				request: func(v *visit) proto.Message { return p.make(v, c.reset) }, then: backTo(at, "saved"), crumbs: p.below,
			}.pages()...)
		}
	}
	return out
}

func (p policy) helpKey() string { return cmp.Or(p.help, p.title+"-help") }

// mayReset is the permission to give an own policy up.
func (c calls) mayReset() string {
	if c.canWrite == "policy.write" {
		return "policy.delete"
	}
	return cmp.Or(c.canReset, c.canWrite)
}

// of are the calls for what the page is about.
func (p policy) of(v *visit) (c calls, base string) {
	if v.org != "" {
		return p.ofOrg, policiesOfOrg
	}
	return p.ofInstance, policiesOfInstance
}

func (p policy) make(v *visit, name string) proto.Message {
	req := request(name)
	if p.fix != nil {
		p.fix(v, req)
	}
	return req
}

// now is what holds, and whether it is the instance's.
func (p policy) now(v *visit) (m proto.Message, inherited bool, err error) {
	c, _ := p.of(v)
	res, err := call[proto.Message](v, p.make(v, c.read))
	if err != nil {
		return nil, false, err
	}
	m = res
	fields := res.ProtoReflect().Descriptor().Fields()
	for _, name := range []protoreflect.Name{"policy", "settings", "secret_generator", "custom_text"} {
		if fd := fields.ByName(name); fd != nil {
			m = res.ProtoReflect().Get(fd).Message().Interface()
		}
	}
	if fd := m.ProtoReflect().Descriptor().Fields().ByName("is_default"); fd != nil {
		inherited = m.ProtoReflect().Get(fd).Bool()
	}
	return m, inherited, nil
}

// load is the request that changes the policy, with what holds now. To change one that is
// inherited gives the organization its own.
func (p policy) load(v *visit) (proto.Message, error) {
	req, _, err := p.loaded(v)
	return req, err
}

// loaded is load, with whether the policy is inherited.
func (p policy) loaded(v *visit) (req proto.Message, inherited bool, err error) {
	now, inherited, err := p.now(v)
	if err != nil {
		return nil, inherited, err
	}
	c, _ := p.of(v)
	name := c.change
	if inherited && c.add != "" {
		name = c.add
	}
	req = carry(now, p.make(v, name))
	if p.more != nil {
		p.more(now, req)
	}
	return req, inherited, nil
}

// show is the page of a policy.
func (p policy) show(v *visit) (viewed, error) {
	req, inherited, err := p.loaded(v)
	if err != nil {
		return viewed{}, err
	}
	c, base := p.of(v)
	at := base + "/" + p.path
	out := viewed{Title: v.Texts.T(p.title), Help: v.Texts.T(p.helpKey()), Crumbs: aboveOf(v, base), Facts: v.factsOf(req, p.fields)}
	switch {
	case c.reset != "" && inherited:
		out.State = cell{Text: v.Texts.T("inherited"), State: "idle"}
		out.Actions = []entry{{at + "/edit", "login-own", c.canWrite}}
	case c.reset != "":
		out.State = cell{Text: v.Texts.T("own"), State: "good"}
		out.Actions = []entry{{at + "/edit", "edit", c.canWrite}, {at + "/follow", "login-follow", c.mayReset()}}
	default:
		out.Actions = []entry{{at + "/edit", "edit", c.canWrite}}
	}
	return out, nil
}

// below are the pages above a page of the policy.
func (p policy) below(v *visit) []crumb {
	_, base := p.of(v)
	return append(aboveOf(v, base), crumb{URL: v.at(base + "/" + p.path), Text: v.Texts.T(p.title)})
}

// aboveOf are the pages above those of policies.
func aboveOf(v *visit, base string) (out []crumb) {
	if v.org != "" {
		out = inOrg(v)
	}
	return append(out, crumb{URL: v.at(base), Text: v.Texts.T("policies")})
}

// policyHeld is what holds of a policy, and whether it is the instance's.
type policyHeld struct {
	req       proto.Message
	inherited bool
}

// showPolicies says for every policy what holds now, in a line.
func showPolicies(v *visit) (viewed, error) {
	out := viewed{Title: v.Texts.T("policies"), Help: v.Texts.T("policies-help")}
	if v.org != "" {
		out.Crumbs = inOrg(v)
	}
	rules := part{Columns: []string{"policy", "holds"}}
	codes := part{Title: v.Texts.T("codes"), Help: v.Texts.T("codes-help"), Columns: rules.Columns}
	seen := slices.DeleteFunc(slices.Clone(policies), func(p policy) bool { c, _ := p.of(v); return c.read == "" || !v.can[c.canRead] })
	holds, err := together(seen, func(p policy) (held policyHeld, err error) {
		held.req, held.inherited, err = p.loaded(v)
		return held, err
	})
	if err != nil {
		return out, err
	}
	for i, p := range seen {
		_, base := p.of(v)
		first := cell{Text: v.Texts.T(p.title)}
		if v.org != "" && holds[i].inherited {
			first.Quiet = v.Texts.T("inherited")
		} else if v.org != "" {
			first.Quiet = v.Texts.T("own")
		}
		shown := viewRow{row: row{Link: v.at(base + "/" + p.path), Cells: []cell{first, {Text: v.inALine(v.factsOf(holds[i].req, p.fields))}}}}
		if strings.HasPrefix(p.path, "codes-") {
			codes.Rows = append(codes.Rows, shown)
		} else {
			rules.Rows = append(rules.Rows, shown)
		}
	}
	out.Parts = []part{rules}
	if len(codes.Rows) > 0 {
		out.Parts = append(out.Parts, codes)
	}
	return out, nil
}

// inALine writes facts one behind the other, without those that say nothing.
func (v *visit) inALine(facts []fact) string {
	var out []string
	for _, f := range facts {
		if f.Value != "" {
			out = append(out, v.Texts.T(f.Text)+": "+f.Value)
		}
	}
	return strings.Join(out, " · ")
}
