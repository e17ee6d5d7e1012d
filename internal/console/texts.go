package console

import (
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	rules "github.com/gatehouse/gatehouse/internal/policy"
)

// atTexts is where the texts of messages are, below the policies.
const atTexts = "texts"

// messageKinds are the messages that have texts, as the contract calls them.
var messageKinds = []string{
	"Init", "InviteUser", "VerifyEmail", "VerifyPhone", "PasswordReset", "PasswordChange", "PasswordlessRegistration", "VerifyEmailOTP", "VerifySMSOTP", "DomainClaimed",
}

// messageTexts are the texts of a kind of messages in the language of the page.
func messageTexts(kind string) policy {
	texts := policy{path: atTexts + "/{lang}/" + kind, title: "message-" + kind, help: "text-edit-help", giveUp: "text-reset", page: policy.showText, send: sendText(kind)}
	texts.ofOrg = calls{
		read: ofManagement + "GetCustom" + kind + "MessageTextRequest", change: ofManagement + "SetCustom" + kind + "MessageTextRequest", reset: ofManagement + "ResetCustom" + kind + "MessageTextToDefaultRequest",
		canRead: "policy.read", canWrite: "policy.write",
	}
	texts.ofInstance = calls{
		read: ofAdmin + "GetCustom" + kind + "MessageTextRequest", change: ofAdmin + "SetDefault" + kind + "MessageTextRequest",
		reset: ofAdmin + "ResetCustom" + kind + "MessageTextToDefaultRequest", canRead: "iam.policy.read", canWrite: "iam.policy.write", canReset: "iam.policy.delete",
	}
	fields := request(texts.ofOrg.change).ProtoReflect().Descriptor().Fields()
	for _, name := range []string{"subject", "title", "pre_header", "greeting", "text", "button_text", "footer_text"} {
		if fields.ByName(protoreflect.Name(name)) == nil {
			continue
		}
		f := field{path: name, text: "f-message-" + name}
		if name == "text" {
			f.kind = "area"
		}
		texts.fields = append(texts.fields, f)
	}
	texts.explain = func(v *visit) string {
		return v.Texts.T("f-placeholders-help", "{{."+strings.Join(rules.MessagePlaceholders, "}}, {{.")+"}}")
	}
	texts.fix = func(v *visit, req protoreflect.ProtoMessage) {
		fill(req, "language", protoreflect.ValueOfString(v.R.PathValue("lang")))
	}
	return texts
}

// textPages are about what people are told by mail and SMS.
func textPages() (out []page) {
	for base, permission := range map[string]string{policiesOfInstance: "iam.policy.read", policiesOfOrg: "policy.read"} {
		out = append(out, page{path: base + "/" + atTexts, permission: permission, get: func(v *visit) error {
			return v.Redirect(v.at(base+"/"+atTexts) + "/" + v.Texts.Lang)
		}})
		out = append(out, view{path: base + "/" + atTexts + "/{lang}", permission: permission, read: func(v *visit) (viewed, error) { return readTexts(v, base) }}.pages()...)
	}
	for _, kind := range messageKinds {
		out = append(out, messageTexts(kind).pages()...)
	}
	return out
}

// readTexts is the page of the texts in a language.
func readTexts(v *visit, base string) (viewed, error) {
	res, err := call[*authpb.GetSupportedLanguagesResponse](v, &authpb.GetSupportedLanguagesRequest{})
	if err != nil {
		return viewed{}, err
	}
	out := viewed{Title: v.Texts.T("message-texts"), Help: v.Texts.T("message-texts-help"), Crumbs: aboveOf(v, base)}
	for _, l := range res.GetLanguages() {
		out.Tabs = append(out.Tabs, crumb{URL: v.at(base+"/"+atTexts) + "/" + l, Text: v.Texts.Or("language-"+l, l), Here: l == v.R.PathValue("lang")})
	}
	p := part{Columns: []string{"message", "says"}}
	now, err := together(messageKinds, func(kind string) (held policyHeld, err error) {
		held.req, held.inherited, err = messageTexts(kind).now(v)
		return held, err
	})
	if err != nil {
		return out, err
	}
	for i, kind := range messageKinds {
		texts, text := messageTexts(kind), now[i].req.ProtoReflect()
		first := cell{Text: v.Texts.T(texts.title)}
		if !now[i].inherited {
			first.Quiet = v.Texts.T("own")
		}
		says := text.Get(text.Descriptor().Fields().ByName("text")).String()
		p.Rows = append(p.Rows, viewRow{row: row{Link: v.at(base + "/" + texts.path), Cells: []cell{first, {Text: says}}}})
	}
	out.Parts = []part{p}
	return out, nil
}
