package console

import (
	"strings"

	"google.golang.org/protobuf/proto"

	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/object/v2"
	sessionpb "github.com/gatehouse/gatehouse/gen/zitadel/session/v2"
	"github.com/gatehouse/gatehouse/internal/web"
)

// The permissions on sessions.
const (
	sessionRead   = "session.read"
	sessionDelete = "session.delete"
)

// sessionPages are about who is logged in: one user, and everybody.
func sessionPages() (out []page) {
	end := bulk{name: "end", permission: sessionDelete, help: "sessions-end-help", request: func(_ *visit, id string) proto.Message { return &sessionpb.DeleteSessionRequest{SessionId: id} }}
	out = append(out, list[*sessionpb.ListSessionsResponse]{
		path: atUser + "/sessions", permission: sessionRead, title: "sessions", help: "sessions-of-help", empty: "sessions-of-empty", columns: []string{"browser", "proved", "created", "expires"},
		ask:  func(v *visit, _ string) proto.Message { return listSessions(v.userID(), pageSize) },
		rows: userSessionRows, of: atHand, bulk: []bulk{end},
		more: []entry{{atUser + "/sessions/end", "sessions-end-all", sessionDelete}},
	}.pages()...)
	out = append(out, action{
		path: atUser + "/sessions/end", permission: sessionDelete, title: "sessions-end-all", help: "sessions-end-all-help", danger: true,
		send: endSessions, then: backTo(atUser+"/sessions", "ended"), crumbs: inUser,
	}.pages()...)
	out = append(out, list[*sessionpb.ListSessionsResponse]{
		path: "sessions", permission: sessionRead, title: "sessions", help: "sessions-help", empty: "sessions-empty", columns: []string{"user", "browser", "proved", "created", "expires"},
		ask:  func(*visit, string) proto.Message { return listSessions("", pageSize) },
		rows: sessionRows, bulk: []bulk{end},
		more: []entry{{"sessions-of", "sessions-of", sessionRead}},
	}.pages()...)
	out = append(out, picker{
		path: "sessions-of", permission: sessionRead, title: "sessions-of", help: "sessions-of-pick", then: func(_ *visit, org, id string) string { return prefix + "orgs/" + org + "/users/" + id + "/sessions" },
		crumbs: func(v *visit) []crumb { return []crumb{{URL: prefix + "sessions", Text: v.Texts.T("sessions")}} },
	}.pages()...)
	return out
}

// listSessions asks for the sessions of a user, or of all, the newest first.
func listSessions(user string, limit uint32) *sessionpb.ListSessionsRequest {
	req := &sessionpb.ListSessionsRequest{Query: &objectpb.ListQuery{Limit: limit}, SortingColumn: sessionpb.SessionFieldName_SESSION_FIELD_NAME_CREATION_DATE}
	if user != "" {
		req.Queries = []*sessionpb.SearchQuery{{Query: &sessionpb.SearchQuery_UserIdQuery{UserIdQuery: &sessionpb.UserIDQuery{Id: user}}}}
	}
	return req
}

// endSessions ends all sessions of a user, page by page.
func endSessions(v *visit) (proto.Message, error) {
	const most = 1000
	for ended := 0; ended < most; {
		res, err := call[*sessionpb.ListSessionsResponse](v, listSessions(v.userID(), 100))
		if err != nil || len(res.GetSessions()) == 0 {
			return res, err
		}
		for _, s := range res.GetSessions() {
			if err := v.do(&sessionpb.DeleteSessionRequest{SessionId: s.GetId()}); err != nil {
				return nil, err
			}
			ended++
		}
	}
	return nil, nil //nolint:nilnil // whoever has more ends them with the next call
}

func userSessionRows(v *visit, res *sessionpb.ListSessionsResponse) (out []row, total uint64) {
	for _, s := range res.GetSessions() {
		out = append(out, row{ID: s.GetId(), Cells: sessionCells(v, s)})
	}
	return out, res.GetDetails().GetTotalResult()
}

func sessionRows(v *visit, res *sessionpb.ListSessionsResponse) (out []row, total uint64) {
	for _, s := range res.GetSessions() {
		u := s.GetFactors().GetUser()
		r := row{ID: s.GetId(), Cells: append([]cell{{Text: u.GetDisplayName(), Quiet: u.GetLoginName()}}, sessionCells(v, s)...)}
		if u == nil {
			r.Cells[0].Text = v.Texts.T("nobody-yet")
		} else {
			r.Link = prefix + "orgs/" + u.GetOrganizationId() + "/users/" + u.GetId() + "/sessions"
		}
		out = append(out, r)
	}
	return out, res.GetDetails().GetTotalResult()
}

// sessionCells are where a session is, what was proved in it, and how long it lasts.
func sessionCells(v *visit, s *sessionpb.Session) []cell {
	agent := s.GetUserAgent()
	browser := cell{Text: web.Browser(agent.GetDescription()), Quiet: agent.GetIp()}
	if browser.Text == "" {
		browser.Text = v.Texts.T("browser-unknown")
	}
	if s.GetId() == v.session.ID {
		browser.Quiet = strings.Trim(v.Texts.T("this-is-you")+" · "+browser.Quiet, " ·")
	}
	expires := when(s.GetExpirationDate())
	if expires == "" {
		expires = v.Texts.T("never")
	}
	return []cell{browser, {Text: strings.Join(proofs(v, s.GetFactors()), ", ")}, {Text: when(s.GetCreationDate())}, {Text: expires}}
}

// proofs are what somebody proved who they are with.
func proofs(v *visit, f *sessionpb.Factors) (out []string) {
	for _, p := range []struct {
		there bool
		key   string
	}{
		{f.GetPassword() != nil, "password"},
		{f.GetWebAuthN() != nil && f.GetWebAuthN().GetUserVerified(), "AUTHENTICATION_METHOD_TYPE_PASSKEY"},
		{f.GetWebAuthN() != nil && !f.GetWebAuthN().GetUserVerified(), "AUTHENTICATION_METHOD_TYPE_U2F"},
		{f.GetIntent() != nil, "AUTHENTICATION_METHOD_TYPE_IDP"},
		{f.GetTotp() != nil, "AUTHENTICATION_METHOD_TYPE_TOTP"},
		{f.GetOtpSms() != nil, "AUTHENTICATION_METHOD_TYPE_OTP_SMS"},
		{f.GetOtpEmail() != nil, "AUTHENTICATION_METHOD_TYPE_OTP_EMAIL"},
		{f.GetRecoveryCode() != nil, "AUTHENTICATION_METHOD_TYPE_RECOVERY_CODE"},
	} {
		if p.there {
			out = append(out, v.Texts.T(p.key))
		}
	}
	if len(out) == 0 {
		out = []string{v.Texts.T("proved-nothing")}
	}
	return out
}
