package oidc

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

// maxAge is for how long clients may keep what does not change from one day to the
// next. A new key is published long before it signs.
const maxAge = "public, max-age=300"

// metadata is what clients find out about an instance (OpenID Connect Discovery and
// RFC 8414). It lists what is built, and nothing else.
type metadata struct {
	Issuer                  string   `json:"issuer"`
	Authorization           string   `json:"authorization_endpoint"`
	Push                    string   `json:"pushed_authorization_request_endpoint"`
	Token                   string   `json:"token_endpoint"`
	Introspection           string   `json:"introspection_endpoint"`
	Userinfo                string   `json:"userinfo_endpoint"`
	Revocation              string   `json:"revocation_endpoint"`
	EndSession              string   `json:"end_session_endpoint"`
	Device                  string   `json:"device_authorization_endpoint"`
	Keys                    string   `json:"jwks_uri"`
	Scopes                  []string `json:"scopes_supported"`
	ResponseTypes           []string `json:"response_types_supported"`
	ResponseModes           []string `json:"response_modes_supported"`
	GrantTypes              []string `json:"grant_types_supported"`
	ACRValues               []string `json:"acr_values_supported"`
	SubjectTypes            []string `json:"subject_types_supported"`
	IDTokenAlgorithms       []string `json:"id_token_signing_alg_values_supported"`
	TokenMethods            []string `json:"token_endpoint_auth_methods_supported"`
	TokenAlgorithms         []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	RevocationMethods       []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAlgorithms    []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	IntrospectionMethods    []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAlgorithms []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	Claims                  []string `json:"claims_supported"`
	PKCE                    []string `json:"code_challenge_methods_supported"`
	Prompts                 []string `json:"prompt_values_supported"`
	Locales                 []string `json:"ui_locales_supported"`
	ClaimsParameter         bool     `json:"claims_parameter_supported"`
	ObjectAlgorithms        []string `json:"request_object_signing_alg_values_supported"`
	RequestParameter        bool     `json:"request_parameter_supported"`
	RequestURIParameter     bool     `json:"request_uri_parameter_supported"`
	ProofAlgorithms         []string `json:"dpop_signing_alg_values_supported"`
	Iss                     bool     `json:"authorization_response_iss_parameter_supported"`
	Logout                  bool     `json:"backchannel_logout_supported"`
	LogoutSession           bool     `json:"backchannel_logout_session_supported"`
}

// at stands for the issuer in the document that is made once.
const at = "https://issuer.invalid"

var document = func() []byte {
	proofs, signed := []string{"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}, flow.AssertionAlgorithms()
	var own []string
	for _, a := range signingAlgorithms {
		own = append(own, string(a))
	}
	data, err := json.Marshal(metadata{
		Issuer: at, Authorization: at + pathAuthorize, Push: at + pathPush, Token: at + pathToken, Introspection: at + pathIntrospect, Userinfo: at + pathUserinfo,
		Revocation: at + pathRevoke, EndSession: at + pathEndSession, Device: at + pathDevice, Keys: at + pathKeys,
		Scopes:        []string{flow.ScopeOpenID, flow.ScopeProfile, flow.ScopeEmail, flow.ScopePhone, flow.ScopeAddress, flow.ScopeOfflineAccess},
		ResponseTypes: flow.ResponseTypes, ResponseModes: []string{flow.ModeQuery, flow.ModeFragment, flow.ModeFormPost},
		GrantTypes: append(slices.Clone(grantNames), "implicit"), ACRValues: flow.ACRValues, SubjectTypes: []string{"public"}, IDTokenAlgorithms: own,
		TokenMethods: proofs, TokenAlgorithms: signed, RevocationMethods: proofs, RevocationAlgorithms: signed,
		IntrospectionMethods: slices.DeleteFunc(slices.Clone(proofs), func(m string) bool { return m == "none" }), IntrospectionAlgorithms: signed,
		Claims: []string{
			"sub", claimAudience, claimExpiry, "iat", "iss", "auth_time", "nonce", "acr", "amr", "c_hash", "at_hash", "sid", claimClient, "azp", "preferred_username",
			"name", "family_name", "given_name", "nickname", "gender", "locale", "updated_at", "email", "email_verified", "phone_number", "phone_number_verified",
		},
		PKCE: []string{"S256"}, Prompts: flow.Prompts, Locales: api.SupportedLanguages(), ProofAlgorithms: crypto.ProofAlgorithmNames(),
		ObjectAlgorithms: signed, RequestParameter: true, Iss: true, Logout: true, LogoutSession: true,
	})
	if err != nil { // Texts always have a JSON form.
		panic(err)
	}
	return data
}()

// What stands between the issuers of the document, and a digest of all of it: each
// instance has the same.
var (
	between = bytes.Split(document, []byte(at))
	digest  = sha256.Sum256(document)
)

// discover gives the metadata of the instance at the host.
func (s *Server) discover(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	call := api.CallOf(ctx)
	if _, err := s.hosts.read(ctx, call.Host, s.store.Now(), func(ctx context.Context) (struct{}, error) {
		return struct{}{}, flow.Exists(ctx, s.store, call.Host)
	}); err != nil {
		refuse(ctx, w, err)
		return
	}
	issuer, err := json.Marshal(s.issuer(call))
	if err != nil { // A text always has a JSON form.
		panic(err)
	}
	sum := sha256.Sum256(append(digest[:], issuer...))
	serve(w, r, bytes.Join(between, bytes.Trim(issuer, `"`)), `"`+base64.RawURLEncoding.EncodeToString(sum[:16])+`"`)
}

// keys gives the public keys of the instance.
func (s *Server) keys(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	host := api.CallOf(ctx).Host
	keys, err := s.published.read(ctx, host, s.store.Now(), func(ctx context.Context) (webkey.Published, error) {
		return flow.PublishedKeys(ctx, s.store, host)
	})
	if err != nil {
		refuse(ctx, w, err)
		return
	}
	set, etag := keys.JSON()
	serve(w, r, set, etag)
}

// serve gives a document that clients may keep for a while, unless they have it.
func serve(w http.ResponseWriter, r *http.Request, document []byte, etag string) {
	h := w.Header()
	h.Del("Pragma")
	h.Set("Cache-Control", maxAge)
	h.Set("ETag", etag)
	for known := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if known = strings.TrimPrefix(strings.TrimSpace(known), "W/"); known == etag || known == "*" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(document)))
	_, _ = w.Write(document)
}

var (
	errOtherClient  = fault.Invalid("OIDC-logout-client", "The client_id is not that of the id_token_hint.")
	errLogoutClient = fault.Invalid("OIDC-logout-redirect", "To go back to an application, send its id_token_hint.")
)

// endSession ends the session that an ID token names, and sends the browser where its
// application registered that it may go. Who sends no token is only told so: any page
// can lead a browser here.
func (s *Server) endSession(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	form, err := readPage(w, r)
	if err == nil {
		err = once(form)
	}
	if err != nil {
		showError(ctx, w, r, err)
		return
	}
	back, err := s.logout(ctx, form.Get("id_token_hint"), form.Get("client_id"), form.Get("post_logout_redirect_uri"))
	switch {
	case err != nil:
		showError(ctx, w, r, err)
	case form.Get("id_token_hint") == "": // Any page can lead here: the user says what is to end.
		redirect(w, r, pathLogout)
	case back == "":
		show(w, http.StatusOK, "text", page{Title: "You are logged out", Text: "You can close this window."}, "; form-action 'none'")
	default:
		redirect(w, r, flow.AnswerURL(flow.Left(back, form.Get("state"))))
	}
}

// logout ends the session of a hint, and gives the address to go back to.
func (s *Server) logout(ctx context.Context, token, clientID, back string) (string, error) {
	if token == "" {
		if back != "" {
			return "", errLogoutClient
		}
		return "", nil
	}
	call := api.CallOf(ctx)
	var keys webkey.Published
	if err := flow.Exists(ctx, s.store, call.Host, publishedAt(&keys, call.Host)); err != nil {
		return "", err
	}
	h, err := readHint(token, s.issuer(call), &keys)
	if err != nil {
		return "", err
	}
	if clientID != "" && clientID != h.Client {
		return "", errOtherClient
	}
	c, err := flow.FindClient(ctx, s.store, call.Host, h.Client, "")
	if err != nil {
		return "", err
	}
	if back != "" {
		if err := c.PostLogout(back); err != nil {
			return "", err
		}
	}
	return back, flow.Logout(ctx, s.store, c.Instance.ID, h.SessionID, h.Subject)
}
