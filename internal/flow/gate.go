// Package flow joins aggregates: verbs and reads that no single one of them can
// have, such as finding out who calls, or setting up an instance.
//
// It imports the aggregates and everything under them.
package flow

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/member"
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
	ID, DefaultOrg, DefaultLanguage string
	// logSince is the time before which no events are shown; zero: all are.
	logSince time.Time
	blocked  bool
}

// Credentials are what a request says about itself.
type Credentials struct {
	Host          string // without a port
	Authorization string // the header, as it came
	Org           string // the organization that the request names; may be empty
	Anonymous     bool   // the call needs no token
	System        bool   // the call is about the installation and not one instance
}

var (
	errHost      = fault.NotFound("", "There is no instance at this host.")
	errNoToken   = fault.Unauthenticated("", "This call needs a token.")
	errScheme    = fault.Unauthenticated("AUTH-toLo1", "The Authorization header must be \"Bearer\" and a token.")
	errToken     = fault.Unauthenticated("AUTH-7fs1e", "The token is not valid, or no longer.")
	errAssurance = fault.Unauthenticated("AUTH-assurance", "What was checked in this session does not satisfy the login policy, or no longer.")
	errBlocked   = fault.Exhausted("LIMITS-blocked", "This instance is blocked. Ask those who run the installation.")
	errNoSuchOrg = fault.Denied("AUTH-Bs7Ds", "There is no such organization.")
)

// enterSQL gives one row per role of the caller; a single row with empty columns
// where there is no valid token or no role. What a token is, is seen by its form,
// and most calls name no organization: only those tables are asked that are needed.
func enterSQL(isSession, namesOrg bool) string {
	bearer, from := "COALESCE(t.user_id, ''), COALESCE(t.expires, 0), ''", "access_tokens" //nolint:gosec // names of columns
	if isSession {
		bearer, from = "COALESCE(t.user_id, ''), 0, COALESCE(t.session_id, '')", "sessions" //nolint:gosec // names of columns
	}
	org, orgs := "''", ""
	if namesOrg {
		org, orgs = "COALESCE(a.id, '')", " LEFT JOIN aggregates a ON a.instance_id = d.instance_id AND a.type = 'org' AND a.id = ?"
	}
	return "SELECT i.instance_id, i.default_org, i.default_language, COALESCE(l.document, ''), " + bearer + `,
		COALESCE(u.org_id, ''), COALESCE(u.state, 0), COALESCE(h.state, 0), ` + org + `,
		COALESCE(r.kind, ''), COALESCE(r.object_id, ''), COALESCE(r.role, ''), COALESCE(p.org_id, g.granted_org_id, '')
		FROM instance_domains d
		JOIN instances i ON i.instance_id = d.instance_id
		LEFT JOIN policies l ON l.instance_id = d.instance_id AND l.org_id = '' AND l.kind = 'limits'
		LEFT JOIN ` + from + ` t ON t.instance_id = d.instance_id AND t.token_hash = ?
		LEFT JOIN users u ON u.instance_id = d.instance_id AND u.user_id = t.user_id
		LEFT JOIN orgs h ON h.instance_id = u.instance_id AND h.org_id = u.org_id` + orgs + `
		LEFT JOIN member_roles r ON r.instance_id = u.instance_id AND r.user_id = u.user_id
		LEFT JOIN projects p ON r.kind = 'project' AND p.instance_id = r.instance_id AND p.project_id = r.object_id
		LEFT JOIN project_grants g ON r.kind = 'project_grant' AND g.instance_id = r.instance_id AND g.grant_id = r.object_id
		WHERE d.domain = ?`
}

// enterTexts are the texts of enterSQL, by its arguments.
var enterTexts = map[[2]bool]string{
	{false, false}: enterSQL(false, false), {false, true}: enterSQL(false, true),
	{true, false}: enterSQL(true, false), {true, true}: enterSQL(true, true),
}

// Enter finds the instance and, unless the call may be anonymous, the caller. It
// reads both anew for every request: what was revoked a moment ago is refused.
func (g *Gate) Enter(ctx context.Context, c Credentials) (Instance, *authz.Caller, error) {
	var in Instance
	token, tokenErr := bearer(c)
	hash := ""
	if tokenErr == nil && token != "" {
		hash = user.HashToken(token)
	}
	var operator *SystemUser
	if looksLikeJWT(token) && tokenErr == nil {
		u, err := g.systemUser(token)
		operator, tokenErr = &u, err
	}
	if operator != nil && tokenErr == nil && c.System {
		return in, operator.caller(in, "", g.roles), nil
	}
	caller := &authz.Caller{Roles: g.roles}
	var assured Assured
	var expires int64
	var userState, orgState int
	var namedOrg string
	var limits []byte
	roles := map[authz.Object][]string{}
	isSession, host := user.LooksLikeSessionToken(token), hostname.Canonical(c.Host)
	args := []any{hash, host}
	if c.Org != "" {
		args = []any{hash, c.Org, host}
	}
	queries := []database.Query{{
		SQL: enterTexts[[2]bool{isSession, c.Org != ""}], Args: args,
		Row: func(scan database.Scan) error {
			var kind, object, role, owner string
			err := scan(&in.ID, &in.DefaultOrg, &in.DefaultLanguage, &limits, &caller.UserID, &expires, &caller.SessionID,
				&caller.HomeOrg, &userState, &orgState, &namedOrg, &kind, &object, &role, &owner)
			if role != "" {
				on := administered(kind, object, owner)
				roles[on] = append(roles[on], role)
			}
			return err
		},
	}}
	if isSession {
		queries = append(queries, assured.queries("s.instance_id = (SELECT d.instance_id FROM instance_domains d WHERE d.domain = ?) AND s.token_hash = ?",
			host, hash)...)
	}
	err := g.store.Read(ctx, queries...)
	if err == nil {
		err = in.limit(limits, g.store.Now())
	}
	switch {
	case err != nil:
		return in, nil, err
	case in.blocked && (operator == nil || tokenErr != nil):
		return in, nil, errBlocked
	case in.ID == "" && (!c.System || !c.Anonymous):
		return in, nil, errHost
	case c.Anonymous:
		return in, nil, nil
	case tokenErr != nil:
		return in, nil, tokenErr
	case operator != nil:
		if c.Org != "" && namedOrg == "" {
			return in, nil, errNoSuchOrg
		}
		return in, operator.caller(in, c.Org, g.roles), nil
	case caller.UserID == "" || userState != user.Active || orgState != org.Active,
		expires != 0 && !g.store.Now().Before(time.UnixMicro(expires)):
		return in, nil, errToken
	case c.Org != "" && namedOrg == "":
		return in, nil, errNoSuchOrg
	}
	if caller.SessionID != "" {
		if assured.judge(g.store.Now()); !assured.Enough {
			return in, nil, errAssurance
		}
		if err := assured.noteWeakened(ctx, g.store); err != nil {
			return in, nil, err
		}
	}
	caller.Instance, caller.LogSince = in.ID, in.logSince
	if caller.Org = c.Org; c.Org == "" {
		caller.Org = caller.HomeOrg
	}
	for on, names := range roles {
		caller.Memberships = append(caller.Memberships, authz.Membership{Org: on.Org, Project: on.Project, Grant: on.Grant, Roles: names})
	}
	return in, caller, nil
}

// administered is what a membership is of: an object of a kind and the organization
// that has it, where that is not the object.
func administered(kind, object, owner string) authz.Object {
	switch kind {
	case member.OfInstance:
		return authz.Object{}
	case member.OfProject:
		return authz.Object{Org: owner, Project: object}
	case member.OfGrant:
		return authz.Object{Org: owner, Grant: object}
	}
	return authz.Object{Org: object}
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

// bearer gives the token of the Authorization header.
func bearer(c Credentials) (string, error) {
	switch {
	case c.Anonymous:
		return "", nil
	case c.Authorization == "":
		return "", errNoToken
	}
	token, ok := strings.CutPrefix(c.Authorization, "Bearer ")
	switch {
	case !ok || token == "":
		return "", errScheme
	case !user.LooksLikeToken(token) && !looksLikeJWT(token):
		return "", errToken
	}
	return token, nil
}
