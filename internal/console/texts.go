package console

import (
	"net/http"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	textpb "github.com/gatehouse/gatehouse/gen/zitadel/text/v1"
	rules "github.com/gatehouse/gatehouse/internal/policy"
)

// textsAt are the pages about the texts of messages: below each are those of a language,
// and below that those of a sort of message.
type textsAt struct {
	scoped
	reset string // the permission to give own texts up
}

var textsOf = []textsAt{
	{scoped{path: "instance/texts", read: "iam.policy.read", write: "iam.policy.write"}, "iam.policy.delete"},
	{scoped{path: atOrg + "/texts", read: "policy.read", write: "policy.write"}, "policy.delete"},
}

// sorts are the sorts of messages, as requests of the contract name them.
var sorts = []string{
	"Init", "InviteUser", "VerifyEmail", "VerifyEmailOTP", "PasswordReset", "PasswordChange", "PasswordlessRegistration", "DomainClaimed", "VerifyPhone", "VerifySMSOTP",
}

// bySMS reports whether a sort of message travels by SMS, and so has nothing but a text.
func bySMS(sort string) bool { return sort == "VerifyPhone" || sort == "VerifySMSOTP" }

// textPages are about the texts of messages.
func textPages() (out []page) {
	for _, a := range textsOf {
		of := a.path + "/{language}/{sort}"
		out = append(out, page{path: a.path, permission: a.read, get: func(v *visit) error {
			return v.Redirect(v.at(a.path) + "/" + v.Texts.Lang)
		}})
		out = append(out, view{path: a.path + "/{language}", permission: a.read, read: a.list}.pages()...)
		out = append(out, page{path: of, permission: a.read, get: a.show})
		out = append(out, form{
			path: of + "/edit", permission: a.write, title: "text-edit", help: "text-edit-help", then: backTo(of, "saved"), crumbs: a.below,
			load: func(v *visit) (proto.Message, error) {
				now, err := v.messageText(v.R.PathValue("sort"))
				if err != nil {
					return nil, err
				}
				return carry(now, v.aboutText(setText)), nil
			},
			choose: func(v *visit) ([]field, error) { return textFields(v.R.PathValue("sort")), nil },
			send:   sendText,
		}.pages()...)
		out = append(out, action{
			path: of + "/reset", permission: a.reset, title: "text-reset", help: "text-reset-help", danger: true, then: backTo(of, "saved"), crumbs: a.below,
			request: func(v *visit) proto.Message { return v.aboutText(resetText) },
		}.pages()...)
	}
	return out
}

// What is done with a text.
type textCall int

const (
	getText  textCall = iota
	getBelow          // what holds without an own text
	setText
	resetText
)

// textRequest is the request that does something with the text of a sort of message in the
// language of the page.
func (v *visit) textRequest(what textCall, sort string) proto.Message {
	level, set := ofAdmin, "SetDefault"
	if v.org != "" {
		level, set = ofManagement, "SetCustom"
	}
	name := map[textCall]string{
		getText: "GetCustom" + sort + "MessageText", getBelow: "GetDefault" + sort + "MessageText",
		setText: set + sort + "MessageText", resetText: "ResetCustom" + sort + "MessageTextToDefault",
	}[what]
	req := request(level + name + "Request")
	fill(req, "language", protoreflect.ValueOfString(v.R.PathValue("language")))
	return req
}

// aboutText is textRequest for the sort of message that the page is about.
func (v *visit) aboutText(what textCall) proto.Message {
	return v.textRequest(what, v.R.PathValue("sort"))
}

// messageText asks for the text that holds.
func (v *visit) messageText(sort string) (*textpb.MessageCustomText, error) {
	if !slices.Contains(sorts, sort) {
		return nil, errNoPage
	}
	return v.readText(v.textRequest(getText, sort))
}

func (v *visit) readText(req proto.Message) (*textpb.MessageCustomText, error) {
	res, err := call[interface {
		proto.Message
		GetCustomText() *textpb.MessageCustomText
	}](v, req)
	if err != nil {
		return nil, err
	}
	return res.GetCustomText(), nil
}

// sendText sets a text. A part that says what would hold without it is left out, so that it
// goes on to follow what is above.
func sendText(v *visit, req proto.Message) (proto.Message, error) {
	below, err := v.readText(v.aboutText(getBelow))
	if err != nil {
		return nil, err
	}
	out := proto.Clone(req) // The form shows what was typed where the call refuses it.
	below.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		same := out.ProtoReflect().Descriptor().Fields().ByName(fd.Name())
		if same != nil && fd.Kind() == protoreflect.StringKind && out.ProtoReflect().Get(same).String() == value.String() {
			out.ProtoReflect().Clear(same)
		}
		return true
	})
	return call[proto.Message](v, out)
}

// textFields are the parts of a sort of message.
func textFields(sort string) []field {
	if bySMS(sort) {
		return []field{{path: "text", text: "f-text", kind: "area", help: "f-text-help"}}
	}
	return []field{
		{path: "subject"}, {path: "pre_header", help: "f-pre_header-help"}, {path: "title", text: "f-mail-title"}, {path: "greeting"},
		{path: "text", kind: "area", help: "f-text-help"}, {path: "button_text"}, {path: "footer_text", kind: "area"},
	}
}

// list is the page of all texts of a language.
func (a textsAt) list(v *visit) (viewed, error) {
	out := viewed{Title: v.Texts.T("message-texts"), Help: v.Texts.T("message-texts-help"), Crumbs: a.above(v), Tabs: a.languages(v)}
	p := part{Columns: []string{"message", "holds", "by"}}
	for _, sort := range sorts {
		now, err := v.messageText(sort)
		if err != nil {
			return out, err
		}
		short, by := now.GetSubject(), "Mail"
		if bySMS(sort) {
			short, by = now.GetText(), "SMS"
		}
		p.Rows = append(p.Rows, viewRow{row: row{Link: v.at(a.path+"/{language}") + "/" + sort, Cells: []cell{
			{Text: v.Texts.T("m-" + sort), Quiet: v.ownText(now)}, {Text: rules.Fill(short, v.sample())}, {Text: v.Texts.T("by-" + by)},
		}}})
	}
	out.Parts = []part{p}
	return out, nil
}

// ownText says whether a text is one of its own.
func (v *visit) ownText(now *textpb.MessageCustomText) string {
	switch {
	case !now.GetIsDefault():
		return v.Texts.T("own")
	case v.org != "":
		return v.Texts.T("inherited")
	}
	return v.Texts.T("built-in")
}

// languages are the pages of the other languages.
func (a textsAt) languages(v *visit) (out []crumb) {
	found, err := languages(v)
	if err != nil { // The page is there without them.
		return nil
	}
	for _, l := range found {
		if l.Value != "" {
			out = append(out, crumb{URL: v.at(a.path) + "/" + l.Value, Text: l.Text, Here: l.Value == v.R.PathValue("language")})
		}
	}
	return out
}

// textPage is a message as people get it.
type textPage struct {
	State                                             cell
	Ways                                              []crumb
	SMS                                               bool
	Subject, PreHeader, Title, Greeting, Text, Button string
	Footer                                            string
}

// show is the page of a text: the message as who sees the page would get it.
func (a textsAt) show(v *visit) error {
	sort := v.R.PathValue("sort")
	now, err := v.messageText(sort)
	if err != nil {
		return err
	}
	at := a.path + "/{language}/{sort}"
	p := textPage{State: cell{Text: v.ownText(now), State: "idle"}, SMS: bySMS(sort), Ways: v.entries([]entry{{at + "/edit", "edit", a.write}})}
	if !now.GetIsDefault() {
		p.State.State = "good"
		p.Ways = v.entries([]entry{{at + "/edit", "edit", a.write}, {at + "/reset", "text-reset", a.reset}})
	}
	values := v.sample()
	for to, text := range map[*string]string{
		&p.Subject: now.GetSubject(), &p.PreHeader: now.GetPreHeader(), &p.Title: now.GetTitle(), &p.Greeting: now.GetGreeting(),
		&p.Text: now.GetText(), &p.Button: now.GetButtonText(), &p.Footer: now.GetFooterText(),
	} {
		*to = rules.Fill(text, values)
	}
	v.show(http.StatusOK, "text", frame{Title: v.Texts.T("m-" + sort), Crumbs: a.below(v)[:len(a.above(v))+1], More: p})
	return nil
}

// sample is what the placeholders of a message stand for in its preview: every one has a
// value, so that it shows where it stands.
func (v *visit) sample() map[string]string {
	out := map[string]string{}
	for _, name := range rules.MessagePlaceholders {
		out[name] = "‹" + name + "›"
	}
	profile := v.me.GetHuman().GetProfile()
	for name, value := range map[string]string{
		"Code": "A1B2C3", "OTP": "12345678", "Expiry": "5 min", "UserName": v.me.GetUserName(), "FirstName": profile.GetFirstName(), "LastName": profile.GetLastName(),
		"NickName": profile.GetNickName(), "DisplayName": profile.GetDisplayName(), "LoginName": v.me.GetPreferredLoginName(), "PreferredLoginName": v.me.GetPreferredLoginName(),
		"LoginNames": strings.Join(v.me.GetLoginNames(), ", "), "Domain": v.R.Host, "Organization": v.orgName,
	} {
		if value != "" {
			out[name] = value
		}
	}
	return out
}

// below are the pages above those of a text.
func (a textsAt) below(v *visit) []crumb {
	out := append(a.above(v), crumb{URL: v.at(a.path + "/{language}"), Text: v.Texts.T("message-texts")})
	return append(out, crumb{URL: v.at(a.path + "/{language}/{sort}"), Text: v.Texts.T("m-" + v.R.PathValue("sort"))})
}
