package flow

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/assurance"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/session"
	"github.com/gatehouse/gatehouse/internal/user"
)

// What a login is worth, as ID tokens say it in acr and clients ask for it in
// acr_values. A login that is worth more satisfies who asks for less.
const (
	ACROneFactor  = "urn:gatehouse:acr:1fa"
	ACRTwoFactors = "urn:gatehouse:acr:2fa"
	// ACRPhishingResistant is registered for logins with a passkey or security key
	// that is bound to the site.
	ACRPhishingResistant = "phr"
)

// ACRValues are those that a login can have, from the least to the most.
var ACRValues = []string{ACROneFactor, ACRTwoFactors, ACRPhishingResistant}

// acrOf says what the checks that count are worth.
func acrOf(v assurance.Verdict) string {
	switch {
	case v.Factors == 2 && (v.Counted.Has(assurance.Passkey) || v.Counted.Has(assurance.U2F)):
		return ACRPhishingResistant
	case v.Factors == 2:
		return ACRTwoFactors
	}
	return ACROneFactor
}

// otp is how ID tokens name codes that work once.
const otp = "otp"

// amr is how ID tokens name methods (RFC 8176).
var amr = map[assurance.Method]string{
	assurance.Password: "pwd", assurance.Passkey: "user", assurance.U2F: "user",
	assurance.TOTP: otp, assurance.OTPEmail: otp, assurance.OTPSMS: otp, assurance.RecoveryCode: otp,
}

func amrOf(v assurance.Verdict) (out []string) {
	for _, m := range v.Counted.Methods() {
		if name, ok := amr[m]; ok && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	if v.Factors == 2 {
		out = append(out, "mfa")
	}
	return out
}

// loginTime is when the user proved themselves with the newest first factor that
// counts: a second factor alone does not make a login newer.
func loginTime(s *session.Session, v assurance.Verdict) (at time.Time) {
	for _, c := range checksOf(s) {
		first := c.Method == assurance.Password || c.Method == assurance.External || c.Method == assurance.Passkey
		if first && v.Counted.Has(c.Method) && c.At.After(at) {
			at = c.At
		}
	}
	return at
}

var (
	errLink     = fault.Denied("OIDC-link", "Linking a session takes the permission session.link, or the session's own token as the caller's.")
	errOwnToken = fault.NotFound("OIDC-session-token", "There is no such session, or the token is not its newest.")
	errNewLogin = fault.Precondition("OIDC-prompt-login", "The client demands a new login: check a first factor, such as the password, again.").With(oauth.LoginRequired)
	errTooOld   = fault.Precondition("OIDC-login-age", "The login is older than the client allows: check a first factor, such as the password, again.").With(oauth.LoginRequired)
	errHint     = fault.Precondition("OIDC-hint", "The client asked for another user by its ID token.").With(oauth.LoginRequired)
)

// WantsNewLogin reports whether err says that the client takes no login but a newer
// one, or one of somebody else.
func WantsNewLogin(err error) bool {
	return errors.Is(err, errNewLogin) || errors.Is(err, errTooOld) || errors.Is(err, errHint)
}

// Linked is where the browser goes after a login.
type Linked struct {
	Request oauth.Request
	Code    string
}

// LinkSession answers an authorization request with a session: the user gets a code
// for the client, if what was checked is what the login policy and the client
// demand. Else the request stays, and the refusal says what is missing.
func LinkSession(ctx context.Context, store *eventstore.Store, requestID, sessionID, token string) (Linked, error) {
	requestID = plain(requestID)
	r, err := AuthRequest(ctx, store, requestID)
	if err != nil {
		return Linked{}, err
	}
	grant, err := grantOf(ctx, store, &r, sessionID, token)
	if err != nil {
		return Linked{}, err
	}
	code, hash := user.NewCode()
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		instance := authz.From(ctx).Instance
		if _, err := oauth.TakeRequest(tx, instance, requestID); err != nil {
			return err
		}
		return oauth.KeepCode(tx, instance, hash, oauth.Code{Grant: grant, FamilyID: tx.NewID(), RedirectURI: r.RedirectURI, Challenge: r.Challenge, Key: r.Key})
	})
	return Linked{Request: r, Code: code}, err
}

// grantOf is what a client that asks for a login gets with a session, which is in the
// caller's hands, if what was checked in it is what the login policy and the client
// demand.
func grantOf(ctx context.Context, store *eventstore.Store, r *oauth.Request, sessionID, token string) (g oauth.Grant, err error) {
	caller := authz.From(ctx)
	var st Standing
	src := source{
		sql: `SELECT s.instance_id, CAST(? AS TEXT) AS client_id, s.user_id, s.user_org, s.user_since, s.session_id, '' AS scopes
			FROM sessions s WHERE s.instance_id = ? AND s.session_id = ?`,
		args: []any{r.ClientID, caller.Instance, plain(sessionID)},
	}
	var audience []string
	if err := store.Read(ctx, append(st.queries(src), audienceQuery(caller.Instance, r.ClientID, r.Scopes, &audience))...); err != nil {
		return g, err
	}
	s := &st.Session
	switch {
	case !caller.Can("session.link", s.UserOrg) && (s.ID == "" || caller.SessionID != s.ID):
		return g, errLink
	case s.ID == "" || !crypto.SameCode(s.TokenHash, user.HashToken(token)):
		return g, errOwnToken
	}
	now := store.Now()
	if err := st.satisfies(r, now); err != nil {
		return g, err
	}
	return oauth.Grant{
		ClientID: r.ClientID, UserID: s.UserID, UserOrg: s.UserOrg, UserSince: s.UserSince, SessionID: s.ID, Scopes: r.Scopes, Audience: audience,
		Methods: amrOf(st.Verdict), AuthTime: loginTime(s, st.Verdict), ACR: st.acr(r), Nonce: r.Nonce, Language: st.Person.Human.PreferredLanguage,
	}, st.noteWeakened(ctx, store)
}

// satisfies holds a session against the login policy and against what the client
// demands of this login.
func (st *Standing) satisfies(r *oauth.Request, now time.Time) error {
	if err := st.stands(now, now); err != nil {
		return err
	}
	if err := Scopes(r.Scopes).admit(st.Session.UserOrg, st.Org.PrimaryDomain); err != nil {
		return err
	}
	at := loginTime(&st.Session, st.Verdict)
	switch {
	case r.HintUserID != "" && r.HintUserID != st.Session.UserID:
		return errHint
	case slices.Contains(r.Prompt, promptLogin) && at.Before(r.Created):
		return errNewLogin
	case r.MaxAge != nil && now.Sub(at) > time.Duration(*r.MaxAge)*time.Second && at.Before(r.Created):
		return errTooOld
	}
	known, reached := st.asked(r)
	if len(known) > 0 && len(reached) == 0 {
		return fault.Precondition("OIDC-acr", "The client demands the authentication context %s: check what it takes first.", known[0]).With(oauth.LoginRequired)
	}
	return nil
}

// asked gives those of the client's acr_values that exist here, and those of them
// that the login reaches.
func (st *Standing) asked(r *oauth.Request) (known, reached []string) {
	has := slices.Index(ACRValues, acrOf(st.Verdict))
	for _, value := range r.ACRValues {
		if i := slices.Index(ACRValues, value); i >= 0 {
			known = append(known, value)
			if i <= has {
				reached = append(reached, value)
			}
		}
	}
	return known, reached
}

// acr is what the ID token says: of those that the client asked for the first that
// the login reaches, and else what it is worth.
func (st *Standing) acr(r *oauth.Request) string {
	if _, reached := st.asked(r); len(reached) > 0 {
		return reached[0]
	}
	return acrOf(st.Verdict)
}

// audienceQuery asks for whom the tokens of a request are: the projects that it
// names and that of its client, and their applications.
func audienceQuery(instance, clientID string, scopes Scopes, audience *[]string) database.Query {
	of, args := "p.project_id = (SELECT own.project_id FROM applications own WHERE own.instance_id = ? AND own.client_id = ? AND own.client_id <> '')", []any{instance, clientID}
	for _, id := range scopes.projects() {
		of, args = of+" OR p.project_id = ?", append(args, plain(id))
	}
	q := database.From("p.project_id, COALESCE(a.client_id, '')", "projects p LEFT JOIN applications a ON a.instance_id = p.instance_id AND a.project_id = p.project_id").
		Where("p.instance_id = ?", instance).Where("("+of+")", args...)
	return q.Order("p.project_id, a.app_id").Rows(func(scan database.Scan) error {
		var projectID, client string
		err := scan(&projectID, &client)
		for _, id := range []string{client, projectID} {
			if id != "" && !slices.Contains(*audience, id) {
				*audience = append(*audience, id)
			}
		}
		return err
	})
}

// RefuseRequest answers an authorization request with an error instead of a session.
func RefuseRequest(ctx context.Context, store *eventstore.Store, requestID string) (r oauth.Request, err error) {
	if err := mayRefuse(ctx); err != nil {
		return r, err
	}
	err = store.Write(ctx, func(tx *eventstore.Tx) (err error) {
		r, err = oauth.TakeRequest(tx, authz.From(ctx).Instance, plain(requestID))
		return err
	})
	return r, err
}

// mayRefuse refuses who is neither a login page nor logged in.
func mayRefuse(ctx context.Context) error {
	if caller := authz.From(ctx); !caller.Can("session.link", "") && caller.SessionID == "" {
		return errLink
	}
	return nil
}
