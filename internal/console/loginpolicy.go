package console

import (
	"net/http"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	gatehousepb "github.com/gatehouse/gatehouse/gen/gatehouse/policy/v1"
	adminpb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	mgmtpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	policypb "github.com/gatehouse/gatehouse/gen/zitadel/policy/v1"
)

// scoped are the pages about a policy: of the instance, whose policies hold wherever an
// organization has none of its own, and of an organization.
type scoped struct {
	path        string // below it are the pages of the policy
	read, write string // the permissions
}

var loginOf = []scoped{
	{path: "instance/login", read: "iam.policy.read", write: "iam.policy.write"},
	{path: atOrg + "/login", read: "policy.read", write: "policy.write"},
}

// loginPolicyPages are about who may log in how. Nothing is taken away before it is said
// what that means for people.
func loginPolicyPages() (out []page) {
	for _, s := range loginOf {
		out = append(out,
			page{path: s.path, permission: s.read, get: s.showLogin},
			page{path: s.path + "/factors", permission: s.write, post: s.turnOn},
			page{path: s.path + "/change", permission: s.read, get: func(v *visit) error { return s.showImpact(v, nil) }, post: s.change},
		)
		out = append(out, s.loginSettings().pages()...)
		out = append(out, s.retire().pages()...)
		out = append(out, s.keep().pages()...)
	}
	own, follow := loginOf[1], loginOf[1]
	out = append(out, action{
		path: own.path + "/own", permission: own.write, title: "login-own", help: "login-own-help",
		request: func(v *visit) proto.Message { return v.ownLogin() }, then: backTo(own.path, "saved"), crumbs: inOrg,
	}.pages()...)
	return append(out, action{
		path: follow.path + "/follow", permission: "policy.delete", title: "login-follow", help: "login-follow-help", danger: true,
		request: func(*visit) proto.Message { return &mgmtpb.ResetLoginPolicyToDefaultRequest{} }, then: backTo(follow.path, "saved"), crumbs: inOrg,
	}.pages()...)
}

// either chooses the request that is about the organization of the page, or else about the
// instance: the contract has two of each.
func either(v *visit, ofOrg, ofInstance proto.Message) proto.Message {
	if v.org != "" {
		return ofOrg
	}
	return ofInstance
}

// carry copies the fields that two messages have in common, which the contract sometimes
// gives numbers of another size.
func carry[M proto.Message](from proto.Message, to M) M {
	source, target := from.ProtoReflect(), to.ProtoReflect()
	source.Range(func(fd protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		same := target.Descriptor().Fields().ByName(fd.Name())
		switch {
		case same == nil || same.Cardinality() != fd.Cardinality() || same.Message() != fd.Message():
		case same.Kind() == fd.Kind():
			target.Set(same, value)
		case fd.Kind() == protoreflect.Uint64Kind && same.Kind() == protoreflect.Uint32Kind:
			target.Set(same, numberOf(same.Kind(), value.Uint()))
		}
		return true
	})
	return to
}

// loginPolicy asks for the policy that holds.
func (v *visit) loginPolicy() (*policypb.LoginPolicy, error) {
	res, err := call[interface {
		proto.Message
		GetPolicy() *policypb.LoginPolicy
	}](v, either(v, &mgmtpb.GetLoginPolicyRequest{}, &adminpb.GetLoginPolicyRequest{}))
	if err != nil {
		return nil, err
	}
	return res.GetPolicy(), nil
}

// ownLogin asks to give the organization a policy of its own, with what holds now.
func (v *visit) ownLogin() proto.Message {
	now, err := v.loginPolicy()
	if err != nil { // The call that follows fails for the same reason.
		now = &policypb.LoginPolicy{}
	}
	return carry(now, &mgmtpb.AddCustomLoginPolicyRequest{})
}

// factor is a factor that login policies can list, by its name in the contract.
type factor string

// factors are all of them.
var factors = func() (out []factor) {
	for _, e := range []protoreflect.EnumDescriptor{policypb.SecondFactorType(0).Descriptor(), policypb.MultiFactorType(0).Descriptor()} {
		for i := range e.Values().Len() {
			if value := e.Values().Get(i); value.Number() != 0 {
				out = append(out, factor(value.Name()))
			}
		}
	}
	return out
}()

func (f factor) second() policypb.SecondFactorType {
	return policypb.SecondFactorType(policypb.SecondFactorType_value[string(f)])
}

func (f factor) multi() policypb.MultiFactorType {
	return policypb.MultiFactorType(policypb.MultiFactorType_value[string(f)])
}

func (f factor) isMulti() bool { return f.multi() != 0 }

// in reports whether a policy lists the factor.
func (f factor) in(p *policypb.LoginPolicy) bool {
	if f.isMulti() {
		return slices.Contains(p.GetMultiFactors(), f.multi())
	}
	return slices.Contains(p.GetSecondFactors(), f.second())
}

// list asks for a policy to list the factor.
func (f factor) list(v *visit) proto.Message {
	if f.isMulti() {
		return either(v, &mgmtpb.AddMultiFactorToLoginPolicyRequest{Type: f.multi()}, &adminpb.AddMultiFactorToLoginPolicyRequest{Type: f.multi()})
	}
	return either(v, &mgmtpb.AddSecondFactorToLoginPolicyRequest{Type: f.second()}, &adminpb.AddSecondFactorToLoginPolicyRequest{Type: f.second()})
}

// unlist asks for a policy to list the factor no more.
func (f factor) unlist(v *visit) proto.Message {
	if f.isMulti() {
		return either(v, &mgmtpb.RemoveMultiFactorFromLoginPolicyRequest{Type: f.multi()}, &adminpb.RemoveMultiFactorFromLoginPolicyRequest{Type: f.multi()})
	}
	return either(v, &mgmtpb.RemoveSecondFactorFromLoginPolicyRequest{Type: f.second()}, &adminpb.RemoveSecondFactorFromLoginPolicyRequest{Type: f.second()})
}

// named is the factor that a parameter names.
func (v *visit) named(parameter string) (factor, bool) {
	f := factor(v.R.Form.Get(parameter))
	return f, slices.Contains(factors, f)
}

// loginPage is what the page of a login policy shows.
type loginPage struct {
	IsDefault, OfOrg, CanWrite bool
	Factors                    []listedFactor
	Demands                    []demandRow
	Facts                      []shownFact
	Ways                       []crumb
	Whose                      []crumb // to make the policy the organization's own, or the instance's again
	Base                       string  // the address of the page
	Undo                       factor  // that was taken away just now
}

type listedFactor struct {
	Name       factor
	Text, Help string
	On         bool
	Plan       string // when it goes, in words
}

type demandRow struct {
	Name, Text, Help string
	On               bool
}

// The demands of a second factor that a policy can make.
const (
	demandNone  = "none"
	demandLocal = "local"
	demandAll   = "all"
)

func demandOf(p *policypb.LoginPolicy) string {
	switch {
	case p.GetForceMfa():
		return demandAll
	case p.GetForceMfaLocalOnly():
		return demandLocal
	}
	return demandNone
}

// showLogin is the page of the policy.
func (s scoped) showLogin(v *visit) error {
	now, err := v.loginPolicy()
	if err != nil {
		return err
	}
	plans, err := call[*gatehousepb.ListFactorRetirementsResponse](v, &gatehousepb.ListFactorRetirementsRequest{OrganizationId: v.org})
	if err != nil {
		return err
	}
	p := loginPage{IsDefault: now.GetIsDefault(), OfOrg: v.org != "", Base: v.at(s.path)}
	p.CanWrite = v.can[s.write] && (!p.OfOrg || !p.IsDefault)
	if f, ok := v.named("undo"); ok && !f.in(now) {
		p.Undo = f
	}
	for _, f := range factors {
		row := listedFactor{Name: f, Text: v.Texts.T(string(f)), Help: v.Texts.T(string(f) + "-help"), On: f.in(now)}
		for _, plan := range plans.GetRetirements() {
			if row.On && (f.isMulti() && plan.GetMultiFactor() == f.multi() || !f.isMulti() && plan.GetSecondFactor() == f.second()) {
				row.Plan = v.Texts.T(plan.GetStage().String(), when(plan.GetOff()))
			}
		}
		p.Factors = append(p.Factors, row)
	}
	for _, d := range []string{demandNone, demandLocal, demandAll} {
		p.Demands = append(p.Demands, demandRow{Name: d, Text: v.Texts.T("demand-" + d), Help: v.Texts.T("demand-" + d + "-help"), On: d == demandOf(now)})
	}
	p.Facts = v.facts(v.factsOf(now, loginFields))
	if p.CanWrite {
		p.Ways = v.entries([]entry{{s.path + "/settings", "edit", s.write}})
	}
	if p.Whose = v.entries([]entry{{s.path + "/follow", "login-follow", "policy.delete"}}); p.IsDefault {
		p.Whose = v.entries([]entry{{s.path + "/own", "login-own", s.write}})
	}
	f := frame{Title: v.Texts.T("login-policy"), More: p, Crumbs: s.above(v)}
	v.show(http.StatusOK, "loginpolicy", f)
	return nil
}

// above are the pages above those of a policy.
func (s scoped) above(v *visit) []crumb {
	if v.org == "" {
		return nil
	}
	return inOrg(v)
}

// below are the pages above those of the login policy's own.
func (s scoped) below(v *visit) []crumb {
	return append(s.above(v), crumb{URL: v.at(s.path), Text: v.Texts.T("login-policy")})
}

// factsOf says what fields hold, in words.
func (v *visit) factsOf(m proto.Message, fields []field) (out []fact) {
	for _, f := range fields {
		in := f.input(v, m.ProtoReflect())
		value := in.Value
		switch in.Kind {
		case "switch":
			value = v.Texts.T("is-" + strconv.FormatBool(in.On))
		case "choice":
			value = ""
			for _, o := range in.Options {
				if o.Chosen {
					value = o.Text
				}
			}
		}
		out = append(out, fact{Text: f.label(), Value: value})
	}
	return out
}

// loginFields are the settings of a login policy beside its factors.
var loginFields = []field{
	{path: "allow_username_password", heading: "login-ways"},
	{path: "passwordless_type"},
	{path: "allow_external_idp"},
	{path: "allow_register", help: "f-allow_register-help"},
	{path: "hide_password_reset", heading: "login-policy-login-names"},
	{path: "ignore_unknown_usernames", help: "f-ignore_unknown_usernames-help"},
	{path: "allow_domain_discovery", help: "f-allow_domain_discovery-help"},
	{path: "disable_login_with_email"},
	{path: "disable_login_with_phone"},
	{path: "default_redirect_uri", kind: "url", help: "f-default_redirect_uri-help"},
	{path: "password_check_lifetime", heading: "login-lifetimes", help: "duration-help"},
	{path: "second_factor_check_lifetime", help: "duration-help"},
	{path: "multi_factor_check_lifetime", help: "duration-help"},
	{path: "external_login_check_lifetime", help: "duration-help"},
	{path: "mfa_init_skip_lifetime", help: "f-mfa_init_skip_lifetime-help"},
}

// updated asks for the policy as it is now, to be changed.
func (v *visit) updated() (proto.Message, error) {
	now, err := v.loginPolicy()
	if err != nil {
		return nil, err
	}
	return either(v, carry(now, &mgmtpb.UpdateCustomLoginPolicyRequest{}), carry(now, &adminpb.UpdateLoginPolicyRequest{})), nil
}

func (s scoped) loginSettings() form {
	return form{
		path: s.path + "/settings", permission: s.write, title: "login-settings",
		load: (*visit).updated, fields: loginFields, then: backTo(s.path, "saved"), crumbs: s.below,
	}
}

// turnOn lists a factor.
func (s scoped) turnOn(v *visit) error {
	f, ok := v.named("factor")
	if !ok {
		return errNoPage
	}
	if err := v.do(f.list(v)); err != nil {
		return err
	}
	return v.doneAt(v.at(s.path), "factor-on")
}

// retire plans that a factor goes in stages.
func (s scoped) retire() form {
	return form{
		path: s.path + "/retire", permission: s.write, title: "retire", help: "retire-help", button: "retire-button",
		load: func(v *visit) (proto.Message, error) {
			f, ok := v.named("factor")
			if !ok {
				return nil, errNoPage
			}
			req := &gatehousepb.PlanFactorRetirementRequest{OrganizationId: v.org, Factor: &gatehousepb.PlanFactorRetirementRequest_SecondFactor{SecondFactor: f.second()}}
			if f.isMulti() {
				req.Factor = &gatehousepb.PlanFactorRetirementRequest_MultiFactor{MultiFactor: f.multi()}
			}
			return req, nil
		},
		fields: []field{
			{path: "closed", help: "f-closed-help"},
			{path: "announced", help: "f-announced-help"},
			{path: "off", help: "f-off-help", required: true},
		},
		then: backTo(s.path, "planned"), crumbs: s.below,
	}
}

// keep cancels a plan.
func (s scoped) keep() action {
	return action{
		path: s.path + "/keep", permission: s.write, title: "keep-factor", help: "keep-factor-help",
		request: func(v *visit) proto.Message {
			f, _ := v.named("factor")
			req := &gatehousepb.CancelFactorRetirementRequest{OrganizationId: v.org, Factor: &gatehousepb.CancelFactorRetirementRequest_SecondFactor{SecondFactor: f.second()}}
			if f.isMulti() {
				req.Factor = &gatehousepb.CancelFactorRetirementRequest_MultiFactor{MultiFactor: f.multi()}
			}
			return req
		},
		then: backTo(s.path, "saved"), crumbs: s.below,
	}
}
