package account

import (
	"strings"

	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/object/v2"
	sessionpb "github.com/gatehouse/gatehouse/gen/zitadel/session/v2"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/web"
)

func sessionPages() []page {
	return []page{
		{path: "sessions", get: showSessions},
		deed{path: "sessions/end/{id}", page: showSessions, do: endSession, to: "sessions", done: "ended"}.pages(),
		question{path: "sessions/end-others", name: "end-others", do: endOthers, to: "sessions", done: "ended"}.pages(),
		question{path: "sessions/applications/revoke/{id}", name: "revoke", about: tokenName, to: "sessions", done: "revoked", do: func(v *visit) error {
			return v.do(&authpb.RevokeMyRefreshTokenRequest{Id: v.R.PathValue("id")})
		}}.pages(),
		question{path: "sessions/applications/revoke-all", name: "revoke-all", to: "sessions", done: "revoked", do: func(v *visit) error {
			return v.do(&authpb.RevokeAllMyRefreshTokensRequest{})
		}}.pages(),
	}
}

// sessionsPage is what the page shows.
type sessionsPage struct {
	Sessions []session
	Others   bool // there are sessions but this one
	Apps     []application
}

// session is one of the visitor's logins at the pages of the login.
type session struct {
	ID, Device, Address string
	Began, Last, Ends   string
	Proofs              []string // what was proved
	Here                bool     // it is the one that shows the page
}

// application is a login of an application, which keeps it by itself.
type application struct {
	ID, Name, Project string
	Since, Last, Ends string
	Scopes            string
}

// maxSessions is how many sessions the page shows, the newest.
const maxSessions = 200

// showSessions shows where the visitor is logged in.
func showSessions(v *visit) error {
	list, err := v.sessions()
	if err != nil {
		return err
	}
	p := sessionsPage{}
	for _, s := range list {
		shown := v.sessionOf(s)
		p.Sessions, p.Others = append(p.Sessions, shown), p.Others || !shown.Here
	}
	tokens, err := call[*authpb.ListMyRefreshTokensResponse](v, &authpb.ListMyRefreshTokensRequest{})
	if err != nil {
		return err
	}
	for _, t := range tokens.GetResult() {
		app, err := v.applicationOf(t)
		if err != nil {
			return err
		}
		p.Apps = append(p.Apps, app)
	}
	return v.show("sessions", v.Texts.T("nav-sessions"), p)
}

// sessions asks for the visitor's sessions that go on, or for those of them with an id.
func (v *visit) sessions(ids ...string) (out []*sessionpb.Session, err error) {
	req := &sessionpb.ListSessionsRequest{
		Query: &objectpb.ListQuery{Limit: maxSessions}, SortingColumn: sessionpb.SessionFieldName_SESSION_FIELD_NAME_CREATION_DATE,
		Queries: []*sessionpb.SearchQuery{{Query: &sessionpb.SearchQuery_UserIdQuery{UserIdQuery: &sessionpb.UserIDQuery{Id: v.me.GetId()}}}},
	}
	if len(ids) > 0 {
		req.Queries = append(req.Queries, &sessionpb.SearchQuery{Query: &sessionpb.SearchQuery_IdsQuery{IdsQuery: &sessionpb.IDsQuery{Ids: ids}}})
	}
	res, err := call[*sessionpb.ListSessionsResponse](v, req)
	for _, s := range res.GetSessions() {
		if ends := s.GetExpirationDate(); !ends.IsValid() || ends.AsTime().After(v.Store.Now()) {
			out = append(out, s)
		}
	}
	return out, err
}

func (v *visit) sessionOf(s *sessionpb.Session) session {
	out := session{
		ID: s.GetId(), Device: web.Browser(s.GetUserAgent().GetDescription()), Address: s.GetUserAgent().GetIp(), Here: s.GetId() == v.session.ID,
		Began: when(s.GetCreationDate()), Last: when(s.GetChangeDate()), Ends: when(s.GetExpirationDate()),
	}
	if out.Device == "" {
		out.Device = v.Texts.T("device-unknown")
	}
	f := s.GetFactors()
	for _, proof := range []struct {
		there bool
		key   string
	}{
		{f.GetPassword() != nil, "factor-password"},
		{f.GetWebAuthN().GetUserVerified(), "factor-passkey"},
		{f.GetWebAuthN() != nil && !f.GetWebAuthN().GetUserVerified(), "factor-u2f"},
		{f.GetTotp() != nil, "factor-totp"},
		{f.GetOtpEmail() != nil, "factor-otp-email"},
		{f.GetOtpSms() != nil, "factor-otp-sms"},
		{f.GetRecoveryCode() != nil, "factor-recovery"},
		{f.GetIntent() != nil, "proof-external"},
	} {
		if proof.there {
			out.Proofs = append(out.Proofs, v.Texts.T(proof.key))
		}
	}
	return out
}

// applicationOf is the login of an application, with how that is called where it is still
// there.
func (v *visit) applicationOf(t *userpb.RefreshToken) (application, error) {
	app, project, err := flow.ClientNames(v.AsNobody(), v.Store, t.GetClientId())
	if err != nil && fault.KindOf(err) == fault.KindInternal {
		return application{}, err
	}
	if app == "" {
		app = t.GetClientId()
	}
	return application{
		ID: t.GetId(), Name: app, Project: project, Scopes: strings.Join(t.GetScopes(), " "),
		Since: when(t.GetAuthTime()), Last: when(t.GetDetails().GetChangeDate()), Ends: when(t.GetExpiration()),
	}, nil
}

// tokenName is how the application is called whose login the page is about, which is one of
// the visitor's.
func tokenName(v *visit) (string, error) {
	tokens, err := call[*authpb.ListMyRefreshTokensResponse](v, &authpb.ListMyRefreshTokensRequest{})
	if err != nil {
		return "", err
	}
	for _, t := range tokens.GetResult() {
		if t.GetId() == v.R.PathValue("id") {
			app, err := v.applicationOf(t)
			return app.Name, err
		}
	}
	return "", errNoPage
}

// endSession ends one of the visitor's sessions: also who may end those of others does not
// do that here.
func endSession(v *visit) error {
	own, err := v.sessions(v.R.PathValue("id"))
	if err != nil {
		return err
	}
	if len(own) == 0 {
		return errNoPage
	}
	return v.end(own[0].GetId())
}

func (v *visit) end(id string) error {
	if err := v.do(&sessionpb.DeleteSessionRequest{SessionId: id}); err != nil {
		return err
	}
	v.Keep(v.Jar.Without(id))
	return nil
}

// endOthers ends all sessions of the visitor but this one.
func endOthers(v *visit) error {
	for {
		list, err := v.sessions()
		if err != nil {
			return err
		}
		ended := 0
		for _, s := range list {
			if s.GetId() == v.session.ID {
				continue
			}
			if err := v.end(s.GetId()); err != nil {
				return err
			}
			ended++
		}
		if ended == 0 || len(list) < maxSessions {
			return nil
		}
	}
}
