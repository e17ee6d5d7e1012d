package console

import (
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	adminpb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	mgmtpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	textpb "github.com/gatehouse/gatehouse/gen/zitadel/text/v1"
	rules "github.com/gatehouse/gatehouse/internal/policy"
)

// atLoginTexts is where the texts of the login pages are, below the policies.
const atLoginTexts = "login-texts"

// screen is a page of the login, as the contract calls it, with the texts that are shown.
type screen struct {
	name   protoreflect.Name
	fields []protoreflect.FieldDescriptor
}

func (s screen) title() string { return "screen-" + string(s.name) }

// screens are those of which a text is shown, in the order of the contract.
var screens = func() (out []screen) {
	all := (&textpb.LoginCustomText{}).ProtoReflect().Descriptor().Fields()
	for i := range all.Len() {
		s := screen{name: all.Get(i).Name()}
		if all.Get(i).Message() == nil {
			continue
		}
		for j := range all.Get(i).Message().Fields().Len() {
			if fd := all.Get(i).Message().Fields().Get(j); rules.IsShown(rules.LoginTexts, string(s.name)+"."+string(fd.Name())) {
				s.fields = append(s.fields, fd)
			}
		}
		if len(s.fields) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// loginTextPages are about what the login pages say.
func loginTextPages() (out []page) {
	for base, of := range map[string]string{policiesOfInstance: "iam.policy", policiesOfOrg: "policy"} {
		at := base + "/" + atLoginTexts
		out = append(out, page{path: at, permission: of + ".read", get: func(v *visit) error { return v.Redirect(v.at(at) + "/" + v.Texts.Lang) }})
		out = append(out, view{path: at + "/{lang}", permission: of + ".read", read: func(v *visit) (viewed, error) { return readLoginTexts(v, base, of) }}.pages()...)
		out = append(out, action{
			path: at + "/{lang}/reset", permission: of + ".delete", title: "text-reset", help: "login-texts-reset-help", danger: true, then: backTo(at+"/{lang}", "saved"), crumbs: inLoginTexts(base),
			request: func(v *visit) proto.Message {
				lang := v.R.PathValue("lang")
				return either(v, &mgmtpb.ResetCustomLoginTextsToDefaultRequest{Language: lang}, &adminpb.ResetCustomLoginTextsToDefaultRequest{Language: lang})
			},
		}.pages()...)
		for _, s := range screens() {
			out = append(out, form{
				path: at + "/{lang}/" + string(s.name), permission: of + ".write", title: s.title(), help: "login-texts-edit-help", load: ownLoginTexts, choose: s.inputs,
				then: backTo(at+"/{lang}", "saved"), crumbs: inLoginTexts(base),
			}.pages()...)
		}
	}
	return out
}

// inLoginTexts are the pages above that of a screen.
func inLoginTexts(base string) func(*visit) []crumb {
	return func(v *visit) []crumb {
		return append(aboveOf(v, base), crumb{URL: v.at(base + "/" + atLoginTexts + "/{lang}"), Text: v.Texts.T("login-texts")})
	}
}

// loginTexts are the texts in the language of the page: those that hold, and what would hold
// without own ones.
func (v *visit) loginTexts() (now, below *textpb.LoginCustomText, err error) {
	lang := v.R.PathValue("lang")
	type answer interface {
		proto.Message
		GetCustomText() *textpb.LoginCustomText
	}
	res, err := call[answer](v, either(v, &mgmtpb.GetCustomLoginTextsRequest{Language: lang}, &adminpb.GetCustomLoginTextsRequest{Language: lang}))
	if err != nil {
		return nil, nil, err
	}
	without, err := call[answer](v, either(v, &mgmtpb.GetDefaultLoginTextsRequest{Language: lang}, &adminpb.GetDefaultLoginTextsRequest{Language: lang}))
	if err != nil {
		return nil, nil, err
	}
	return res.GetCustomText(), without.GetCustomText(), nil
}

// ownLoginTexts is the request that sets the texts, with those that are set now.
func ownLoginTexts(v *visit) (proto.Message, error) {
	now, below, err := v.loginTexts()
	if err != nil {
		return nil, err
	}
	lang := v.R.PathValue("lang")
	own := proto.Clone(now).ProtoReflect()
	own.Range(func(of protoreflect.FieldDescriptor, texts protoreflect.Value) bool {
		if of.Message() == nil {
			return true
		}
		inherited := below.ProtoReflect().Get(of).Message()
		texts.Message().Range(func(fd protoreflect.FieldDescriptor, text protoreflect.Value) bool {
			if text.Equal(inherited.Get(fd)) {
				texts.Message().Clear(fd)
			}
			return true
		})
		return true
	})
	return carry(own.Interface(), either(v, &mgmtpb.SetCustomLoginTextsRequest{Language: lang}, &adminpb.SetCustomLoginTextsRequest{Language: lang})), nil
}

// inputs are the texts of the screen, with what holds where nothing is written.
func (s screen) inputs(v *visit, _ proto.Message) ([]field, error) {
	_, below, err := v.loginTexts()
	if err != nil {
		return nil, err
	}
	var out []field
	for _, fd := range s.fields {
		f := field{path: string(s.name + "." + fd.Name()), text: "f-login-" + string(fd.Name()), hint: s.of(below).Get(fd).String()}
		if strings.Contains(f.hint, "%") {
			f.help = "login-texts-slot-help"
		}
		out = append(out, f)
	}
	return out, nil
}

// of are the texts of the screen among all.
func (s screen) of(all *textpb.LoginCustomText) protoreflect.Message {
	return all.ProtoReflect().Get(all.ProtoReflect().Descriptor().Fields().ByName(s.name)).Message()
}

// readLoginTexts is the page of the texts in a language, screen by screen.
func readLoginTexts(v *visit, base, permission string) (viewed, error) {
	now, below, err := v.loginTexts()
	if err != nil {
		return viewed{}, err
	}
	languages, err := call[*authpb.GetSupportedLanguagesResponse](v, &authpb.GetSupportedLanguagesRequest{})
	if err != nil {
		return viewed{}, err
	}
	at := v.at(base + "/" + atLoginTexts)
	out := viewed{Title: v.Texts.T("login-texts"), Help: v.Texts.T("login-texts-help"), Crumbs: aboveOf(v, base)}
	if !now.GetIsDefault() {
		out.Actions = []entry{{base + "/" + atLoginTexts + "/{lang}/reset", "text-reset", permission + ".delete"}}
	}
	for _, l := range languages.GetLanguages() {
		out.Tabs = append(out.Tabs, crumb{URL: at + "/" + l, Text: v.Texts.Or("language-"+l, l), Here: l == v.R.PathValue("lang")})
	}
	p := part{Columns: []string{"screen", "says"}}
	for _, s := range screens() {
		first := cell{Text: v.Texts.T(s.title())}
		if !proto.Equal(s.of(now).Interface(), s.of(below).Interface()) {
			first.Quiet = v.Texts.T("own")
		}
		r := viewRow{row: row{Cells: []cell{first, {Text: s.of(now).Get(s.fields[0]).String()}}}}
		if v.can[permission+".write"] {
			r.Link = at + "/" + v.R.PathValue("lang") + "/" + string(s.name)
		}
		p.Rows = append(p.Rows, r)
	}
	out.Parts = []part{p}
	return out, nil
}
