package admin

import (
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	settingspb "github.com/gatehouse/gatehouse/gen/zitadel/settings/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/provider"
)

// This file shows providers, without their secrets.

func (h *Handlers) getSMTPConfig(ctx context.Context, _ *pb.GetSMTPConfigRequest) (*pb.GetSMTPConfigResponse, error) {
	p, err := provider.ShowActive(ctx, h.store, scope(ctx).Instance, provider.Email)
	c, err := smtpConfig(p, err)
	return &pb.GetSMTPConfigResponse{SmtpConfig: c}, err
}

func (h *Handlers) getSMTPConfigByID(ctx context.Context, r *pb.GetSMTPConfigByIdRequest) (*pb.GetSMTPConfigByIdResponse, error) {
	p, err := provider.ByID(ctx, h.store, scope(ctx).Instance, provider.Email, r.GetId())
	c, err := smtpConfig(p, err)
	return &pb.GetSMTPConfigByIdResponse{SmtpConfig: c}, err
}

// smtpConfig is a mail server in the contract's first form, which knows no other
// provider.
func smtpConfig(p provider.Provider, err error) (*settingspb.SMTPConfig, error) {
	if err == nil && p.Kind != provider.KindSMTP {
		err = errNoServer
	}
	if err != nil {
		return nil, err
	}
	return server(p), nil
}

func server(p provider.Provider) *settingspb.SMTPConfig {
	c := p.SMTP
	return &settingspb.SMTPConfig{
		Details: api.View(p.Details), Id: p.ID, State: settingspb.SMTPConfigState(state(p)), Description: c.Description,
		SenderAddress: c.SenderAddress, SenderName: c.SenderName, ReplyToAddress: c.ReplyToAddress, Tls: c.TLS, Host: c.Host, User: c.User,
	}
}

// state is the number of a provider's state in each of the contract's enums.
func state(p provider.Provider) int32 {
	if p.Active {
		return int32(settingspb.EmailProviderState_EMAIL_PROVIDER_ACTIVE)
	}
	return int32(settingspb.EmailProviderState_EMAIL_PROVIDER_INACTIVE)
}

func (h *Handlers) listSMTPConfigs(ctx context.Context, r *pb.ListSMTPConfigsRequest) (*pb.ListSMTPConfigsResponse, error) {
	page, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	l, err := provider.List(ctx, h.store, scope(ctx).Instance, provider.Email, page, provider.KindSMTP)
	return &pb.ListSMTPConfigsResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, server)}, err
}

func (h *Handlers) getEmailProvider(ctx context.Context, _ *pb.GetEmailProviderRequest) (*pb.GetEmailProviderResponse, error) {
	p, err := provider.ShowActive(ctx, h.store, scope(ctx).Instance, provider.Email)
	if err != nil {
		return nil, err
	}
	return &pb.GetEmailProviderResponse{Config: emailProvider(p)}, nil
}

func (h *Handlers) getEmailProviderByID(ctx context.Context, r *pb.GetEmailProviderByIdRequest) (*pb.GetEmailProviderByIdResponse, error) {
	p, err := provider.ByID(ctx, h.store, scope(ctx).Instance, provider.Email, r.GetId())
	if err != nil {
		return nil, err
	}
	return &pb.GetEmailProviderByIdResponse{Config: emailProvider(p)}, nil
}

func (h *Handlers) listEmailProviders(ctx context.Context, r *pb.ListEmailProvidersRequest) (*pb.ListEmailProvidersResponse, error) {
	page, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	l, err := provider.List(ctx, h.store, scope(ctx).Instance, provider.Email, page)
	return &pb.ListEmailProvidersResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, emailProvider)}, err
}

func emailProvider(p provider.Provider) *settingspb.EmailProvider {
	out := &settingspb.EmailProvider{
		Details: api.View(p.Details), Id: p.ID, State: settingspb.EmailProviderState(state(p)), Description: p.Description(),
	}
	if p.Kind == provider.KindHTTP {
		out.Config = &settingspb.EmailProvider_Http{Http: &settingspb.EmailProviderHTTP{Endpoint: p.HTTP.Endpoint}}
		return out
	}
	c := p.SMTP
	s := &settingspb.EmailProviderSMTP{
		SenderAddress: c.SenderAddress, SenderName: c.SenderName, ReplyToAddress: c.ReplyToAddress, Tls: c.TLS, Host: c.Host, User: c.User,
		Auth: &settingspb.EmailProviderSMTP_None{None: &settingspb.SMTPNoAuth{}},
	}
	switch {
	case c.Plain != nil:
		s.Auth = &settingspb.EmailProviderSMTP_Plain{Plain: &settingspb.SMTPPlainAuth{}}
	case c.XOAuth2 != nil:
		s.Auth = &settingspb.EmailProviderSMTP_Xoauth2{Xoauth2: &settingspb.SMTPXOAuth2Auth{
			TokenEndpoint: c.XOAuth2.TokenEndpoint, Scopes: c.XOAuth2.Scopes,
			OAuth2Type: &settingspb.SMTPXOAuth2Auth_ClientCredentials_{
				ClientCredentials: &settingspb.SMTPXOAuth2Auth_ClientCredentials{ClientId: c.XOAuth2.ClientID},
			},
		}}
	}
	out.Config = &settingspb.EmailProvider_Smtp{Smtp: s}
	return out
}

func (h *Handlers) getSMSProvider(ctx context.Context, r *pb.GetSMSProviderRequest) (*pb.GetSMSProviderResponse, error) {
	p, err := provider.ByID(ctx, h.store, scope(ctx).Instance, provider.SMS, r.GetId())
	if err != nil {
		return nil, err
	}
	return &pb.GetSMSProviderResponse{Config: smsProvider(p)}, nil
}

func (h *Handlers) listSMSProviders(ctx context.Context, r *pb.ListSMSProvidersRequest) (*pb.ListSMSProvidersResponse, error) {
	page, err := api.PageOf(ctx, r.GetQuery())
	if err != nil {
		return nil, err
	}
	l, err := provider.List(ctx, h.store, scope(ctx).Instance, provider.SMS, page)
	return &pb.ListSMSProvidersResponse{Details: api.Listed(l.Total, h.store.Now()), Result: api.Each(l.Rows, smsProvider)}, err
}

func smsProvider(p provider.Provider) *settingspb.SMSProvider {
	out := &settingspb.SMSProvider{
		Details: api.View(p.Details), Id: p.ID, State: settingspb.SMSProviderConfigState(state(p)), Description: p.Description(),
	}
	if p.Kind == provider.KindHTTP {
		out.Config = &settingspb.SMSProvider_Http{Http: &settingspb.HTTPConfig{Endpoint: p.HTTP.Endpoint}}
		return out
	}
	out.Config = &settingspb.SMSProvider_Twilio{Twilio: &settingspb.TwilioConfig{
		Sid: p.Twilio.SID, SenderNumber: p.Twilio.SenderNumber, VerifyServiceSid: p.Twilio.VerifyServiceSID,
	}}
	return out
}
