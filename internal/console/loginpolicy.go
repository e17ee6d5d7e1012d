package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	gatehousepb "github.com/gatehouse/gatehouse/gen/gatehouse/policy/v1"
	adminpb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	mgmtpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	policypb "github.com/gatehouse/gatehouse/gen/zitadel/policy/v1"
	"github.com/gatehouse/gatehouse/internal/fault"
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

// wanted is a change of the policy that takes something away from people, or asks more of
// them.
type wanted struct {
	off    factor // to be listed no more; empty: the demand changes
	demand string
}

// wanted is the change that the parameters of the page name.
func (v *visit) wanted() (w wanted, err error) {
	if f, ok := v.named("factor"); ok {
		return wanted{off: f}, nil
	}
	w.demand = v.R.Form.Get("demand")
	if !slices.Contains([]string{demandNone, demandLocal, demandAll}, w.demand) {
		err = errNoPage
	}
	return w, err
}

// change is the change as previews take it.
func (w wanted) change() *gatehousepb.LoginPolicyChange {
	switch {
	case w.off.isMulti():
		return &gatehousepb.LoginPolicyChange{RemoveMultiFactors: []policypb.MultiFactorType{w.off.multi()}}
	case w.off != "":
		return &gatehousepb.LoginPolicyChange{RemoveSecondFactors: []policypb.SecondFactorType{w.off.second()}}
	}
	all, local := w.demand == demandAll, w.demand == demandLocal
	return &gatehousepb.LoginPolicyChange{ForceMfa: &all, ForceMfaLocalOnly: &local}
}

// request makes the change.
func (w wanted) request(v *visit) (proto.Message, error) {
	if w.off != "" {
		return w.off.unlist(v), nil
	}
	req, err := v.updated()
	if err != nil {
		return nil, err
	}
	for name, value := range map[protoreflect.Name]bool{"force_mfa": w.demand == demandAll, "force_mfa_local_only": w.demand == demandLocal} {
		req.ProtoReflect().Set(req.ProtoReflect().Descriptor().Fields().ByName(name), protoreflect.ValueOfBool(value))
	}
	return req, nil
}

// query is the change as the parameters of an address.
func (w wanted) query() string {
	if w.off != "" {
		return "factor=" + string(w.off)
	}
	return "demand=" + w.demand
}

// impactPage is what the page of a change shows.
type impactPage struct {
	Says     []string // what it means, a sentence each
	Harmless bool
	Columns  []string
	Rows     []row
	Next     string // the address of the next page of people
	Button   string
	Anyway   bool // the change was refused by a guard
	CanWrite bool
	Off      factor
	Staged   string // the address of the way in stages; empty: there is none
	Back     string
}

// impactSize is how many people a page of an impact names.
const impactSize = 25

// showImpact says what a change would mean, before it is made.
func (s scoped) showImpact(v *visit, problem error) error {
	w, err := v.wanted()
	if err != nil {
		return err
	}
	impact, err := call[*gatehousepb.PreviewLoginPolicyChangeResponse](v, &gatehousepb.PreviewLoginPolicyChangeRequest{
		OrganizationId: v.org, Change: w.change(), Limit: impactSize, PageToken: v.R.Form.Get("page"),
	})
	if err != nil {
		return err
	}
	p := impactPage{Says: v.meaning(w, impact), CanWrite: v.can[s.write], Off: w.off, Back: v.at(s.path), Button: v.Texts.T("impact-demand-button")}
	p.Harmless = impact.GetEnrolled()+impact.GetLeftWithout()+impact.GetSessions() == 0
	if w.off != "" {
		p.Button, p.Staged = v.Texts.T("impact-off-button"), v.at(s.path)+"/retire?"+w.query()
	}
	for _, c := range []string{"name", "login-name", "administers"} {
		p.Columns = append(p.Columns, v.Texts.T(c))
	}
	for _, u := range impact.GetUsers() {
		administers := cell{}
		if u.GetAdministrator() {
			administers = cell{Text: v.Texts.T("is-true"), State: "bad"}
		}
		p.Rows = append(p.Rows, row{
			Link: prefix + "orgs/" + u.GetOrganizationId() + "/users/" + u.GetUserId(), Cells: []cell{{Text: u.GetDisplayName()}, {Text: u.GetLoginName()}, administers},
		})
	}
	if next := impact.GetNextPageToken(); next != "" {
		p.Next = "?" + w.query() + "&page=" + url.QueryEscape(next)
	}
	f := frame{Title: v.Texts.T("impact-demand", v.Texts.T("demand-"+w.demand)), Crumbs: s.below(v), More: p}
	if w.off != "" {
		f.Title = v.Texts.T("impact-off", v.Texts.T(string(w.off)))
	}
	status := http.StatusOK
	if problem != nil {
		status = http.StatusUnprocessableEntity
		v.explain(&f, problem)
		p.Anyway = fault.Of(problem).ID == "LOGIN-last"
		f.More = p
	}
	v.show(status, "impact", f)
	return nil
}

// meaning says in sentences what a change means for people.
func (v *visit) meaning(w wanted, i *gatehousepb.PreviewLoginPolicyChangeResponse) (out []string) {
	say := func(key string, n uint64) {
		switch n {
		case 0:
		case 1:
			out = append(out, v.Texts.T(key+"-one"))
		default:
			out = append(out, v.Texts.T(key, n))
		}
	}
	if w.off != "" {
		say("impact-enrolled", i.GetEnrolled())
	}
	say("impact-without", i.GetLeftWithout())
	say("impact-administrators", i.GetAdministrators())
	if i.GetLeftWithout() > 0 {
		if i.GetDemanded() {
			out = append(out, v.Texts.T("impact-demanded"))
		} else {
			out = append(out, v.Texts.T("impact-not-demanded"))
		}
	}
	say("impact-sessions", i.GetSessions())
	if len(out) == 0 {
		out = append(out, v.Texts.T("impact-none"))
	}
	return out
}

// change makes the change, under the guard against what hardly anybody wants unless it is
// asked for once more.
func (s scoped) change(v *visit) error {
	w, err := v.wanted()
	if err != nil {
		return err
	}
	if !v.can[s.write] {
		return errNoPage
	}
	req, err := w.request(v)
	if err != nil {
		return err
	}
	if err := v.doGuarded(req, v.R.PostForm.Get("anyway") == ""); err != nil {
		if isTheirs(err) {
			return s.showImpact(v, err)
		}
		return err
	}
	if w.off != "" {
		return v.doneAt(v.at(s.path)+"?undo="+string(w.off), "factor-off")
	}
	return v.doneAt(v.at(s.path), "saved")
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
