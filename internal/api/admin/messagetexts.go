package admin

import "github.com/gatehouse/gatehouse/internal/api"

// messageTexts lists the RPCs about what people are told where their organization
// has no text of its own.
func (h *Handlers) messageTexts() []api.RPC {
	var out []api.RPC
	for name, kind := range api.MessageTexts {
		w := api.OfMessages(kind)
		out = append(out,
			api.ReadBuiltInMessageText("GetDefault"+name+"MessageText", w),
			api.ReadMessageText("GetCustom"+name+"MessageText", w, h.store, api.CallersInstance),
			api.SetMessageText("SetDefault"+name+"MessageText", w, h.store, api.CallersInstance),
			api.ResetMessageText("ResetCustom"+name+"MessageTextToDefault", w, h.store, api.CallersInstance),
		)
	}
	return out
}

// loginTexts lists the RPCs about what the login pages say.
func (h *Handlers) loginTexts() []api.RPC {
	return []api.RPC{
		api.ReadBuiltInMessageText("GetDefaultLoginTexts", api.OfLogin),
		api.ReadMessageText("GetCustomLoginTexts", api.OfLogin, h.store, api.CallersInstance),
		api.SetMessageText("SetCustomLoginText", api.OfLogin, h.store, api.CallersInstance),
		api.ResetMessageText("ResetCustomLoginTextToDefault", api.OfLogin, h.store, api.CallersInstance),
	}
}
