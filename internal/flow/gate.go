// Package flow joins aggregates: verbs and reads that no single one of them can
// have, such as finding out who calls, or setting up an instance.
//
// It imports the aggregates and everything under them.
package flow

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

// Gate lets requests in: it finds the instance by the host and the caller by the
// token, in one round trip.
type Gate struct {
	store       *eventstore.Store
	roles       *authz.Roles
	audience    string
	systemUsers map[string]SystemUser
}

// NewGate makes a gate that reads from store. externalURL is the audience that
// the tokens of system users must name.
func NewGate(store *eventstore.Store, roles *authz.Roles, externalURL string, users []SystemUser) *Gate {
	g := &Gate{store: store, roles: roles, audience: strings.TrimSuffix(externalURL, "/"), systemUsers: map[string]SystemUser{}}
	for _, u := range users {
		g.systemUsers[u.Name] = u
	}
	return g
}

// Instance is the instance that a request is for.
type Instance struct {
	ID string
	// logSince is the time before which no events are shown; zero: all are.
	logSince time.Time
	blocked  bool
}

// Credentials are what a request says about itself.
type Credentials struct {
	Host          string // without a port
	Authorization string // the header, as it came
	Sender        Sender
	Org           string // the organization that the request names; may be empty
	Anonymous     bool   // the call needs no token
	System        bool   // the call is about the installation and not one instance
}

var (
	errHost      = fault.NotFound("", "There is no instance at this host: call the server by the host of its external URL, or give the instance this host as a domain.")
	errNoToken   = fault.Unauthenticated("", "This call needs a token.")
	errScheme    = fault.Unauthenticated("AUTH-toLo1", "The Authorization header must be \"Bearer\" or \"DPoP\" and a token.")
	errToken     = fault.Unauthenticated("AUTH-7fs1e", "The token is not valid, or no longer.")
	errAssurance = fault.Unauthenticated("AUTH-assurance", "What was checked in this session does not satisfy the login policy, or no longer.")
	errBlocked   = fault.Exhausted("LIMITS-blocked", "This instance is blocked. Ask those who run the installation.")
	errNoSuchOrg = fault.Denied("AUTH-Bs7Ds", "There is no such organization.")
)

// bearerTables say, for each kind of token, whom it stands for: the columns user,
// expiry, key, session and exchange, and the table t. Its parameter is the token's hash,
// behind the host for the tokens of logins, and behind the session for those that name it.
var bearerTables = map[tokenKind][2]string{
	machineToken: {"COALESCE(t.user_id, ''), COALESCE(t.expires, 0), COALESCE(t.key_thumbprint, ''), '', ''", "access_tokens t ON t.instance_id = d.instance_id AND t.token_hash = ? AND " + forOurAPI},
	sessionToken: {ofSession, "sessions t ON t.instance_id = d.instance_id AND t.session_id = ? AND t.token_hash = ?"},
	unnamedToken: {ofSession, "sessions t ON t.instance_id = d.instance_id AND t.by_hash = 1 AND t.token_hash = ?"},
	loginToken: {
		"COALESCE(t.user_id, ''), COALESCE(t.expires, 0), COALESCE(t.key_thumbprint, ''), COALESCE(t.session_id, ''), COALESCE(t.exchange, '')",
		ownTokens + " t ON t.instance_id = d.instance_id",
	},
}

const ofSession = "COALESCE(t.user_id, ''), 0, '', COALESCE(t.session_id, ''), ''"

// forOurAPI is the condition that a token is for our API: one that was given for a key
// or a secret has to be asked for with its scope, a personal one is for nothing else.
const forOurAPI = "(t.source = '' OR ' ' || t.scopes || ' ' LIKE '% " + ScopeAPI + " %')"

// enterSQL gives one row per role of the caller; a single row with empty columns
// where there is no valid token or no role. What a token is, is seen by its form,
// and most calls name no organization: only those tables are asked that are needed.
func enterSQL(kind tokenKind, namesOrg bool) string {
	bearer := bearerTables[kind]
	org, orgs := "''", ""
	if namesOrg {
		org, orgs = "COALESCE(a.id, '')", " LEFT JOIN aggregates a ON a.instance_id = d.instance_id AND a.type = 'org' AND a.id = ?"
	}
	return "SELECT d.instance_id, d.limits, " + bearer[0] + `,
		COALESCE(u.org_id, ''), COALESCE(u.state, 0), COALESCE(h.state, 0), ` + org + `,
		COALESCE(r.kind, ''), COALESCE(r.object_id, ''), COALESCE(r.role, ''), COALESCE(r.org_id, '')
		FROM instance_domains d
		LEFT JOIN ` + bearer[1] + `
		LEFT JOIN users u ON u.instance_id = d.instance_id AND u.user_id = t.user_id
		LEFT JOIN orgs h ON h.instance_id = u.instance_id AND h.org_id = u.org_id` + orgs + `
		LEFT JOIN member_roles r ON r.instance_id = u.instance_id AND r.user_id = u.user_id
		WHERE d.domain = ?`
}

// entering is what a text of enterSQL is for.
type entering struct {
	kind     tokenKind
	namesOrg bool
}

// enterTexts are the texts of enterSQL.
var enterTexts = func() map[entering]string {
	texts := map[entering]string{}
	for kind := range bearerTables {
		for _, namesOrg := range []bool{false, true} {
			texts[entering{kind, namesOrg}] = enterSQL(kind, namesOrg)
		}
	}
	return texts
}()

// Of an instance at a host.
const (
	defaultOrgSQL  = "SELECT i.default_org FROM instance_domains d JOIN instances i ON i.instance_id = d.instance_id WHERE d.domain = ?"
	sessionNamed   = "s.instance_id = " + ofInstance + " AND s.session_id = ? AND s.token_hash = ?"
	sessionUnnamed = "s.instance_id = " + ofInstance + " AND s.by_hash = 1 AND s.token_hash = ?"
	sessionOfLogin = "s.instance_id = " + ofInstance + " AND s.session_id = (SELECT f.session_id" + loginTokenFrom + ")"
)

// entry is what the database knows about a request.
type entry struct {
	instance            Instance
	user, session       string // whom the token stands for; empty: nobody
	exchange            string // what the token was exchanged for, as families keep it
	isClient            bool   // a client has the token, and not the session's user
	home                string // the caller's organization, or a system user's default
	named               string // the organization that the request names, where it is there
	userState, orgState int
	expires             int64  // of the token; 0: never
	key                 string // that the token is bound to; empty: none
	limits              []byte
	memberships         map[authz.Object][]string // roles by what they are of
	assured             Assured                   // of a session's token
}

// read asks for everything in one round trip.
func (e *entry) read(ctx context.Context, store *eventstore.Store, c Credentials, token string, operator bool) error {
	hash, host, kind := "", hostname.Canonical(c.Host), machineToken
	if k := kindOf(token); k != noToken && !operator {
		hash, kind = user.HashToken(token), k
	}
	args, also := []any{hash}, []database.Query(nil) // the parameters of the token's table; what else is asked
	switch kind {
	case loginToken:
		args, also = []any{host, hash}, e.assured.queries(sessionOfLogin, host, host, hash)
	case sessionToken:
		named := user.SessionOfToken(token)
		args, also = []any{named, hash}, e.assured.queries(sessionNamed, host, named, hash)
	case unnamedToken:
		also = e.assured.queries(sessionUnnamed, host, hash)
	case machineToken, noToken:
	}
	if operator {
		also = []database.Query{database.One(new(bool), defaultOrgSQL, []any{host}, &e.home)}
	}
	if c.Org != "" {
		args = append(args, c.Org)
	}
	args = append(args, host)
	enter := database.Query{SQL: enterTexts[entering{kind, c.Org != ""}], Args: args, Row: e.row}
	e.isClient = kind == loginToken
	err := store.Read(ctx, append([]database.Query{enter}, also...)...)
	if err == nil {
		err = e.instance.limit(e.limits, store.Now())
	}
	return err
}

// row takes one of the caller's roles, and with it all that each row says.
func (e *entry) row(scan database.Scan) error {
	var kind, object, role, org string
	err := scan(&e.instance.ID, &e.limits, &e.user, &e.expires, &e.key, &e.session, &e.exchange, &e.home, &e.userState, &e.orgState, &e.named,
		&kind, &object, &role, &org)
	if role != "" {
		if e.memberships == nil {
			e.memberships = map[authz.Object][]string{}
		}
		on := administered(kind, object, org)
		e.memberships[on] = append(e.memberships[on], role)
	}
	return err
}

// judge reports whether the token counts now for who shows it with a proof.
func (e *entry) judge(proof crypto.Proof, now time.Time) error {
	if e.user == "" || e.userState != user.Active || e.orgState != org.Active || e.expires != 0 && !now.Before(time.UnixMicro(e.expires)) {
		return errToken
	}
	if err := admitKey(e.key, proof); err != nil {
		return err
	}
	if e.session == "" {
		return nil
	}
	if e.assured.judge(now); !e.assured.Enough {
		return errAssurance
	}
	return nil
}

// rests looks at what a token was exchanged for, which is a round trip of its own.
func (e *entry) rests(ctx context.Context, store *eventstore.Store) error {
	x, err := oauth.ReadExchange(e.exchange)
	if err == nil {
		err = restsOn(ctx, store, e.instance.ID, x)
	}
	if fault.KindOf(err) == fault.KindFailedPrecondition {
		err = errToken.Because(err)
	}
	return err
}

// caller is who the token stands for, in the organization that the request names
// or else in their own.
func (e *entry) caller(org string, roles *authz.Roles, now time.Time) *authz.Caller {
	c := &authz.Caller{
		Instance: e.instance.ID, LogSince: e.instance.logSince, UserID: e.user, SessionID: e.session,
		HomeOrg: e.home, Org: cmp.Or(org, e.home), Roles: roles,
	}
	if e.session != "" {
		c.Sure = func() error { return e.assured.sure(now) }
	}
	if e.isClient { // What it may do is the user's, but the session is not in its hands.
		c.SessionID = ""
	}
	for on, names := range e.memberships {
		c.Memberships = append(c.Memberships, authz.Membership{Org: on.Org, Project: on.Project, Grant: on.Grant, Roles: names})
	}
	return c
}

// Enter finds the instance and, unless the call may be anonymous, the caller. It
// reads both anew for every request: what was revoked a moment ago is refused.
func (g *Gate) Enter(ctx context.Context, c Credentials) (Instance, *authz.Caller, error) {
	token, proof, refused := shown(c, g.store.Now())
	var operator *SystemUser
	if refused == nil && looksLikeJWT(token) {
		if u, err := g.systemUser(token); err == nil {
			operator, refused = &u, admitKey("", proof)
		} else if kindOf(token) == noToken {
			refused = err
		}
	}
	if operator != nil && refused == nil && c.System {
		return Instance{}, operator.caller(Instance{}, "", "", g.roles), nil
	}
	var e entry
	if err := e.read(ctx, g.store, c, token, operator != nil); err != nil {
		return e.instance, nil, err
	}
	switch {
	case e.instance.blocked && operator == nil:
		return e.instance, nil, errBlocked
	case e.instance.ID == "" && (!c.System || !c.Anonymous):
		return e.instance, nil, errHost
	case c.Anonymous:
		return e.instance, nil, nil
	case refused == nil && operator == nil:
		refused = e.judge(proof, g.store.Now())
	}
	if refused == nil && e.exchange != "" {
		refused = e.rests(ctx, g.store)
	}
	switch {
	case refused != nil:
		return e.instance, nil, refused
	case c.Org != "" && e.named == "":
		return e.instance, nil, errNoSuchOrg
	case operator != nil:
		return e.instance, operator.caller(e.instance, e.home, c.Org, g.roles), nil
	case e.session != "":
		refused = e.assured.noteWeakened(ctx, g.store)
	}
	if refused == nil {
		refused = TakeProof(ctx, g.store, e.instance.ID, proof)
	}
	if refused != nil {
		return e.instance, nil, refused
	}
	return e.instance, e.caller(c.Org, g.roles, g.store.Now()), nil
}

// administered is what a role is on: an object of a kind, and its organization.
func administered(kind, object, org string) authz.Object {
	switch kind {
	case member.OfProject:
		return authz.Object{Org: org, Project: object}
	case member.OfGrant:
		return authz.Object{Org: org, Grant: object}
	}
	return authz.Object{Org: org}
}

// limit fills in what the document of the instance's limits says; it may be empty.
func (in *Instance) limit(document []byte, now time.Time) error {
	if len(document) == 0 {
		return nil
	}
	var l policy.LimitsDoc
	if err := json.Unmarshal(document, &l); err != nil {
		return fmt.Errorf("limits of %s: %w", in.ID, err)
	}
	in.blocked = l.Block != nil && *l.Block
	if l.AuditLogRetention != nil {
		in.logSince = now.Add(-*l.AuditLogRetention)
	}
	return nil
}

// shown gives the token of the Authorization header, and the proof that it came with.
func shown(c Credentials, now time.Time) (token string, proof crypto.Proof, err error) {
	switch {
	case c.Anonymous:
		return "", proof, nil
	case c.Authorization == "":
		return "", proof, errNoToken
	}
	scheme, token, _ := strings.Cut(c.Authorization, " ")
	switch {
	case scheme != bearer && !IsDPoP(scheme), token == "":
		return "", proof, errScheme
	case !user.LooksLikeToken(token) && !looksLikeJWT(token):
		return "", proof, errToken
	case IsDPoP(scheme):
		proof, err = c.Sender.Prove(token, now)
	}
	return token, proof, err
}
