package console

import (
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	textpb "github.com/gatehouse/gatehouse/gen/zitadel/text/v1"
	rules "github.com/gatehouse/gatehouse/internal/policy"
)

// textPage is a message as people get it.
type textPage struct {
	State                                             cell
	Ways                                              []crumb
	Subject, PreHeader, Title, Greeting, Text, Button string
	Footer                                            string
}

// showText is the page of a text: the message as who sees the page would get it.
func (p policy) showText(v *visit) error {
	m, inherited, err := p.now(v)
	if err != nil {
		return err
	}
	c, base := p.of(v)
	at := base + "/" + p.path
	shown := textPage{State: cell{Text: v.Texts.T("own"), State: "good"}}
	ways := []entry{{at + "/edit", "edit", c.canWrite}}
	if inherited {
		shown.State = cell{Text: v.Texts.T("inherited"), State: "idle"}
		if v.org == "" {
			shown.State.Text = v.Texts.T("built-in")
		}
	} else {
		ways = append(ways, entry{at + "/follow", "text-reset", c.mayReset()})
	}
	shown.Ways = v.entries(ways)
	now, values := m.(*textpb.MessageCustomText), v.sample() //nolint:forcetypeassert // the contract's
	for to, text := range map[*string]string{
		&shown.Subject: now.GetSubject(), &shown.PreHeader: now.GetPreHeader(), &shown.Title: now.GetTitle(), &shown.Greeting: now.GetGreeting(),
		&shown.Text: now.GetText(), &shown.Button: now.GetButtonText(), &shown.Footer: now.GetFooterText(),
	} {
		*to = rules.Fill(text, values)
	}
	v.show(http.StatusOK, "text", frame{Title: v.Texts.T(p.title), Crumbs: inTexts(v, base), More: shown})
	return nil
}

// inTexts are the pages above a text.
func inTexts(v *visit, base string) []crumb {
	return append(aboveOf(v, base), crumb{URL: v.at(base + "/" + atTexts + "/{lang}"), Text: v.Texts.T("message-texts")})
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

// sendText sets a text. A part that says what would hold without it is left out, so that it
// goes on to follow what is above.
func sendText(kind string) func(*visit, proto.Message) (proto.Message, error) {
	return func(v *visit, req proto.Message) (proto.Message, error) {
		level := ofAdmin
		if v.org != "" {
			level = ofManagement
		}
		ask := request(level + "GetDefault" + kind + "MessageTextRequest")
		fill(ask, "language", protoreflect.ValueOfString(v.R.PathValue("lang")))
		below, err := call[interface {
			proto.Message
			GetCustomText() *textpb.MessageCustomText
		}](v, ask)
		if err != nil {
			return nil, err
		}
		out := proto.Clone(req) // The form shows what was typed where the call refuses it.
		below.GetCustomText().ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, value protoreflect.Value) bool {
			same := out.ProtoReflect().Descriptor().Fields().ByName(fd.Name())
			if same != nil && fd.Kind() == protoreflect.StringKind && out.ProtoReflect().Get(same).String() == value.String() {
				out.ProtoReflect().Clear(same)
			}
			return true
		})
		return call[proto.Message](v, out)
	}
}
