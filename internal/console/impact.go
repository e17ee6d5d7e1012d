package console

import (
	"net/http"
	"net/url"
	"slices"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	gatehousepb "github.com/gatehouse/gatehouse/gen/gatehouse/policy/v1"
	policypb "github.com/gatehouse/gatehouse/gen/zitadel/policy/v1"
	"github.com/gatehouse/gatehouse/internal/fault"
)

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
