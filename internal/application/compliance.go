package application

import (
	"slices"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// What is wrong with how an application is set up, although it may be. The id of a
// fault is the key of the message.
var (
	errRefreshGrant  = fault.Invalid("Application.OIDC.V1.GrantType.Refresh.NoAuthCode", "The grant type refresh token takes the grant type authorization code.")
	errCodeGrant     = fault.Invalid("Application.OIDC.V1.ResponseType.Code.NoGrant", "The response type code takes the grant type authorization code.")
	errImplicitGrant = fault.Invalid("Application.OIDC.V1.ResponseType.Implicit.NoGrant", "The response types id_token and token take the grant type implicit.")
	errNoURIs        = fault.Invalid("Application.OIDC.V1.NoRedirectUris", "There is no redirect URI to send people back to.")
	errNativeSecret  = fault.Invalid("Application.OIDC.V1.Native.AuthMethodType.NotNone", "A native application can keep no secret: its authentication method is none, with PKCE.")
	errBrowserSecret = fault.Invalid("Application.OIDC.V1.UserAgent.AuthMethodType.NotNone", "An application in the browser can keep no secret: its authentication method is none, with PKCE.")
	errHTTP          = fault.Invalid("Application.OIDC.V1.RedirectUris.HttpNotAllowed", "Redirect URIs with http are for the development mode. Use https.")
	errLoopback      = fault.Invalid("Application.OIDC.V1.Native.RedirectUris.MustBeHttpLocalhost", "A native application may use http only for addresses of the machine that it runs on.")
	errCustom        = fault.Invalid("Application.OIDC.V1.Code.RedirectUris.CustomOnlyForNative", "Only native applications may have redirect URIs with a scheme of their own.")
	errOwnScheme     = fault.Invalid("Application.OIDC.V1.Implicit.RedirectUris.CustomNotAllowed", "With the grant type implicit, redirect URIs cannot have a scheme of their own.")
)

// Problems lists what is wrong with the configuration, each once: it works, as far
// as it is safe, but does not follow the rules of the protocol for such programs.
func (c *OIDC) Problems() (out []*fault.Error) {
	add := func(wrong bool, p *fault.Error) {
		if wrong && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	code, implicit := slices.Contains(c.GrantTypes, GrantCode), slices.Contains(c.GrantTypes, GrantImplicit)
	add(slices.Contains(c.GrantTypes, GrantRefresh) && !code, errRefreshGrant)
	add((code || implicit) && slices.Contains(c.ResponseTypes, ResponseCode) && !code, errCodeGrant)
	add((slices.Contains(c.ResponseTypes, ResponseIDToken) || slices.Contains(c.ResponseTypes, ResponseIDTokenToken)) && !implicit, errImplicitGrant)
	add((code || implicit) && len(c.RedirectURIs) == 0, errNoURIs)
	add(c.ApplicationType == Native && c.AuthMethod != AuthNone, errNativeSecret)
	add(c.ApplicationType == UserAgent && c.AuthMethod != AuthNone, errBrowserSecret)
	for _, uri := range c.RedirectURIs {
		u, ok := parseURI(uri)
		if !ok {
			continue
		}
		custom := u.Scheme != schemeHTTP && u.Scheme != schemeHTTPS
		plain := u.Scheme == schemeHTTP && !c.DevMode
		add(custom && c.ApplicationType != Native, errCustom)
		add(custom && implicit, errOwnScheme)
		add(plain && c.ApplicationType != Native, errHTTP)
		add(plain && c.ApplicationType == Native && !isLoopback(u), errLoopback)
	}
	return out
}

// Origins are those from which pages of the application may call: those of its
// redirect URIs, and what was added to them.
func (c *OIDC) Origins() (out []string) {
	add := func(origin string) {
		if !slices.Contains(out, origin) {
			out = append(out, origin)
		}
	}
	for _, uri := range c.RedirectURIs {
		if u, ok := parseURI(uri); ok && isWeb(u) {
			add(origin(u))
		}
	}
	for _, o := range c.AdditionalOrigins {
		add(o)
	}
	return out
}
