package console

import (
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	adminpb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	settingspb "github.com/gatehouse/gatehouse/gen/zitadel/settings/v1"
)

// The paths of who carries messages.
const (
	atMessages = "instance/messages"
	atMailBy   = atMessages + "/mail/{provider}"
	atTextBy   = atMessages + "/sms/{provider}"
)

// The permissions on them.
const (
	iamRead  = "iam.read"
	iamWrite = "iam.write"
)

// The settings of providers, as forms ask for them.
var (
	smtpFields = []field{
		{path: "description", help: "f-provider-description-help"},
		{path: "sender_address", kind: "email", required: true}, {path: "sender_name", required: true}, {path: "reply_to_address", kind: "email", help: "f-reply_to_address-help"},
		{path: "host", required: true, help: "f-host-help", heading: "mail-server"}, {path: "tls", help: "f-tls-help"},
		{path: "user", help: "f-smtp-user-help"}, {path: "password", kind: "password", help: "f-secret-help"},
	}
	endpointFields = []field{{path: "description", help: "f-provider-description-help"}, {path: "endpoint", kind: "url", required: true, help: "f-endpoint-help"}}
	twilioFields   = []field{{path: "description", help: "f-provider-description-help"}, {path: "sid", required: true}, {path: "sender_number", required: true}}
)

// messagePages are about who carries mails and SMS.
func messagePages() (out []page) {
	out = append(out, view{path: atMessages, permission: iamRead, read: readProviders}.pages()...)
	add := func(path, title string, req func() proto.Message, fields []field, once func(*visit, proto.Message) []fact) {
		out = append(out, form{
			path: atMessages + path, permission: iamWrite, title: title, help: title + "-help", button: "create", then: backTo(atMessages, "created"), crumbs: inMessages,
			fields: fields, load: func(*visit) (proto.Message, error) { return req(), nil }, once: once,
		}.pages()...)
	}
	add("/smtp-new", "smtp-new", func() proto.Message { return &adminpb.AddEmailProviderSMTPRequest{Tls: true} }, smtpFields, nil)
	add("/mail-http-new", "mail-http-new", func() proto.Message { return &adminpb.AddEmailProviderHTTPRequest{} }, endpointFields, signingKey)
	add("/twilio-new", "twilio-new", func() proto.Message { return &adminpb.AddSMSProviderTwilioRequest{} }, append(twilioFields, field{path: "token", kind: "password", required: true}), nil)
	add("/sms-http-new", "sms-http-new", func() proto.Message { return &adminpb.AddSMSProviderHTTPRequest{} }, endpointFields, signingKey)
	for at, load := range map[string]func(*visit) (proto.Message, error){atMailBy: loadMail, atTextBy: loadText} {
		out = append(out, editProvider(at, load).pages()...)
		out = append(out, replaceKey(at, load).pages()...)
	}
	out = append(out, form{
		path: atTextBy + "/token", permission: iamWrite, title: "twilio-token", then: backTo(atMessages, "saved"), crumbs: inMessages,
		fields: []field{{path: "token", kind: "password", required: true}},
		load: func(v *visit) (proto.Message, error) {
			return &adminpb.UpdateSMSProviderTwilioTokenRequest{Id: v.R.PathValue("provider")}, nil
		},
	}.pages()...)
	out = append(out, form{
		path: atMailBy + "/test", permission: iamWrite, title: "mail-test", help: "mail-test-help", button: "mail-test", then: backTo(atMessages, "tested"), crumbs: inMessages,
		fields: []field{{path: "receiver_address", kind: "email", required: true}},
		load: func(v *visit) (proto.Message, error) {
			return &adminpb.TestEmailProviderSMTPByIdRequest{Id: v.R.PathValue("provider"), ReceiverAddress: v.me.GetHuman().GetEmail().GetEmail()}, nil
		},
	}.pages()...)
	for _, a := range []struct {
		name       string
		danger     bool
		mail, text func(id string) proto.Message
	}{
		{
			"activate", false, func(id string) proto.Message { return &adminpb.ActivateEmailProviderRequest{Id: id} },
			func(id string) proto.Message { return &adminpb.ActivateSMSProviderRequest{Id: id} },
		},
		{
			"deactivate", true, func(id string) proto.Message { return &adminpb.DeactivateEmailProviderRequest{Id: id} },
			func(id string) proto.Message { return &adminpb.DeactivateSMSProviderRequest{Id: id} },
		},
		{
			"remove", true, func(id string) proto.Message { return &adminpb.RemoveEmailProviderRequest{Id: id} },
			func(id string) proto.Message { return &adminpb.RemoveSMSProviderRequest{Id: id} },
		},
	} {
		for at, request := range map[string]func(string) proto.Message{atMailBy: a.mail, atTextBy: a.text} {
			out = append(out, action{
				path: at + "/" + a.name, permission: iamWrite, title: a.name, help: "provider-" + a.name + "-help", danger: a.danger, then: backTo(atMessages, "saved"), crumbs: inMessages,
				request: func(v *visit) proto.Message { return request(v.R.PathValue("provider")) },
			}.pages()...)
		}
	}
	return out
}

// editProvider is the form that changes a provider, by the request that load gives.
func editProvider(at string, load func(v *visit) (proto.Message, error)) form {
	return form{
		path: at + "/edit", permission: iamWrite, title: "edit", then: backTo(atMessages, "saved"), crumbs: inMessages, load: load,
		choose: func(_ *visit, req proto.Message) ([]field, error) {
			return providerFields[req.ProtoReflect().Descriptor().Name()], nil
		},
	}
}

// providerFields are what the forms of providers ask for, by the request.
var providerFields = map[protoreflect.Name][]field{
	"UpdateEmailProviderSMTPRequest": smtpFields, "UpdateEmailProviderHTTPRequest": endpointFields,
	"UpdateSMSProviderTwilioRequest": twilioFields, "UpdateSMSProviderHTTPRequest": endpointFields,
}

// replaceKey gives a provider a new signing key, and nothing else.
func replaceKey(at string, load func(v *visit) (proto.Message, error)) action {
	return action{
		path: at + "/signing-key", permission: iamWrite, title: "signing-key-new", help: "signing-key-new-help", danger: true, then: backTo(atMessages, "saved"), crumbs: inMessages, once: signingKey,
		send: func(v *visit) (proto.Message, error) {
			req, err := load(v)
			if err != nil {
				return nil, err
			}
			at := req.ProtoReflect().Descriptor().Fields().ByName("expiration_signing_key")
			if at == nil { // It signs nothing.
				return nil, errNoPage
			}
			req.ProtoReflect().Mutable(at)
			return call[proto.Message](v, req)
		},
	}
}

func loadMail(v *visit) (proto.Message, error) {
	res, err := call[*adminpb.GetEmailProviderByIdResponse](v, &adminpb.GetEmailProviderByIdRequest{Id: v.R.PathValue("provider")})
	if err != nil {
		return nil, err
	}
	p := res.GetConfig()
	if s := p.GetSmtp(); s != nil {
		return carry(s, &adminpb.UpdateEmailProviderSMTPRequest{Id: p.GetId(), Description: p.GetDescription()}), nil
	}
	return carry(p.GetHttp(), &adminpb.UpdateEmailProviderHTTPRequest{Id: p.GetId(), Description: p.GetDescription()}), nil
}

func loadText(v *visit) (proto.Message, error) {
	res, err := call[*adminpb.GetSMSProviderResponse](v, &adminpb.GetSMSProviderRequest{Id: v.R.PathValue("provider")})
	if err != nil {
		return nil, err
	}
	p := res.GetConfig()
	if s := p.GetTwilio(); s != nil {
		return carry(s, &adminpb.UpdateSMSProviderTwilioRequest{Id: p.GetId(), Description: p.GetDescription()}), nil
	}
	return carry(p.GetHttp(), &adminpb.UpdateSMSProviderHTTPRequest{Id: p.GetId(), Description: p.GetDescription()}), nil
}

// signingKey is what an endpoint checks with that it is us who calls.
func signingKey(_ *visit, res proto.Message) []fact {
	r := res.(interface{ GetSigningKey() string }) //nolint:forcetypeassert // the contract's
	return []fact{{Text: "signing-key", Value: r.GetSigningKey(), Code: true, Help: "signing-key-help"}}
}

// readProviders is the page of who carries messages.
func readProviders(v *visit) (viewed, error) {
	mails, err := call[*adminpb.ListEmailProvidersResponse](v, &adminpb.ListEmailProvidersRequest{})
	if err != nil {
		return viewed{}, err
	}
	texts, err := call[*adminpb.ListSMSProvidersResponse](v, &adminpb.ListSMSProvidersRequest{})
	if err != nil {
		return viewed{}, err
	}
	columns := []string{"carrier", "state"}
	mail := part{
		Title: v.Texts.T("mail"), Columns: columns, Empty: v.Texts.T("mail-empty"),
		Add: []entry{{atMessages + "/smtp-new", "smtp-new", iamWrite}, {atMessages + "/mail-http-new", "mail-http-new", iamWrite}},
	}
	for _, p := range mails.GetResult() {
		where, by := p.GetHttp().GetEndpoint(), []string{"edit", "signing-key"}
		if s := p.GetSmtp(); s != nil {
			where, by = s.GetHost()+" · "+s.GetSenderAddress(), []string{"edit", "test"}
		}
		mail.Rows = append(mail.Rows, v.provider(atMessages+"/mail/"+p.GetId(), p.GetDescription(), where, p.GetState() == settingspb.EmailProviderState_EMAIL_PROVIDER_ACTIVE, by...))
	}
	sms := part{
		Title: "SMS", Columns: columns, Empty: v.Texts.T("sms-empty"),
		Add: []entry{{atMessages + "/twilio-new", "twilio-new", iamWrite}, {atMessages + "/sms-http-new", "sms-http-new", iamWrite}},
	}
	for _, p := range texts.GetResult() {
		where, by := p.GetHttp().GetEndpoint(), []string{"edit", "signing-key"}
		if s := p.GetTwilio(); s != nil {
			where, by = "Twilio · "+s.GetSenderNumber(), []string{"edit", "token"}
		}
		sms.Rows = append(sms.Rows, v.provider(atMessages+"/sms/"+p.GetId(), p.GetDescription(), where, p.GetState() == settingspb.SMSProviderConfigState_SMS_PROVIDER_CONFIG_ACTIVE, by...))
	}
	return viewed{Title: v.Texts.T("messages"), Help: v.Texts.T("messages-help"), Parts: []part{mail, sms}}, nil
}

// provider is the row of a provider, with what can be done with it.
func (v *visit) provider(at, description, where string, active bool, by ...string) viewRow {
	r := viewRow{row: row{Cells: []cell{{Text: description, Quiet: where}, {Text: v.Texts.T("provider-off"), State: "idle"}}}}
	if description == "" {
		r.Cells[0] = cell{Text: where}
	}
	if by = append(by, "activate", "remove"); active {
		r.Cells[1] = cell{Text: v.Texts.T("provider-on"), State: "good"}
		by[len(by)-2] = "deactivate"
	}
	texts := map[string]string{"test": "mail-test", "token": "twilio-token", "signing-key": "signing-key-new"} //nolint:gosec // keys of texts
	for _, what := range by {
		text := what
		if t, ok := texts[what]; ok {
			text = t
		}
		r.Actions = append(r.Actions, v.entries([]entry{{at + "/" + what, text, iamWrite}})...)
	}
	return r
}

// inMessages are the pages above those of providers.
func inMessages(v *visit) []crumb {
	return []crumb{{URL: v.at(atMessages), Text: v.Texts.T("messages")}}
}
