package oidc

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/flow"
)

// deviceCodes is the answer of RFC 8628, section 3.2.
type deviceCodes struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	URI        string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int64  `json:"expires_in"` // seconds
	Interval   int64  `json:"interval"`   // seconds
}

// startDevice gives codes to a device without a browser: one to show to its user, and one
// to ask for tokens with (RFC 8628, section 3.1).
func (s *Server) startDevice(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	if err != nil {
		refuse(ctx, w, err)
		return
	}
	form.Set("grant_type", grantDevice) // The client proves itself as for the tokens that it will ask for.
	call := api.CallOf(ctx)
	q := &tokenRequest{Server: s, r: r, host: call.Host, issuer: s.issuer(call), form: form}
	c, err := q.client(ctx, application.GrantDevice)
	var codes flow.DeviceCodes
	if err == nil {
		codes, err = flow.StartDevice(ctx, s.store, c, q.issuer, form.Get("scope"), s.loginPage)
	}
	if err != nil {
		refuse(ctx, w, err)
		return
	}
	readable(w, r, q.app.AllowsOrigin)
	reply(w, http.StatusOK, deviceCodes{
		DeviceCode: codes.Device, UserCode: codes.User, URI: codes.URI, Complete: codes.Complete,
		ExpiresIn: int64(codes.Lifetime / time.Second), Interval: int64(codes.Pause / time.Second),
	})
}

// device gives tokens to a device whose user has logged in: from then on its code is like
// one of the authorization endpoint.
func (q *tokenRequest) device(ctx context.Context) (*granted, error) {
	values, err := q.required("device_code")
	if err != nil {
		return nil, err
	}
	c, err := q.client(ctx, application.GrantDevice)
	if err != nil {
		return nil, err
	}
	if err := flow.AskDevice(ctx, q.store, c, values[0]); err != nil {
		return nil, err
	}
	return q.redeem(ctx, c, flow.CodeUse{Code: values[0], Key: q.proof.Thumbprint, Issuer: q.issuer}, "")
}
