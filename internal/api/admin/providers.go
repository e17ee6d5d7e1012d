package admin

import (
	"cmp"
	"context"

	"google.golang.org/protobuf/proto"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/provider"
)

// providers lists the RPCs about who carries messages. Those about mail servers
// have two names each: the contract had only mail servers at first.
func (h *Handlers) providers() []api.RPC {
	return []api.RPC{
		api.Unary("GetSMTPConfig", h.getSMTPConfig),
		api.Unary("GetSMTPConfigById", h.getSMTPConfigByID),
		api.Unary("ListSMTPConfigs", h.listSMTPConfigs),
		api.Shaped("AddSMTPConfig", h.addSMTP),
		api.Shaped("UpdateSMTPConfig", h.updateSMTP),
		api.Shaped("UpdateSMTPConfigPassword", h.setSMTPPassword),
		h.switched("ActivateSMTPConfig", provider.Email, provider.Activate),
		h.switched("DeactivateSMTPConfig", provider.Email, provider.Deactivate),
		h.switched("RemoveSMTPConfig", provider.Email, provider.Remove),
		api.Shaped("TestSMTPConfig", h.testSMTP),
		api.Shaped("TestSMTPConfigById", h.testSMTPByID),

		api.Unary("GetEmailProvider", h.getEmailProvider),
		api.Unary("GetEmailProviderById", h.getEmailProviderByID),
		api.Unary("ListEmailProviders", h.listEmailProviders),
		api.Shaped("AddEmailProviderSMTP", h.addSMTP),
		api.Shaped("UpdateEmailProviderSMTP", h.updateSMTP),
		api.Shaped("UpdateEmailProviderSMTPPassword", h.setSMTPPassword),
		h.addHTTP("AddEmailProviderHTTP", provider.Email),
		h.updateHTTP("UpdateEmailProviderHTTP", provider.Email),
		h.switched("ActivateEmailProvider", provider.Email, provider.Activate),
		h.switched("DeactivateEmailProvider", provider.Email, provider.Deactivate),
		h.switched("RemoveEmailProvider", provider.Email, provider.Remove),
		api.Shaped("TestEmailProviderSMTP", h.testSMTP),
		api.Shaped("TestEmailProviderSMTPById", h.testSMTPByID),

		api.Unary("ListSMSProviders", h.listSMSProviders),
		api.Unary("GetSMSProvider", h.getSMSProvider),
		api.Unary("AddSMSProviderTwilio", h.addTwilio),
		api.Unary("UpdateSMSProviderTwilio", h.updateTwilio),
		api.Unary("UpdateSMSProviderTwilioToken", h.setTwilioToken),
		h.addHTTP("AddSMSProviderHTTP", provider.SMS),
		h.updateHTTP("UpdateSMSProviderHTTP", provider.SMS),
		h.switched("ActivateSMSProvider", provider.SMS, provider.Activate),
		h.switched("DeactivateSMSProvider", provider.SMS, provider.Deactivate),
		h.switched("RemoveSMSProvider", provider.SMS, provider.Remove),
	}
}

// named is a request that names a provider.
type named interface{ GetId() string }

// switched makes an RPC of a verb that needs to know nothing but the provider.
func (h *Handlers) switched(rpc string, sort provider.Sort,
	verb func(*eventstore.Tx, string, string, provider.Sort) (eventstore.Details, error),
) api.RPC {
	return api.Shaped(rpc, func(ctx context.Context, r named) (api.Fields, error) {
		d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
			return verb(tx, s.Instance, r.GetId(), sort)
		})
		return api.Detailed(api.Changed(d)), err
	})
}

// serverRequest tells how to send through a mail server.
type serverRequest interface {
	GetSenderAddress() string
	GetSenderName() string
	GetTls() bool
	GetHost() string
	GetUser() string
	GetPassword() string
}

// describedRequest tells what a test needs not to know.
type describedRequest interface {
	serverRequest
	GetReplyToAddress() string
	GetDescription() string
}

// authRequest tells how to prove who sends. A request that does not, or that has
// none of the three, means what the contract's first form means: a password, if
// there is one.
type authRequest interface {
	GetNone() *pb.SMTPNoAuth
	GetPlain() *pb.SMTPPlainAuth
	GetXoauth2() *pb.SMTPXOAuth2Auth
}

// setServer writes a request into a mail server's configuration and gives the
// secret that the request tells.
func setServer(c *provider.SMTP, r serverRequest) (secret string) {
	c.SenderAddress, c.SenderName, c.TLS, c.Host, c.User = r.GetSenderAddress(), r.GetSenderName(), r.GetTls(), r.GetHost(), r.GetUser()
	if d, ok := r.(describedRequest); ok {
		c.ReplyToAddress, c.Description = d.GetReplyToAddress(), d.GetDescription()
	}
	auth, ok := r.(authRequest)
	if !ok {
		auth = &pb.AddEmailProviderSMTPRequest{}
	}
	switch x := auth.GetXoauth2(); {
	case x != nil:
		c.Plain, c.XOAuth2 = nil, &provider.XOAuth2{
			ClientID: x.GetClientCredentials().GetClientId(), TokenEndpoint: x.GetTokenEndpoint(), Scopes: x.GetScopes(),
		}
		return x.GetClientCredentials().GetClientSecret()
	case auth.GetPlain() != nil:
		c.Plain, c.XOAuth2 = &provider.Plain{}, nil
		return cmp.Or(auth.GetPlain().GetPassword(), r.GetPassword())
	case auth.GetNone() != nil || r.GetUser() == "":
		c.Plain, c.XOAuth2 = nil, nil
	case r.GetPassword() != "":
		c.Plain, c.XOAuth2 = &provider.Plain{}, nil
		return r.GetPassword()
	}
	return ""
}

func (h *Handlers) addSMTP(ctx context.Context, r serverRequest) (api.Fields, error) {
	var c provider.SMTP
	secret, id := setServer(&c, r), ""
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		id, d, err = provider.AddSMTP(tx, h.vault, s.Instance, c, secret)
		return d, err
	})
	return added(d, id), err
}

// added is the answer to who added a provider.
func added(d eventstore.Details, id string) api.Fields {
	f := api.Detailed(api.Added(d))
	f["id"] = id
	return f
}

func (h *Handlers) updateSMTP(ctx context.Context, r interface {
	describedRequest
	named
},
) (api.Fields, error) {
	secret := setServer(&provider.SMTP{}, r)
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return provider.ChangeSMTP(tx, h.vault, s.Instance, r.GetId(), func(c *provider.SMTP) { setServer(c, r) }, secret)
	})
	return api.Detailed(api.Changed(d)), err
}

func (h *Handlers) setSMTPPassword(ctx context.Context, r interface {
	named
	GetPassword() string
},
) (api.Fields, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return provider.SetPassword(tx, h.vault, s.Instance, r.GetId(), r.GetPassword())
	})
	return api.Detailed(api.Changed(d)), err
}

func (h *Handlers) testSMTP(ctx context.Context, r interface {
	serverRequest
	named
	GetReceiverAddress() string
},
) (api.Fields, error) {
	stored := provider.Provider{Instance: scope(ctx).Instance}
	if r.GetId() != "" {
		var err error
		if stored, err = provider.ByID(ctx, h.store, scope(ctx).Instance, provider.Email, r.GetId()); err != nil {
			return nil, err
		}
	}
	var c provider.SMTP
	if stored.SMTP != nil {
		c.Plain, c.XOAuth2 = stored.SMTP.Plain, stored.SMTP.XOAuth2
	}
	secret := setServer(&c, r)
	p, secret, err := stored.ForTest(c, secret)
	if err != nil {
		return nil, err
	}
	return api.Fields{}, h.testMail(ctx, p, secret, r.GetReceiverAddress())
}

func (h *Handlers) testSMTPByID(ctx context.Context, r interface {
	named
	GetReceiverAddress() string
},
) (api.Fields, error) {
	p, err := provider.ByID(ctx, h.store, scope(ctx).Instance, provider.Email, r.GetId())
	if err == nil && p.Kind != provider.KindSMTP {
		err = errNoServer
	}
	if err != nil {
		return nil, err
	}
	return api.Fields{}, h.testMail(ctx, p, "", r.GetReceiverAddress())
}

var errNoServer = fault.NotFound("PROVIDER-no-smtp", "There is no such mail server.")

// addHTTP makes an RPC that adds an endpoint.
func (h *Handlers) addHTTP(rpc string, sort provider.Sort) api.RPC {
	return api.Shaped(rpc, func(ctx context.Context, r interface {
		GetEndpoint() string
		GetDescription() string
	},
	) (api.Fields, error) {
		var id, key string
		d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
			id, key, d, err = provider.AddHTTP(tx, h.vault, s.Instance, sort, provider.HTTP{Endpoint: r.GetEndpoint(), Description: r.GetDescription()})
			return d, err
		})
		f := added(d, id)
		f["signing_key"] = key
		return f, err
	})
}

// updateHTTP makes an RPC that changes an endpoint.
func (h *Handlers) updateHTTP(rpc string, sort provider.Sort) api.RPC {
	return api.Shaped(rpc, func(ctx context.Context, r endpointUpdate) (api.Fields, error) {
		key, newKey := "", expires(r)
		d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
			key, d, err = provider.ChangeHTTP(tx, h.vault, s.Instance, sort, r.GetId(), r.GetEndpoint(), r.GetDescription(), newKey)
			return d, err
		})
		f := api.Detailed(api.Changed(d))
		if newKey {
			f["signing_key"] = key
		}
		return f, err
	})
}

type endpointUpdate interface {
	proto.Message
	named
	GetEndpoint() string
	GetDescription() string
}

// expires reports whether the signing key is to end, in favour of a new one. Only
// at once can be asked for.
func expires(r endpointUpdate) bool {
	m := r.ProtoReflect()
	return m.Has(m.Descriptor().Fields().ByName("expiration_signing_key"))
}

func (h *Handlers) addTwilio(ctx context.Context, r *pb.AddSMSProviderTwilioRequest) (*pb.AddSMSProviderTwilioResponse, error) {
	id := ""
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (d eventstore.Details, err error) {
		id, d, err = provider.AddTwilio(tx, h.vault, s.Instance, provider.Twilio{
			Description: r.GetDescription(), SID: r.GetSid(), SenderNumber: r.GetSenderNumber(), VerifyServiceSID: r.GetVerifyServiceSid(),
		}, r.GetToken())
		return d, err
	})
	return &pb.AddSMSProviderTwilioResponse{Details: api.Added(d), Id: id}, err
}

func (h *Handlers) updateTwilio(ctx context.Context, r *pb.UpdateSMSProviderTwilioRequest) (*pb.UpdateSMSProviderTwilioResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return provider.ChangeTwilio(tx, h.vault, s.Instance, r.GetId(), func(c *provider.Twilio) {
			c.Description, c.SID, c.SenderNumber, c.VerifyServiceSID = r.GetDescription(), r.GetSid(), r.GetSenderNumber(), r.GetVerifyServiceSid()
		})
	})
	return &pb.UpdateSMSProviderTwilioResponse{Details: api.Changed(d)}, err
}

func (h *Handlers) setTwilioToken(ctx context.Context, r *pb.UpdateSMSProviderTwilioTokenRequest) (*pb.UpdateSMSProviderTwilioTokenResponse, error) {
	d, err := h.write(ctx, func(tx *eventstore.Tx, s eventstore.Scope) (eventstore.Details, error) {
		return provider.SetToken(tx, h.vault, s.Instance, r.GetId(), r.GetToken())
	})
	return &pb.UpdateSMSProviderTwilioTokenResponse{Details: api.Changed(d)}, err
}
