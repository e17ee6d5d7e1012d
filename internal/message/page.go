package message

import "net/url"

// pages are where the links of messages lead at our own pages.
var pages = map[Kind]string{ //nolint:gosec // addresses
	Init:                     "/ui/login/user/init",
	PasswordReset:            "/ui/login/password/init",
	PasswordChange:           "/ui/login/login",
	VerifyEmail:              "/ui/login/mail/verification",
	VerifyEmailOTP:           "/ui/login/otp/verify",
	DomainClaimed:            "/ui/login/login",
	PasswordlessRegistration: "/ui/login/login/passwordless/init",
	InviteUser:               "/ui/login/user/invite",
}

// Link is the address of our own page for what a message is about, at the instance that is
// reached at origin; empty: there is none.
func (m Message) Link(origin url.URL) string {
	path, ok := pages[m.Kind]
	if !ok {
		return ""
	}
	origin.Path = path
	q := url.Values{"userID": {m.UserID}}
	for key, value := range map[string]string{"code": m.Code, "orgID": m.Org, "codeID": m.CodeID, "sessionID": m.SessionID} {
		if value != "" {
			q.Set(key, value)
		}
	}
	origin.RawQuery = q.Encode()
	return origin.String()
}
