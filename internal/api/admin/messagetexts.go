package admin

import "github.com/gatehouse/gatehouse/internal/api"

// messageTexts lists the RPCs about what people are told where their organization
// has no text of its own.
func (h *Handlers) messageTexts() []api.RPC {
	var out []api.RPC
	for name, kind := range api.MessageTexts {
		out = append(out,
			api.ReadBuiltInMessageText("GetDefault"+name+"MessageText", kind),
			api.ReadMessageText("GetCustom"+name+"MessageText", kind, h.store, api.CallersInstance),
			api.SetMessageText("SetDefault"+name+"MessageText", kind, h.store, api.CallersInstance),
			api.ResetMessageText("ResetCustom"+name+"MessageTextToDefault", kind, h.store, api.CallersInstance),
		)
	}
	return out
}
