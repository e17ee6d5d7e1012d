package application

import (
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// How clients prove who they are, what kinds of programs they are, and what they
// may ask for, numbered as on the wire.
const (
	AuthBasic         int32 = 0
	AuthPost          int32 = 1
	AuthNone          int32 = 2
	AuthPrivateKeyJWT int32 = 3

	APIBasic         int32 = 0
	APIPrivateKeyJWT int32 = 1

	Web       int32 = 0
	UserAgent int32 = 1
	Native    int32 = 2

	ResponseCode         int32 = 1
	ResponseIDToken      int32 = 2
	ResponseIDTokenToken int32 = 3

	GrantCode          int32 = 0
	GrantImplicit      int32 = 1
	GrantRefresh       int32 = 2
	GrantDevice        int32 = 3
	GrantTokenExchange int32 = 4

	// LoginUnset leaves it to the instance which login pages people see.
	LoginUnset int32 = 0
	LoginV1    int32 = 1
	LoginV2    int32 = 2
)

// OIDC is how an application that people log in to with OpenID Connect is set up.
type OIDC struct {
	RedirectURIs             []string      `json:"redirectUris"`
	PostLogoutRedirectURIs   []string      `json:"postLogoutRedirectUris"`
	ResponseTypes            []int32       `json:"responseTypes"`
	GrantTypes               []int32       `json:"grantTypes"`
	ApplicationType          int32         `json:"applicationType"`
	AuthMethod               int32         `json:"authMethodType"`
	DevMode                  bool          `json:"devMode"`
	AccessTokenType          int32         `json:"accessTokenType"` // 0 opaque, 1 JWT
	AccessTokenRoleAssertion bool          `json:"accessTokenRoleAssertion"`
	IDTokenRoleAssertion     bool          `json:"idTokenRoleAssertion"`
	IDTokenUserinfoAssertion bool          `json:"idTokenUserinfoAssertion"`
	ClockSkew                time.Duration `json:"clockSkew"`
	AdditionalOrigins        []string      `json:"additionalOrigins"`
	BackChannelLogoutURI     string        `json:"backChannelLogoutURI"`
	SkipNativeAppSuccessPage bool          `json:"skipNativeAppSuccessPage"`
	// FlatRolesClaim puts the keys of the user's roles in the project into a claim
	// "roles" of their own, as a list.
	FlatRolesClaim bool `json:"flatRolesClaim"`
	Requirements
	Login
}

// Requirements are what an application demands of each request that is made in its name.
type Requirements struct {
	PushedRequests bool `json:"requirePushedRequests"` // RFC 9126, section 6
	SignedRequests bool `json:"requireSignedRequests"` // RFC 9101, section 10.5
	BoundTokens    bool `json:"requireBoundTokens"`    // RFC 9449, section 5.2
}

// Login says which login pages people see.
type Login struct {
	Version int32  `json:"loginVersion"`
	BaseURI string `json:"loginBaseURI"` // empty: that of the instance
}

// API is how an application that only asks about tokens is set up.
type API struct {
	AuthMethod int32 `json:"authMethodType"`
}

// The names of the kinds of applications.
const (
	KindOIDC = "oidc"
	KindAPI  = "api"
	KindSAML = "saml"
)

func (*OIDC) kind() kind { return oidcKind }
func (*API) kind() kind  { return apiKind }

// The limits of a configuration.
const (
	maxURIs      = 100
	maxClockSkew = 5 * time.Second
)

var (
	errURIs     = fault.Invalid("APP-uris", "An application can have %d addresses of a sort, each once.", maxURIs)
	errResponse = fault.Invalid("APP-response-type", "There is no such response type, or it is named twice.")
	errGrant    = fault.Invalid("APP-grant-type", "There is no such grant type, or it is named twice.")
	errType     = fault.Invalid("APP-type", "There is no such type of applications, of access tokens or of login pages.")
	errAuth     = fault.Invalid("APP-auth-method", "There is no such way to prove who an application is.")
	errSkew     = fault.Invalid("APP-clock-skew", "The clock skew must be between 0 and %d seconds.", int(maxClockSkew/time.Second))
)

// within reports whether a list has known numbers, each once.
func within(list []int32, least, most int32) bool {
	for i, n := range list {
		if n < least || n > most || slices.Contains(list[:i], n) {
			return false
		}
	}
	return true
}

func (c *OIDC) check() error {
	if len(c.ResponseTypes) == 0 {
		c.ResponseTypes = []int32{ResponseCode}
	}
	if len(c.GrantTypes) == 0 {
		c.GrantTypes = []int32{GrantCode}
	}
	switch {
	case !within(c.ResponseTypes, ResponseCode, ResponseIDTokenToken):
		return errResponse
	case !within(c.GrantTypes, GrantCode, GrantTokenExchange):
		return errGrant
	case c.ApplicationType < Web || c.ApplicationType > Native || c.AccessTokenType < 0 || c.AccessTokenType > 1:
		return errType
	case c.AuthMethod < AuthBasic || c.AuthMethod > AuthPrivateKeyJWT:
		return errAuth
	case c.ClockSkew < 0 || c.ClockSkew > maxClockSkew:
		return errSkew
	}
	return c.checkAddresses()
}

func (c *OIDC) checkAddresses() error {
	for _, list := range []struct {
		uris  *[]string
		check func(string) error
	}{{&c.RedirectURIs, checkRedirect}, {&c.PostLogoutRedirectURIs, checkRedirect}, {&c.AdditionalOrigins, checkOrigin}} {
		if err := checkList(list.uris, list.check); err != nil {
			return err
		}
	}
	if c.BackChannelLogoutURI != "" {
		if err := checkWeb(c.BackChannelLogoutURI); err != nil {
			return err
		}
	}
	return c.Login.check()
}

// checkList checks a list of addresses and gives an empty one its one form.
func checkList(list *[]string, check func(string) error) error {
	if *list == nil {
		*list = []string{}
	}
	if len(*list) > maxURIs {
		return errURIs
	}
	for i, uri := range *list {
		if slices.Contains((*list)[:i], uri) {
			return errURIs
		}
		if err := check(uri); err != nil {
			return err
		}
	}
	return nil
}

func (l *Login) check() error {
	switch {
	case l.Version < LoginUnset || l.Version > LoginV2:
		return errType
	case l.Version != LoginV2:
		l.BaseURI = ""
	case l.BaseURI != "":
		return checkWeb(l.BaseURI)
	}
	return nil
}

func (c *API) check() error {
	if c.AuthMethod != APIBasic && c.AuthMethod != APIPrivateKeyJWT {
		return errAuth
	}
	return nil
}
