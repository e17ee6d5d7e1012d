package management

import (
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/message"
)

// setters are the RPCs that set a text and that the contract names another way.
var setters = map[message.Kind]string{
	message.DomainClaimed:            "SetCustomDomainClaimedMessageCustomText",
	message.PasswordlessRegistration: "SetCustomPasswordlessRegistrationMessageCustomText",
	message.PasswordChange:           "SetCustomPasswordChangeMessageCustomText",
	message.InviteUser:               "SetCustomInviteUserMessageCustomText",
}

// messageTexts lists the RPCs about what people of the organization are told.
func (h *Handlers) messageTexts() []api.RPC {
	var out []api.RPC
	for name, kind := range api.MessageTexts {
		w := api.OfMessages(kind)
		set, other := setters[kind]
		if !other {
			set = "SetCustom" + name + "MessageText"
		}
		out = append(out,
			api.ReadInheritedMessageText("GetDefault"+name+"MessageText", w, h.store),
			api.ReadMessageText("GetCustom"+name+"MessageText", w, h.store, api.CallersOrg),
			api.SetMessageText(set, w, h.store, api.CallersOrg),
			api.ResetMessageText("ResetCustom"+name+"MessageTextToDefault", w, h.store, api.CallersOrg),
		)
	}
	return out
}

// loginTexts lists the RPCs about what the login pages say.
func (h *Handlers) loginTexts() []api.RPC {
	return []api.RPC{
		api.ReadInheritedMessageText("GetDefaultLoginTexts", api.OfLogin, h.store),
		api.ReadMessageText("GetCustomLoginTexts", api.OfLogin, h.store, api.CallersOrg),
		api.SetMessageText("SetCustomLoginText", api.OfLogin, h.store, api.CallersOrg),
		api.ResetMessageText("ResetCustomLoginTextToDefault", api.OfLogin, h.store, api.CallersOrg),
	}
}
