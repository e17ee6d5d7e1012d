package console

import (
	"net/url"

	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/provider"
)

// mails reports whether mail goes out. Who may not see the providers of the instance has
// to know that nobody will get a link, so this is no call of the contract.
func (v *visit) mails() bool {
	found := false
	err := v.Store.Read(v.Ctx, provider.Active(v.Instance, provider.Email, &found, &provider.Provider{}))
	return err == nil && found
}

// mailHelp is the key of a help, or of what to know where no mail goes out.
func (v *visit) mailHelp(key string) string {
	if v.mails() {
		return key
	}
	return "no-mail-help"
}

// deliveries are the ways in which a link gets to who it is for: by mail, which the member
// of a oneof with the name send asks for, or by the hand of who sees it here. Their texts
// have the keys label-send and label-show.
func deliveries(label, send string) func(v *visit) ([]option, error) {
	return func(v *visit) ([]option, error) {
		return []option{{Value: send, Text: v.Texts.T(label + "-send")}, {Value: "return_code", Text: v.Texts.T(label + "-show")}}, nil
	}
}

// linkOnce is the link of a message that is not sent, to be brought to who it is for.
func (v *visit) linkOnce(m message.Message) []fact {
	origin, err := url.Parse(v.Call.Origin(v.External))
	if err != nil { // The edge took the host of the request.
		return nil
	}
	m.Org = v.org
	return []fact{{Text: "link", Value: m.Link(*origin), Code: true, Help: "link-help"}, {Text: "code", Value: m.Code, Code: true}}
}
