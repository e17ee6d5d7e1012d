package flow

import (
	"encoding/base64"
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/assurance"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/user"
)

// Standing is everything that what a client was given rests on, as it is now: the
// user, their organization, the client with its project and that one's
// organization, and the session with what its checks are worth.
type Standing struct {
	Assured
	Person Person
	// Org is that of the user.
	Org struct{ Name, PrimaryDomain string }
	// Metadata is the user's, where the scopes ask for it.
	Metadata map[string][]byte
	// Grants are the roles that the user has, by the project.
	Grants []RoleGrant

	clientID, sessionID    string
	userState, orgState    int
	app                    clientApp
	project                clientProject
	projectOrgState        int
	granted                bool // the project is the user's organization's own, or granted to it
	instance, accountOwner string
}

// source is a subquery that gives what something rests on: the columns instance_id,
// client_id, user_id, user_org, user_since, session_id and scopes. client_id and
// session_id are empty where there is none.
type source struct {
	sql  string
	args []any
}

// in makes a condition of columns that are those of the source's only row.
func (s source) in(condition string, columns ...string) (sql string, args []any) {
	for i, c := range columns {
		if i > 0 {
			sql += " AND "
		}
		sql += condition + c + " = (SELECT g." + c + " FROM (" + s.sql + ") g)"
		args = append(args, s.args...)
	}
	return sql, args
}

// queries ask for all of it, in one round trip.
func (st *Standing) queries(s source) []database.Query {
	user := database.Query{
		SQL: "SELECT " + personColumns + `, COALESCE(o.name, ''), COALESCE(o.primary_domain, ''), u.state, COALESCE(o.state, 0), g.instance_id, g.client_id, g.session_id, g.user_org,
			` + applicationColumns + ", " + projectColumns + `, COALESCE(po.state, 0),
			CASE WHEN p.org_id = g.user_org OR pg.state = 1 THEN 1 ELSE 0 END
			FROM (` + s.sql + `) g
			JOIN users u ON u.instance_id = g.instance_id AND u.user_id = g.user_id AND u.org_id = g.user_org AND u.created = g.user_since` + personJoins + `
			LEFT JOIN applications a ON a.instance_id = g.instance_id AND a.client_id = g.client_id AND a.client_id <> ''
			LEFT JOIN projects p ON p.instance_id = a.instance_id AND p.project_id = a.project_id
			LEFT JOIN orgs po ON po.instance_id = p.instance_id AND po.org_id = p.org_id
			LEFT JOIN project_grants pg ON pg.instance_id = p.instance_id AND pg.project_id = p.project_id AND pg.granted_org_id = g.user_org`,
		Args: s.args, Row: st.read,
	}
	where, args := s.in("s.", "instance_id", "session_id")
	of, ofArgs := s.in("m.", "instance_id")
	metadata := database.Query{
		SQL:  "SELECT m.meta_key, m.value FROM metadata m WHERE m.kind = 'user' AND " + of + " AND m.object_id = (SELECT g.user_id FROM (" + s.sql + ") g WHERE ' ' || g.scopes || ' ' LIKE ?)",
		Args: append(append(ofArgs, s.args...), "% "+ScopeMetadata+" %"), Row: st.readMetadata,
	}
	return append([]database.Query{user, metadata, st.grantQuery(s)}, st.Assured.queries(where, args...)...)
}

func (st *Standing) read(scan database.Scan) error {
	var granted int
	dest, done := personDest(&st.Person)
	dest = append(dest, &st.Org.Name, &st.Org.PrimaryDomain, &st.userState, &st.orgState, &st.instance, &st.clientID, &st.sessionID, &st.accountOwner)
	appDest, appDone := st.app.dest()
	dest = append(append(append(dest, appDest...), st.project.dest()...), &st.projectOrgState, &granted)
	if err := scan(dest...); err != nil {
		return err
	}
	st.granted = granted == 1
	if _, err := done(); err != nil {
		return err
	}
	return appDone()
}

func (st *Standing) readMetadata(scan database.Scan) error {
	var key, value string
	if err := scan(&key, &value); err != nil {
		return err
	}
	data, err := base64.StdEncoding.DecodeString(value)
	if st.Metadata == nil {
		st.Metadata = map[string][]byte{}
	}
	st.Metadata[key] = data
	return err
}

var (
	errGoneUser    = fault.Precondition("OIDC-user", "The user or their organization is not active, or no longer there.").With(oauth.AccessDenied)
	errGoneClient  = fault.Precondition("OIDC-client-state", "The application, its project or that one's organization is not active.").With(oauth.UnauthorizedClient)
	errGoneSession = fault.Precondition("OIDC-session", "The session has ended. Log in again.").With(oauth.LoginRequired)
	errNotGranted  = fault.Precondition("OIDC-project-grant", "The project demands that it is granted to the user's organization.").With(oauth.AccessDenied)
	errNoRole      = fault.Precondition("OIDC-project-role", "The project demands that the user has a role in it.").With(oauth.AccessDenied)
)

// stands refuses what does not stand any more. at is the time of the login that it
// rests on, for which the lifetimes of checks are measured: what is given for longer
// than they last has a lifetime of its own. Whether a factor counts at all is what
// the login policy says now.
func (st *Standing) stands(now, at time.Time) error {
	switch {
	case st.Person.ID == "" || st.userState != user.Active || st.orgState != org.Active:
		return errGoneUser
	case st.clientID != "" && (!st.app.active() || !st.project.active() || st.projectOrgState != org.Active):
		return errGoneClient
	case st.project.orgCheck == 1 && !st.granted:
		return errNotGranted
	case st.project.roleCheck == 1 && !st.hasRole(st.project.id):
		return errNoRole
	case st.sessionID == "":
		return nil
	}
	s := &st.Session
	if !st.active || s.ID == "" || s.Ended || s.Expired(now) {
		return errGoneSession
	}
	checks := slices.DeleteFunc(checksOf(s), func(c assurance.Check) bool {
		return c.Method == assurance.Password && c.At.Before(st.Person.Human.PasswordChanged)
	})
	st.Verdict = st.rules.judge(assurance.Subject{Ready: st.ready}, checks, at)
	if !st.Enough {
		return missing(st.Verdict)
	}
	return nil
}

// missing is the refusal that says what a verdict lacks, and by which methods it can
// be had.
func missing(v assurance.Verdict) error {
	var what *fault.Phrase
	switch by := methodNames(v.Options); v.Need {
	case assurance.SecondFactor:
		what = fault.Say("check a second factor (%s)", by)
	case assurance.Enrolment:
		what = fault.Say("set up a second factor first (%s)", by)
	case assurance.Impossible:
		what = fault.Say("a second factor is demanded, and the policy lists none")
	default:
		what = fault.Say("check a first factor (%s)", by)
	}
	return fault.Precondition("OIDC-assurance", "What was checked in the session does not satisfy the login policy, or no longer: %s.", what).With(oauth.LoginRequired)
}

func methodNames(s assurance.Set) (names string) {
	for i, m := range s.Methods() {
		if i > 0 {
			names += ", "
		}
		names += m.String()
	}
	return names
}

// ProjectID is the project of the client; empty where there is none.
func (st *Standing) ProjectID() string { return st.project.id }

// WantsFlatRoles reports whether the client wants the roles in its project as a plain
// list, too.
func (st *Standing) WantsFlatRoles() bool { return st.app.Config.FlatRolesClaim }
