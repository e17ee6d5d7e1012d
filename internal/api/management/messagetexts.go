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
		set, other := setters[kind]
		if !other {
			set = "SetCustom" + name + "MessageText"
		}
		out = append(out,
			api.ReadInheritedMessageText("GetDefault"+name+"MessageText", kind, h.store),
			api.ReadMessageText("GetCustom"+name+"MessageText", kind, h.store, api.CallersOrg),
			api.SetMessageText(set, kind, h.store, api.CallersOrg),
			api.ResetMessageText("ResetCustom"+name+"MessageTextToDefault", kind, h.store, api.CallersOrg),
		)
	}
	return out
}
