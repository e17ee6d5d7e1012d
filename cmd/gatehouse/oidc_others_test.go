//go:build unix

package main

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// testDevice logs in a device that has no browser (RFC 8628): ada decides elsewhere.
func (r *relying) testDevice(t *testing.T) {
	app := r.ask(t, "POST", "/management/v1/projects/"+r.project+"/apps/oidc", `{"name":"Television","appType":"OIDC_APP_TYPE_NATIVE",
		"authMethodType":"OIDC_AUTH_METHOD_TYPE_NONE","grantTypes":["OIDC_GRANT_TYPE_DEVICE_CODE"]}`)
	device := oauth2.Config{ClientID: fmt.Sprint(app["clientId"]), Endpoint: r.provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "profile"}}
	device.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	begun, err := device.DeviceAuth(r.Context)
	if err != nil {
		t.Fatal(err)
	}
	page := *r.node
	page.token = r.login
	shown, _ := page.ask(t, "GET", "/v2/oidc/device_authorization/"+begun.UserCode, "")["deviceAuthorizationRequest"].(map[string]any)
	page.ask(t, "POST", "/v2/oidc/device_authorization/"+fmt.Sprint(shown["id"]), `{"session":{"sessionId":"`+r.session+`","sessionToken":"`+r.seal+`"}}`)
	begun.Interval = 1 // It asks once.
	token, err := device.DeviceAccessToken(r.Context, begun)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if id, err := r.provider.Verifier(&oidc.Config{ClientID: device.ClientID}).Verify(r.Context, raw); err != nil || id.Subject != r.ada || !r.active(t, token.AccessToken) {
		t.Errorf("%+v %v", id, err)
	}
	if _, err := device.DeviceAccessToken(r.Context, begun); err == nil {
		t.Error("a device code is good twice")
	}
}

// testExchange gives a token with less in it to others (RFC 8693), which ends with the
// login that it comes from.
func (r *relying) testExchange(t *testing.T) {
	token := r.tokens(t)
	const access = "urn:ietf:params:oauth:token-type:access_token"
	ask := func(scope string) (int, map[string]any) {
		return r.form(t, r.Endpoint.TokenURL, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange", "subject_token", token.AccessToken,
			"subject_token_type", access, "scope", scope)
	}
	status, said := ask("openid")
	narrow, _ := said["access_token"].(string)
	if status != http.StatusOK || said["issued_token_type"] != access || said["scope"] != "openid" || !r.active(t, narrow) {
		t.Fatalf("%d %v", status, said)
	}
	if status, said := ask("openid phone"); status == http.StatusOK {
		t.Errorf("an exchange gives more: %v", said)
	}
	if status, _ := r.form(t, r.endpoints(t).Revocation, "token", token.RefreshToken); status != http.StatusOK || r.active(t, narrow) {
		t.Error("the token outlives the login that it comes from")
	}
}
