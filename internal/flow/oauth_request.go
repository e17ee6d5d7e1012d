package flow

import (
	"cmp"
	"context"
	"crypto/rand"
	"net/url"
	"slices"

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

// TypeCode is the response type of the authorization code flow.
const TypeCode = "code"

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
	errResponseType   = fault.Invalid("OIDC-response-type", "The response_type must be code.").With(oauth.UnsupportedResponseType)
	errCodeNotAllowed = fault.Invalid("OIDC-response-type-client", "The application may not use the response_type code and the grant authorization_code.").With(oauth.UnauthorizedClient)
	errResponseMode   = fault.Invalid("OIDC-response-mode", "The response_mode must be query, fragment or form_post.")
	errNoScope        = fault.Invalid("OIDC-no-scope", "Ask for at least one scope, such as openid.").With(oauth.InvalidScope)
	errNoPKCE         = fault.Invalid("OIDC-pkce", "This application must send a code_challenge with the code_challenge_method S256.")
	errPKCEMethod     = fault.Invalid("OIDC-pkce-method", "The code_challenge_method must be S256; plain does not protect the code.")
	errPKCEForm       = fault.Invalid("OIDC-pkce-form", "The code_challenge must be the SHA-256 of the code_verifier in base64url, which has 43 characters.")
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
	case r.ResponseType != TypeCode:
		return errResponseType
	case !slices.Contains(c.Config.ResponseTypes, application.ResponseCode) || !c.May(application.GrantCode):
		return errCodeNotAllowed
	case r.ResponseMode != ModeQuery && r.ResponseMode != ModeFragment && r.ResponseMode != ModeFormPost:
		return errResponseMode
	case len(r.Scopes) == 0:
		return errNoScope
	case r.Challenge == "" && (challengeMethod != "" || c.needsPKCE()):
		return errNoPKCE
	case r.Challenge != "" && challengeMethod != "S256":
		return errPKCEMethod
	case r.Challenge != "" && !oauth.IsChallenge(r.Challenge):
		return errPKCEForm
	case r.MaxAge != nil && (*r.MaxAge < 0 || *r.MaxAge > maxMaxAge):
		return errMaxAge
	}
	for i, p := range r.Prompt {
		if !slices.Contains(Prompts, p) || slices.Contains(r.Prompt[:i], p) || p == promptNone && len(r.Prompt) > 1 {
			return errPrompt
		}
	}
	if !c.May(application.GrantRefresh) {
		r.Scopes = Scopes(r.Scopes).without(ScopeOfflineAccess)
	}
	return nil
}

// needsPKCE: who cannot keep a secret has nothing else to show that a code is theirs.
func (c *Client) needsPKCE() bool { return c.Public() || c.Config.ApplicationType != application.Web }

// page is the address of one of the pages on which users of the client log in: the
// application's own, else the instance's, else the installation's, else that of the
// issuer.
func (c *Client) page(ctx context.Context, store *eventstore.Store, name, issuer, installation string) (*url.URL, error) {
	features, err := policy.InstanceFeatures(ctx, store, c.Instance.ID)
	if err != nil {
		return nil, err
	}
	login, _, _ := policy.FeatureLoginV2.In(features)
	base, err := url.Parse(cmp.Or(c.Config.BaseURI, login.BaseURI, installation, issuer+"/ui/login"))
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
