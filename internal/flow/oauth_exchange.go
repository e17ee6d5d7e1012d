package flow

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

// The types of what is shown for an exchange (RFC 8693, section 3), and an id of a user,
// whom only an actor can stand for.
const (
	ShownAccess = "urn:ietf:params:oauth:token-type:access_token"
	ShownID     = "urn:ietf:params:oauth:token-type:id_token"
	ShownJWT    = "urn:ietf:params:oauth:token-type:jwt"
	ShownUser   = "urn:zitadel:params:oauth:token-type:user_id"
)

// Shown is a token that is shown for an exchange; without a token nothing is.
type Shown struct {
	Type, Token string
	ID          IDToken // what the token says, where it is an ID token
}

// IDToken is what an ID token says that is known to be one of the issuer's.
type IDToken struct {
	Client, UserID, SessionID string
	Expires                   time.Time
	Acted                     bool // it says that somebody acts for the user
}

// ExchangeRequest is what a client asks for (RFC 8693, section 2.1).
type ExchangeRequest struct {
	Host, Issuer   string
	Subject, Actor Shown
	Scope          string
	Audience       []string // none: that of the subject's token
	Roles          *authz.Roles
}

// Exchanged is what a client may have for other tokens.
type Exchanged struct {
	Given
	exchange oauth.Exchange
	// Expires is when the first of the tokens ends that were shown.
	Expires time.Time
	// actor is who acts for somebody else; empty: nobody does.
	actor string
}

// The refusals of an exchange; RFC 8693, section 2.2.2, has the codes.
var (
	errSubject = fault.Invalid("OIDC-exchange-subject", "The subject_token is of no use here: it is unknown, was revoked, has expired, is not for this application, or what it rests on does not stand any more.")
	errActor   = fault.Invalid("OIDC-exchange-actor", "The actor_token is of no use here: it is unknown, was revoked, has expired, is not for this application, or what it rests on does not stand any more.")
	errNoActor = fault.Invalid("OIDC-exchange-no-actor", "To act for a user whose id you send, send an actor_token.")
	errShown   = fault.Invalid("OIDC-exchange-type", "A token can be of the type %s, %s or %s; a subject can also be a user's id, %s.", ShownAccess, ShownID, ShownJWT, ShownUser)
	errTarget  = fault.Invalid("OIDC-exchange-audience", "A token can be for fewer than the subject_token is for, and not for others.").With(oauth.ErrorCode("invalid_target"))
	errChain   = fault.Invalid("OIDC-exchange-chain", "The tokens were exchanged too often: %d is the most that one can rest on.", maxBases)
	errNoRight = fault.Denied("OIDC-impersonation", "To act for somebody, the actor needs a role that holds impersonation in that one's organization "+
		"(admin.impersonation, for somebody who has roles), and the security settings have to allow it.")
)

// maxBases bounds the tokens that one can rest on.
const maxBases = 8

// party is somebody in an exchange, and what the token that stands for them says.
type party struct {
	oauth.Grant
	loggedIn, expires time.Time // expires zero: never
	bases             []oauth.Basis
	actor             *oauth.Actor
}

// Exchange says what a client may have for a subject's token, and for that of an actor
// who acts for the subject, if there is one. It is never more than the subject's token
// gives: fewer scopes, fewer audiences, and for as long at most. also are queries that
// travel along.
func (c *Client) Exchange(ctx context.Context, store *eventstore.Store, r ExchangeRequest, also ...database.Query) (*Exchanged, error) {
	var actor *party
	if r.Actor.Token != "" {
		var err error
		if actor, err = r.party(ctx, store, c, r.Actor); err != nil {
			return nil, shownOr(err, errActor)
		}
	}
	subject, err := r.subject(ctx, store, c, actor)
	if err != nil {
		return nil, shownOr(err, errSubject)
	}
	x := &Exchanged{}
	rights := &rights{}
	queries := append(append(x.queries(subject.source(c)), also...), rights.queries(c.Instance.ID, subject.UserID, actor)...)
	if err := store.Read(ctx, queries...); err != nil {
		return nil, err
	}
	if err := x.stands(store.Now(), subject.loggedIn); err != nil {
		return nil, errSubject.Because(err)
	}
	if err := x.rest(r, subject, actor, rights); err != nil {
		return nil, err
	}
	return x, x.narrow(c, r, subject)
}

// shownOr gives the refusal of what was shown, and other errors as they are.
func shownOr(err error, refusal *fault.Error) error {
	if k := fault.KindOf(err); k == fault.KindFailedPrecondition || k == fault.KindUnauthenticated {
		return refusal.Because(err)
	}
	return err
}

// subject is for whom the tokens are.
func (r *ExchangeRequest) subject(ctx context.Context, store *eventstore.Store, c *Client, actor *party) (*party, error) {
	if r.Subject.Type != ShownUser {
		return r.party(ctx, store, c, r.Subject)
	}
	if actor == nil {
		return nil, errNoActor
	}
	g := oauth.Grant{UserID: plain(r.Subject.Token), Scopes: actor.Scopes, Audience: actor.Audience, Methods: []string{}}
	return &party{Grant: g, loggedIn: store.Now()}, nil
}

// party is who a token stands for, if it stands and is for the client.
func (r *ExchangeRequest) party(ctx context.Context, store *eventstore.Store, c *Client, t Shown) (*party, error) {
	switch {
	case t.Type == ShownID:
		return c.loggedIn(ctx, store, t.ID)
	case t.Type == ShownJWT && kindOf(t.Token) == noToken:
		return r.machine(ctx, store, t.Token)
	case t.Type != ShownAccess && t.Type != ShownJWT:
		return nil, errShown
	}
	b, err := FindBearer(ctx, store, r.Host, t.Token)
	if err == nil && !b.For(c) {
		err = ErrInactive
	}
	if err != nil {
		return nil, err
	}
	return b.party(), nil
}

// machine is the user who signed a JWT: that is a login of its own, which gives a token
// that nobody sees.
func (r *ExchangeRequest) machine(ctx context.Context, store *eventstore.Store, assertion string) (*party, error) {
	scopes, err := ParseScopes(r.Scope)
	if err != nil {
		return nil, err
	}
	m, err := ProveByAssertion(ctx, store, TokenRequest{Host: r.Host, Issuer: r.Issuer, Scopes: scopes}, assertion)
	if err != nil {
		return nil, err
	}
	t, err := m.Issue(ctx, store, "")
	if err != nil {
		return nil, err
	}
	b, err := FindBearer(ctx, store, r.Host, t.Secret)
	if err != nil {
		return nil, err
	}
	return b.party(), nil
}

// party is who has a token.
func (b *Bearer) party() *party {
	p := &party{Grant: b.Family.Grant, loggedIn: b.began(), expires: b.Expires, actor: b.Actor()}
	if !b.IsLogin() {
		p.Grant = oauth.Grant{UserID: b.Person.ID, AuthTime: b.Issued, Methods: []string{}}
	}
	p.Scopes, p.Audience = b.Scopes, b.Audience
	if x := b.Family.Exchange; x != nil {
		p.bases = x.Bases
	}
	p.bases = append(slices.Clone(p.bases), oauth.Basis{UserID: p.UserID, Family: b.Family.ID, Token: b.TokenID})
	return p
}

// loggedIn is who an ID token names: the user of the newest login at the client, in the
// session, which has not ended.
func (c *Client) loggedIn(ctx context.Context, store *eventstore.Store, t IDToken) (*party, error) {
	if t.Client != c.ID || t.SessionID == "" || t.Acted || !store.Now().Before(t.Expires) {
		return nil, ErrInactive
	}
	b := basis{}
	newest := database.Query{
		SQL: "SELECT " + oauth.FamilyColumns + ` FROM oidc_sessions f WHERE f.instance_id = ? AND f.session_id = ? AND f.client_id = ? AND f.user_id = ? AND f.exchange = ''
			ORDER BY f.created DESC, f.family_id LIMIT 1`,
		Args: []any{c.Instance.ID, plain(t.SessionID), c.ID, plain(t.UserID)}, Row: b.family.Read,
	}
	if err := store.Read(ctx, newest); err != nil {
		return nil, err
	}
	if b.family.ID == "" {
		return nil, ErrInactive
	}
	b.Basis = oauth.Basis{UserID: b.family.UserID, Family: b.family.ID}
	if err := store.Read(ctx, b.queries(c.Instance.ID)...); err != nil {
		return nil, err
	}
	if err := b.stands(store.Now(), b.began()); err != nil {
		return nil, err
	}
	return &party{Grant: b.family.Grant, loggedIn: b.began(), expires: t.Expires, bases: []oauth.Basis{b.Basis}}, nil
}

// source is what tokens of the client for the party rest on.
func (p *party) source(c *Client) source {
	return source{
		sql: `SELECT su.instance_id, CAST(? AS TEXT) AS client_id, su.user_id, su.org_id AS user_org, su.created AS user_since, CAST(? AS TEXT) AS session_id,
			CAST(? AS TEXT) AS scopes FROM users su WHERE su.instance_id = ? AND su.user_id = ?`,
		args: []any{c.ID, p.SessionID, plain(strings.Join(p.Scopes, " ")), c.Instance.ID, p.UserID},
	}
}

// rights are what an actor may do for a subject.
type rights struct {
	held     []oauth.Right
	admin    bool // the subject has roles
	security policy.State[policy.SecurityPolicy]
}

func (h *rights) queries(instance, subject string, actor *party) []database.Query {
	if actor == nil || actor.UserID == subject {
		return nil
	}
	return []database.Query{policy.Security.Ask(instance, &h.security), hasRoles(instance, subject, &h.admin), {
		SQL: "SELECT kind, object_id, role FROM member_roles WHERE instance_id = ? AND user_id = ? ORDER BY kind, object_id, role", Args: []any{instance, actor.UserID},
		Row: func(scan database.Scan) error {
			r := oauth.Right{For: subject}
			err := scan(&r.Kind, &r.Object, &r.Role)
			h.held = append(h.held, r)
			return err
		},
	}}
}

// find gives the role by which the actor may act for somebody of an organization.
func (h *rights) find(roles *authz.Roles, org string) (*oauth.Right, error) {
	if !h.security.Doc.EnableImpersonation {
		return nil, errNoRight
	}
	for _, r := range h.held {
		if r.Kind != member.OfInstance && (r.Kind != member.OfOrg || r.Object != org) {
			continue
		}
		by := authz.Caller{Roles: roles, Memberships: []authz.Membership{{Roles: []string{r.Role}}}}
		r.Admin = by.Can("admin.impersonation", org)
		if by.Can("impersonation", org) && (r.Admin || !h.admin) {
			return &r, nil
		}
	}
	return nil, errNoRight
}

// rest notes what the tokens will rest on, and who acts.
func (x *Exchanged) rest(r ExchangeRequest, subject, actor *party, h *rights) error {
	x.exchange = oauth.Exchange{LoggedIn: subject.loggedIn, Actor: subject.actor, Bases: slices.Clone(subject.bases)}
	x.Expires = subject.expires
	if actor != nil {
		own := slices.Clone(actor.bases)
		if actor.UserID != subject.UserID {
			right, err := h.find(r.Roles, x.Person.OrgID)
			if err != nil {
				return err
			}
			own[len(own)-1].Right, x.actor = right, actor.UserID
		}
		x.exchange.Bases = append(x.exchange.Bases, own...)
		x.exchange.Actor = &oauth.Actor{Subject: actor.UserID, Issuer: r.Issuer, Actor: cmp.Or(subject.actor, actor.actor)}
		if x.Expires.IsZero() || !actor.expires.IsZero() && actor.expires.Before(x.Expires) {
			x.Expires = actor.expires
		}
	}
	if len(x.exchange.Bases) > maxBases {
		return errChain
	}
	x.Actor = x.exchange.Actor
	return nil
}

// narrow gives the tokens what the client asks for, of what the subject's token has.
func (x *Exchanged) narrow(c *Client, r ExchangeRequest, subject *party) (err error) {
	if x.Scopes, err = Scopes(subject.Scopes).Narrow(r.Scope); err != nil {
		return err
	}
	if err := x.Scopes.admit(x.Person.OrgID, x.Org.PrimaryDomain); err != nil {
		return errSubject.Because(err)
	}
	x.Scopes = x.Scopes.without(ScopeOfflineAccess) // What it rests on can be refreshed, and exchanged again.
	x.Grant = subject.Grant
	x.ClientID, x.Grant.Scopes, x.Nonce = c.ID, x.Scopes, ""
	x.UserOrg, x.UserSince = x.Person.OrgID, x.Person.Details.Created
	if len(r.Audience) == 0 {
		return nil
	}
	x.Audience = nil
	for _, a := range r.Audience {
		switch {
		case a == r.Issuer && x.Scopes.Has(ScopeAPI):
		case slices.Contains(subject.Audience, a):
			x.Audience = append(x.Audience, a)
		default:
			return errTarget
		}
	}
	if !slices.Contains(r.Audience, r.Issuer) { // Our own API is an audience by its scope.
		x.Scopes = x.Scopes.without(ScopeAPI)
		x.Grant.Scopes = x.Scopes
	}
	return nil
}

// Issue makes a token count that was exchanged for others; without one nothing is kept,
// but that somebody acted for somebody else.
func (x *Exchanged) Issue(ctx context.Context, store *eventstore.Store, c *Client, t Tokens) error {
	ctx = eventstore.WithOrigin(ctx, eventstore.Origin{Creator: cmp.Or(x.actor, x.UserID)})
	return store.Write(ctx, func(tx *eventstore.Tx) error {
		var err error
		if x.actor != "" {
			err = user.NoteImpersonated(tx, c.Instance.ID, x.UserID, user.Impersonation{Application: c.AppID, Actor: x.exchange.Actor})
		}
		if t.Access.Hash != "" {
			err = errors.Join(err, oauth.BeginExchange(tx, c.Instance.ID, tx.NewID(), x.Grant, x.exchange, t.Access))
		}
		return err
	})
}
