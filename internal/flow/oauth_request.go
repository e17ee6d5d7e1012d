package flow

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// requestPrefix begins the ids of authorization requests, by which login pages know
// their version.
const requestPrefix = "V2_"

// The ways of an answer to the client.
const (
	ModeQuery    = "query"
	ModeFragment = "fragment"
	ModeFormPost = "form_post"
)

// The response types: of the authorization code flow, and of what is left of the implicit
// one. An access token alone is none: nobody could say for whom it is.
const (
	TypeCode         = "code"
	TypeIDToken      = "id_token"
	TypeIDTokenToken = "id_token token"
)

// ResponseTypes are those that a client can ask for.
var ResponseTypes = []string{TypeCode, TypeIDToken, TypeIDTokenToken}

// ResponseType is the one form of a response type, whose parts have no order.
func ResponseType(text string) string {
	parts := strings.Fields(text)
	slices.Sort(parts)
	return strings.Join(parts, " ")
}

// ModeOf is how the answer to a response type goes to the client, if that does not say.
func ModeOf(responseType string) string {
	if responseType == TypeIDToken || responseType == TypeIDTokenToken {
		return ModeFragment
	}
	return ModeQuery
}

// Prompts are what a client can demand of the login page.
var Prompts = []string{"none", "login", "consent", "select_account", "create"}

const (
	promptNone  = "none"
	promptLogin = "login"
	// maxText bounds each text of a request, in bytes.
	maxText = 2 << 10
	// maxMaxAge bounds max_age, in seconds: ten years.
	maxMaxAge = 10 * 365 * 24 * 3600
)

var (
	errResponseType   = fault.Invalid("OIDC-response-type", "The response_type must be code, id_token, or id_token token.").With(oauth.UnsupportedResponseType)
	errTypeNotAllowed = fault.Invalid("OIDC-response-type-client", "The application may not use this response_type, with the grant that goes with it: authorization_code for code, implicit for the others.").With(oauth.UnauthorizedClient)
	errFrontMode      = fault.Invalid("OIDC-response-mode-token", "Tokens go to the client in the response_mode fragment or form_post.")
	errNoNonce        = fault.Invalid("OIDC-nonce", "A request for an ID token from the authorization endpoint needs a nonce.")
	errNotOpenID      = fault.Invalid("OIDC-scope-openid", "A request for an ID token needs the scope openid.").With(oauth.InvalidScope)
	errFrontKey       = fault.Invalid("OIDC-dpop-front", "Tokens that come from the authorization endpoint cannot be bound to a key: ask for a code.")
	errResponseMode   = fault.Invalid("OIDC-response-mode", "The response_mode must be query, fragment or form_post.")
	errNoScope        = fault.Invalid("OIDC-no-scope", "Ask for at least one scope, such as openid.").With(oauth.InvalidScope)
	errNoPKCE         = fault.Invalid("OIDC-pkce", "This application must send a code_challenge with the code_challenge_method S256.")
	errPKCEMethod     = fault.Invalid("OIDC-pkce-method", "The code_challenge_method must be S256; plain does not protect the code.")
	errPKCEForm       = fault.Invalid("OIDC-pkce-form", "The code_challenge must be the SHA-256 of the code_verifier in base64url, which has 43 characters.")
	errKeyForm        = fault.Invalid("OIDC-dpop-jkt", "The dpop_jkt must be the SHA-256 thumbprint of a key in base64url, which has 43 characters.")
	errPrompt         = fault.Invalid("OIDC-prompt", "The prompt must be none, or one or more of login, consent, select_account and create.")
	errMaxAge         = fault.Invalid("OIDC-max-age", "The max_age must be a number of seconds, %d at most.", maxMaxAge)
	errLong           = fault.Invalid("OIDC-parameter-size", "Each parameter has %d bytes at most.", maxText)
)

// CheckRequest holds an authorization request against the rules of the protocol and
// of its client, whose redirect URI was checked before.
func (c *Client) CheckRequest(r *oauth.Request, challengeMethod string) error {
	for _, text := range append([]string{r.State, r.Nonce, r.Challenge, r.LoginHint}, append(slices.Clone(r.UILocales), r.ACRValues...)...) {
		if len(text) > maxText {
			return errLong
		}
	}
	switch {
	case !slices.Contains(ResponseTypes, r.ResponseType):
		return errResponseType
	case !c.Answers(r.ResponseType):
		return errTypeNotAllowed
	case r.ResponseMode != ModeQuery && r.ResponseMode != ModeFragment && r.ResponseMode != ModeFormPost:
		return errResponseMode
	case len(r.Scopes) == 0:
		return errNoScope
	case r.MaxAge != nil && (*r.MaxAge < 0 || *r.MaxAge > maxMaxAge):
		return errMaxAge
	}
	for i, p := range r.Prompt {
		if !slices.Contains(Prompts, p) || slices.Contains(r.Prompt[:i], p) || p == promptNone && len(r.Prompt) > 1 {
			return errPrompt
		}
	}
	if !c.May(application.GrantRefresh) || r.ResponseType != TypeCode {
		r.Scopes = Scopes(r.Scopes).without(ScopeOfflineAccess)
	}
	if r.ResponseType == TypeCode {
		return c.checkCode(r, challengeMethod)
	}
	return c.checkFront(r)
}

// checkCode holds a request for a code against the rules for what protects the code.
func (c *Client) checkCode(r *oauth.Request, challengeMethod string) error {
	switch {
	case r.Challenge == "" && (challengeMethod != "" || c.needsPKCE()):
		return errNoPKCE
	case r.Challenge != "" && challengeMethod != "S256":
		return errPKCEMethod
	case r.Challenge != "" && !oauth.IsChallenge(r.Challenge):
		return errPKCEForm
	case r.Key != "" && !oauth.IsChallenge(r.Key): // It has the same form.
		return errKeyForm
	}
	return nil
}

// Answers reports whether the client may have answers of a response type.
func (c *Client) Answers(responseType string) bool {
	has := func(kind int32) bool { return slices.Contains(c.Config.ResponseTypes, kind) }
	switch responseType {
	case TypeCode:
		return has(application.ResponseCode) && c.May(application.GrantCode)
	case TypeIDToken:
		return has(application.ResponseIDToken) && c.May(application.GrantImplicit)
	case TypeIDTokenToken:
		return has(application.ResponseIDTokenToken) && c.May(application.GrantImplicit) && !c.Config.BoundTokens
	}
	return false
}

// checkFront holds a request for tokens that come by way of the browser against the
// rules for them (OpenID Connect Core, section 3.2.2.1). There is no code to protect.
func (c *Client) checkFront(r *oauth.Request) error {
	r.Challenge = ""
	switch {
	case r.ResponseMode == ModeQuery:
		return errFrontMode
	case r.Nonce == "":
		return errNoNonce
	case !Scopes(r.Scopes).Has(ScopeOpenID):
		return errNotOpenID
	case r.Key != "":
		return errFrontKey
	}
	return nil
}

// needsPKCE: who cannot keep a secret has nothing else to show that a code is theirs.
func (c *Client) needsPKCE() bool { return c.Public() || c.Config.ApplicationType != application.Web }

// page is the address of one of the pages on which users of the client log in. Where the
// instance requires its login application, that is it, whatever the client asks for. Else
// the client decides: it can ask for the pages here, for its own, or for those that the
// instance names; where it does not, it has the installation's.
func (c *Client) page(ctx context.Context, store *eventstore.Store, name, issuer, installation string) (*url.URL, error) {
	features, err := policy.InstanceFeatures(ctx, store, c.Instance.ID)
	if err != nil {
		return nil, err
	}
	login, _, _ := policy.FeatureLoginV2.In(features)
	here := issuer + "/ui/login"
	at := cmp.Or(installation, here)
	switch {
	case login.Required:
		at = cmp.Or(login.BaseURI, at)
	case c.Config.Version == application.LoginV1:
		at = here
	case c.Config.Version == application.LoginV2:
		at = cmp.Or(c.Config.BaseURI, login.BaseURI, at)
	}
	base, err := url.Parse(at)
	if err != nil {
		return nil, err
	}
	return base.JoinPath(name), nil
}

// KeepRequest keeps a checked request and gives the address of the login page that
// shall answer it.
func KeepRequest(ctx context.Context, store *eventstore.Store, c *Client, r *oauth.Request, installation string) (loginPage string, err error) {
	page, err := c.page(ctx, store, "login", r.Issuer, installation)
	if err != nil {
		return "", err
	}
	r.ID, r.ClientID = requestPrefix+rand.Text(), c.ID
	page.RawQuery = url.Values{"authRequest": {r.ID}}.Encode()
	err = store.Write(ctx, func(tx *eventstore.Tx) error { return r.Keep(tx, c.Instance.ID) })
	return page.String(), err
}

// AuthRequest gives an authorization request to a login page, which is whoever knows
// its id.
func AuthRequest(ctx context.Context, store *eventstore.Store, id string) (r oauth.Request, err error) {
	err = store.Read(ctx, oauth.RequestByID(authz.From(ctx).Instance, plain(id), store.Now(), &r))
	if err == nil {
		err = r.Known()
	}
	return r, err
}
