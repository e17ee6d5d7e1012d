package oidc

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/job"
	"github.com/gatehouse/gatehouse/internal/logout"
	"github.com/gatehouse/gatehouse/internal/outbound"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

const (
	// typeLogout is of OpenID Connect Back-Channel Logout 1.0, section 2.4.
	typeLogout = "logout+jwt"
	// eventLogout is what a logout token says that happened.
	eventLogout = "http://schemas.openid.net/event/backchannel-logout"
	// logoutLifetime is for how long a logout token counts.
	logoutLifetime = 2 * time.Minute
	// tellTimeout bounds one attempt to tell an application.
	tellTimeout = 5 * time.Second
	// giveUpAfter is for how long an application is told that does not answer.
	giveUpAfter = 24 * time.Hour
	// maxTold bounds what is read of the answer, which is for nobody.
	maxTold = 1 << 10
)

// Why an application is not told.
const (
	reasonNoAddress = "no_address" // it registers none any more, or is gone
	reasonNoAnswer  = "no_answer"
)

// Work is the work of the jobs that tell applications that a session ended; out is the
// way to them.
func (s *Server) Work(out *outbound.Client) map[string]job.Work {
	return map[string]job.Work{logout.Job: func(ctx context.Context, j job.Job) (time.Time, error) { return time.Time{}, s.tell(ctx, out, j) }}
}

// tell tells one application that a session ended. What fails is tried again later and
// later, and given up after a day.
func (s *Server) tell(ctx context.Context, out *outbound.Client, j job.Job) error {
	var n logout.Notice
	if err := j.Into(&n); err != nil {
		return err
	}
	var key webkey.Signing
	to, found, err := flow.FindLogout(ctx, s.store, j.Instance, n, webkey.SigningIn(&key, "k.instance_id = ?", j.Instance))
	reason := ""
	switch {
	case err != nil || !found:
		return err
	case to.URI == "":
		reason = reasonNoAddress
	case s.store.Now().Sub(n.At) >= giveUpAfter:
		reason = reasonNoAnswer
		slog.WarnContext(ctx, "an application was not told of a logout", "instance", j.Instance, "client", n.ClientID, "attempts", j.Attempts)
	default:
		err = s.post(ctx, out, j.Instance, n.SessionID, to, key)
	}
	if err != nil {
		return err
	}
	ctx = eventstore.WithOrigin(authz.AsSystem(ctx, j.Instance), eventstore.Origin{})
	return s.store.Write(ctx, func(tx *eventstore.Tx) error { return logout.Told(tx, j.Instance, n.SessionID, n.ClientID, reason) })
}

// post sends a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.5).
func (s *Server) post(ctx context.Context, out *outbound.Client, instance, sessionID string, to flow.LogoutOf, key webkey.Signing) error {
	now := s.store.Now()
	token, err := s.signer.Sign(ctx, instance, key, typeLogout, claims{
		"iss": to.Issuer, "sub": to.UserID, claimAudience: []string{to.ClientID}, "iat": now.Unix(), claimExpiry: now.Add(logoutLifetime).Unix(),
		"jti": rand.Text(), "events": claims{eventLogout: claims{}}, "sid": sessionID,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, tellTimeout)
	defer cancel()
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	_, err = out.Post(ctx, to.URI, header, []byte(url.Values{"logout_token": {token}}.Encode()), maxTold)
	return err
}
