package test

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestOrdinaryClient is a login as programs make it with the usual libraries: what is
// discovered, the code with PKCE, the ID token with its checks, userinfo, refresh.
func TestOrdinaryClient(t *testing.T) {
	t.Parallel()
	s, web := startOAuth(t)
	// The issuer has the port of the external URL, which is not the one of the test.
	ctx := oidc.ClientContext(context.Background(), s.Client)
	provider, err := oidc.NewProvider(ctx, "http://localhost")
	if err != nil {
		t.Fatal(err)
	}
	config := oauth2.Config{
		ClientID: web.id, ClientSecret: web.secret, RedirectURL: web.redirect, Endpoint: provider.Endpoint(), Scopes: []string{"openid", "profile", "email", "offline_access"},
	}
	to := config.AuthCodeURL("the state", oidc.Nonce("the nonce"), oauth2.S256ChallengeOption(verifier))
	res, err := s.Client.Get(to)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	page, err := res.Location()
	if err != nil || page.Scheme+"://"+page.Host+page.Path != "http://localhost/ui/login/login" {
		t.Fatalf("the login page is %v %v", page, err)
	}
	s.Set("request", page.Query().Get("authRequest"))
	s.Run(t,
		testkit.Call{
			Name: "the login page reads the request", As: "client", Do: "GET /v2/oidc/auth_requests/$request",
			Want: `{"authRequest":{"id":"$request","creationDate":"*","clientId":"$web","scope":["openid","profile","email","offline_access"],"redirectUri":"` + redirectURI + `"}}`,
		},
		testkit.Call{
			Name: "and links the session", As: "client", Do: "POST /v2/oidc/auth_requests/$request",
			Body: `{"session":{"sessionId":"$login","sessionToken":"` + s.TokenOf(t, "login") + `"}}`,
			Want: `{"details":{"changeDate":"*","resourceOwner":"$instance"},"callbackUrl":"*"}`, Keep: map[string]string{"callback": "callbackUrl"},
		},
		testkit.Call{Name: "once", As: "client", Do: "GET /v2/oidc/auth_requests/$request", Status: 404, Want: `{"details":[{"id":"OIDC-request"}]}`},
	)
	back := mustParse(t, s.Var("callback"))
	if q := back.Query(); q.Get("state") != "the state" || q.Get("iss") != "http://localhost" || back.Host != "app.example.com" {
		t.Fatalf("the callback is %s", back)
	}
	token, err := config.Exchange(ctx, back.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := provider.Verifier(&oidc.Config{ClientID: web.id, Now: s.Clock.Now}).Verify(ctx, raw)
	if err != nil {
		t.Fatal(err)
	}
	if id.Subject != s.Var("ada") || id.Nonce != "the nonce" || id.VerifyAccessToken(token.AccessToken) != nil {
		t.Errorf("the ID token is %+v", id)
	}
	said := claimsOf(t, raw)
	if said["azp"] != web.id || said["sid"] != s.Var("login") || said["acr"] != "urn:gatehouse:acr:1fa" || !reflect.DeepEqual(said["amr"], []any{"pwd"}) ||
		said["c_hash"] == "" || said["auth_time"] == nil {
		t.Errorf("the claims are %v", said)
	}
	if token.TokenType != "Bearer" || token.RefreshToken == "" {
		t.Errorf("the token is %+v", token)
	}
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil || info.Subject != s.Var("ada") || info.Email != "ada@example.com" || !info.EmailVerified {
		t.Errorf("userinfo: %+v %v", info, err)
	}
	old := token.AccessToken
	token.Expiry = s.Clock.Now().Add(-1)
	fresh, err := config.TokenSource(ctx, token).Token()
	if err != nil || fresh.AccessToken == old || fresh.RefreshToken == token.RefreshToken {
		t.Fatalf("refresh: %+v %v", fresh, err)
	}
	want := []string{
		"oidc_session.added", "oidc_session.access_token.added", "oidc_session.refresh_token.added", "oidc_session.access_token.added", "oidc_session.refresh_token.renewed",
	}
	if got := s.Events(t); !reflect.DeepEqual(got[len(got)-len(want):], want) {
		t.Errorf("events %v", got)
	}
	got := web.introspect(t, fresh.AccessToken)
	for name, value := range map[string]any{
		"active": true, "sub": s.Var("ada"), "client_id": web.id, "iss": "http://localhost", "token_type": "Bearer", "scope": "openid profile email offline_access",
		"username": "ada", "email": "ada@example.com", "given_name": "ada", "family_name": "Example", "locale": "de", "acr": "urn:gatehouse:acr:1fa",
	} {
		if got[name] != value {
			t.Errorf("introspection: %s is %v, want %v", name, got[name], value)
		}
	}
	if aud, _ := json.Marshal(got["aud"]); string(aud) != `["`+web.id+`","`+s.Var("project")+`"]` {
		t.Errorf("introspection: aud is %s", aud)
	}
	if r := web.post(t, "/oauth/v2/revoke", values("token", fresh.RefreshToken)); r.Status != http.StatusOK || len(r.Body) > 0 {
		t.Errorf("revoke: %d %s", r.Status, r.Body)
	}
	if web.active(t, fresh.AccessToken) || web.refresh(t, fresh.RefreshToken).Error != "invalid_grant" {
		t.Error("the family goes on after the revocation")
	}
}
