// Package oauth is what clients ask for and are given in OAuth 2.0 and OpenID
// Connect: requests that wait for a login and codes, which nobody audits, and the
// aggregate "oidc_session", a family of tokens that one login gave to one client.
//
// What a token rests on besides, be it a user, a client, or the checks of a session,
// is not kept here but looked at by flow, at every use anew.
//
// It may import policy and what is under it, and no other aggregate.
package oauth

import (
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/eventstore"
)

func init() {
	eventstore.DeclareTable("oidc_sessions", "instance_id, family_id",
		"client_id, user_id, user_org, user_since, session_id, scopes, audience, auth_methods, auth_time, acr, nonce, language, code_hash, "+
			"refresh_family, refresh_hash, refresh_id, refresh_idle, refresh_expires, refresh_key, exchange, created, changed, sequence")
	eventstore.DeclareTable("oidc_access_tokens", "instance_id, token_hash", "token_id, family_id, scopes, api, expires, key_thumbprint, created, sequence")
}

// ErrorCode is how OAuth names a failure. It is the detail of a fault where the
// fault's kind alone does not say enough.
type ErrorCode string

// The codes of RFC 6749, of OpenID Connect Core, section 3.1.2.6, and of others.
const (
	InvalidRequest          ErrorCode = "invalid_request"
	InvalidClient           ErrorCode = "invalid_client"
	InvalidGrant            ErrorCode = "invalid_grant"
	InvalidScope            ErrorCode = "invalid_scope"
	UnauthorizedClient      ErrorCode = "unauthorized_client"
	UnsupportedGrantType    ErrorCode = "unsupported_grant_type"
	UnsupportedResponseType ErrorCode = "unsupported_response_type"
	AccessDenied            ErrorCode = "access_denied"
	LoginRequired           ErrorCode = "login_required"
	InvalidRequestObject    ErrorCode = "invalid_request_object"
	InvalidRequestURI       ErrorCode = "invalid_request_uri"
	InvalidToken            ErrorCode = "invalid_token"      // RFC 6750, section 3.1
	InvalidProof            ErrorCode = "invalid_dpop_proof" // RFC 9449, section 5
)

// Grant is what a client may have in somebody's name: what a code stands for, and
// the tokens that it gives.
type Grant struct {
	ClientID  string    `json:"clientID"`
	UserID    string    `json:"userID"`
	UserOrg   string    `json:"userResourceOwner"`
	UserSince time.Time `json:"userSince"` // when the user was made
	SessionID string    `json:"sessionID,omitempty"`
	Scopes    []string  `json:"scope"`
	Audience  []string  `json:"audience"`
	// Methods are the ways in which the user proved who they are, as ID tokens name
	// them, AuthTime is when, and ACR what it is worth.
	Methods  []string  `json:"authMethods"`
	AuthTime time.Time `json:"authTime"`
	ACR      string    `json:"acr,omitempty"`
	Nonce    string    `json:"nonce,omitempty"`
	Language string    `json:"preferredLanguage,omitempty"`
}

// list and words are lists as tables keep them.
func list(words []string) string { return strings.Join(words, " ") }

func words(list string) []string { return strings.Fields(list) }

func aggregate(instance, id, owner string) eventstore.Aggregate {
	return eventstore.Aggregate{Instance: instance, Type: "oidc_session", ID: id, Owner: owner}
}
