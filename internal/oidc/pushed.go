package oidc

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
)

// pushed is the answer of RFC 9126, section 2.2.
type pushed struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int64  `json:"expires_in"` // seconds
}

var (
	errPushedURI = fault.Invalid("", "A request that is pushed has no request_uri.")
	errTwoKeys   = fault.Invalid("OIDC-dpop-jkt-proof", "The dpop_jkt is not the thumbprint of the key of the DPoP proof.")
)

// push takes the request of a client from the client itself, and gives a name for it
// with which the browser comes (RFC 9126).
func (s *Server) push(ctx context.Context, w http.ResponseWriter, r *http.Request) {
	form, err := readForm(w, r)
	var answer pushed
	var c *flow.Client
	if err == nil {
		c, answer, err = s.pushed(ctx, r, form)
	}
	if err != nil {
		refuseGrant(ctx, w, err)
		return
	}
	readable(w, r, c.Config.AllowsOrigin)
	reply(w, http.StatusCreated, answer)
}

func (s *Server) pushed(ctx context.Context, r *http.Request, form url.Values) (c *flow.Client, out pushed, err error) {
	call := api.CallOf(ctx)
	proof, err := s.keyProof(call)
	if err != nil {
		return nil, out, err
	}
	p, err := s.proofOf(r, s.issuer(call), form)
	if err != nil {
		return nil, out, err
	}
	if c, err = flow.ProveClient(ctx, s.store, call.Host, p); err != nil {
		return nil, out, err
	}
	if form.Has("request_uri") {
		return nil, out, errPushedURI
	}
	form.Set("client_id", c.ID)
	a, err := s.asked(ctx, form)
	if err == nil {
		err = a.bind(proof.Thumbprint)
	}
	if err == nil {
		err = a.check(requestOf(a.form, a.issuer))
	}
	if err == nil {
		err = flow.TakeProof(ctx, s.store, c.Instance.ID, proof)
	}
	if err != nil {
		return nil, out, err
	}
	uri, lifetime, err := flow.Push(ctx, s.store, c, a.form)
	return c, pushed{RequestURI: uri, ExpiresIn: int64(lifetime / time.Second)}, err
}

// bind lets a proof of a key that comes with the request do what dpop_jkt does (RFC
// 9449, section 10.1); empty: there is none.
func (a *asking) bind(key string) error {
	switch {
	case key == "":
		return nil
	case a.form.Has("dpop_jkt") && a.form.Get("dpop_jkt") != key:
		return errTwoKeys
	}
	a.form.Set("dpop_jkt", key)
	return nil
}
