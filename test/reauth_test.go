package test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/assurance"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

// selfService are the RPCs by which people change how they log in or are reached, with
// a request about ada by herself.
var selfService = map[string]testkit.Call{
	"zitadel.auth.v1.AuthService/AddMyAuthFactorOTP":         {Do: "POST /auth/v1/users/me/auth_factors/otp"},
	"zitadel.auth.v1.AuthService/VerifyMyAuthFactorOTP":      {Do: "POST /auth/v1/users/me/auth_factors/otp/_verify", Body: `{"code":"123456"}`},
	"zitadel.auth.v1.AuthService/RemoveMyAuthFactorOTP":      {Do: "DELETE /auth/v1/users/me/auth_factors/otp"},
	"zitadel.auth.v1.AuthService/AddMyAuthFactorOTPEmail":    {Do: "POST /auth/v1/users/me/auth_factors/otp_email"},
	"zitadel.auth.v1.AuthService/RemoveMyAuthFactorOTPEmail": {Do: "DELETE /auth/v1/users/me/auth_factors/otp_email"},
	"zitadel.auth.v1.AuthService/AddMyAuthFactorOTPSMS":      {Do: "POST /auth/v1/users/me/auth_factors/otp_sms"},
	"zitadel.auth.v1.AuthService/RemoveMyAuthFactorOTPSMS":   {Do: "DELETE /auth/v1/users/me/auth_factors/otp_sms"},
	"zitadel.auth.v1.AuthService/AddMyAuthFactorU2F":         {Do: "POST /auth/v1/users/me/auth_factors/u2f"},
	"zitadel.auth.v1.AuthService/VerifyMyAuthFactorU2F":      {Do: "POST /auth/v1/users/me/auth_factors/u2f/_verify", Body: `{"verification":{"publicKeyCredential":"eyJpZCI6Inh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eCJ9","tokenName":"x"}}`},
	"zitadel.auth.v1.AuthService/RemoveMyAuthFactorU2F":      {Do: "DELETE /auth/v1/users/me/auth_factors/u2f/1"},
	"zitadel.auth.v1.AuthService/AddMyPasswordless":          {Do: "POST /auth/v1/users/me/passwordless"},
	"zitadel.auth.v1.AuthService/VerifyMyPasswordless":       {Do: "POST /auth/v1/users/me/passwordless/_verify", Body: `{"verification":{"publicKeyCredential":"eyJpZCI6Inh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eCJ9","tokenName":"x"}}`},
	"zitadel.auth.v1.AuthService/RemoveMyPasswordless":       {Do: "DELETE /auth/v1/users/me/passwordless/1"},
	"zitadel.auth.v1.AuthService/AddMyPasswordlessLink":      {Do: "POST /auth/v1/users/me/passwordless/_link"},
	"zitadel.auth.v1.AuthService/SendMyPasswordlessLink":     {Do: "POST /auth/v1/users/me/passwordless/_send_link"},
	"zitadel.auth.v1.AuthService/RemoveMyLinkedIDP":          {Do: "DELETE /auth/v1/users/me/idps/1/1"},
	"zitadel.auth.v1.AuthService/SetMyEmail":                 {Do: "PUT /auth/v1/users/me/email", Body: `{"email":"new@example.com"}`},
	"zitadel.auth.v1.AuthService/SetMyPhone":                 {Do: "PUT /auth/v1/users/me/phone", Body: `{"phone":"+41790000000"}`},
	"zitadel.auth.v1.AuthService/RemoveMyPhone":              {Do: "DELETE /auth/v1/users/me/phone"},
	"zitadel.user.v2.UserService/RegisterTOTP":               {Do: "POST /v2/users/$ada/totp"},
	"zitadel.user.v2.UserService/VerifyTOTPRegistration":     {Do: "POST /v2/users/$ada/totp/verify", Body: `{"code":"123456"}`},
	"zitadel.user.v2.UserService/RemoveTOTP":                 {Do: "DELETE /v2/users/$ada/totp"},
	"zitadel.user.v2.UserService/AddOTPEmail":                {Do: "POST /v2/users/$ada/otp_email"},
	"zitadel.user.v2.UserService/RemoveOTPEmail":             {Do: "DELETE /v2/users/$ada/otp_email"},
	"zitadel.user.v2.UserService/AddOTPSMS":                  {Do: "POST /v2/users/$ada/otp_sms"},
	"zitadel.user.v2.UserService/RemoveOTPSMS":               {Do: "DELETE /v2/users/$ada/otp_sms"},
	"zitadel.user.v2.UserService/RegisterU2F":                {Do: "POST /v2/users/$ada/u2f", Body: `{"domain":"localhost"}`},
	"zitadel.user.v2.UserService/VerifyU2FRegistration":      {Do: "POST /v2/users/$ada/u2f/1", Body: `{"publicKeyCredential":{"id":"x"},"tokenName":"x"}`},
	"zitadel.user.v2.UserService/RemoveU2F":                  {Do: "DELETE /v2/users/$ada/u2f/1"},
	"zitadel.user.v2.UserService/RegisterPasskey":            {Do: "POST /v2/users/$ada/passkeys"},
	"zitadel.user.v2.UserService/VerifyPasskeyRegistration":  {Do: "POST /v2/users/$ada/passkeys/1", Body: `{"publicKeyCredential":{"id":"x"},"passkeyName":"x"}`},
	"zitadel.user.v2.UserService/RemovePasskey":              {Do: "DELETE /v2/users/$ada/passkeys/1"},
	"zitadel.user.v2.UserService/GenerateRecoveryCodes":      {Do: "POST /v2/users/$ada/recovery_codes", Body: `{"count":1}`},
	"zitadel.user.v2.UserService/RemoveRecoveryCodes":        {Do: "DELETE /v2/users/$ada/recovery_codes"},
	"zitadel.user.v2.UserService/RemoveIDPLink":              {Do: "DELETE /v2/users/$ada/links/1/1"},
	"zitadel.user.v2.UserService/SetEmail":                   {Do: "POST /v2/users/$ada/email", Body: `{"email":"new@example.com"}`},
	"zitadel.user.v2.UserService/SetPhone":                   {Do: "POST /v2/users/$ada/phone", Body: `{"phone":"+41790000000"}`},
	"zitadel.user.v2.UserService/RemovePhone":                {Do: "DELETE /v2/users/$ada/phone"},
	"zitadel.user.v2.UserService/UpdateHumanUser":            {Do: "PUT /v2/users/human/$ada", Body: `{"email":{"email":"new@example.com"}}`},
	"zitadel.user.v2.UserService/UpdateUser":                 {Do: "PATCH /v2/users/$ada", Body: `{"human":{"phone":{"phone":"+41790000000"}}}`},
	// These only for who administers themselves.
	"zitadel.user.v2.UserService/AddIDPLink":                    {Do: "POST /v2/users/$ada/links", Body: `{"idpLink":{"idpId":"1","userId":"1","userName":"1"}}`},
	"zitadel.user.v2.UserService/SetPassword":                   {Do: "POST /v2/users/$ada/password", Body: `{"newPassword":{"password":"Another-Horse-1"}}`},
	"zitadel.user.v2.UserService/PasswordReset":                 {Do: "POST /v2/users/$ada/password_reset", Body: `{"returnCode":{}}`},
	"zitadel.user.v2.UserService/CreatePasskeyRegistrationLink": {Do: "POST /v2/users/$ada/passkeys/registration_link", Body: `{"returnCode":{}}`},
}

// noSelfService are the RPCs that are called alike and change nothing of that: they
// read, or are proved by a code or the password itself.
var noSelfService = regexp.MustCompile(`/(Get|List|Resend|SendEmailCode|Verify(My)?(Email|Phone)$|UpdateMyPassword$)`)

// TestSelfServiceIsComplete: an RPC that changes how its caller logs in is held
// against TestReauthentication, also one that is built later.
func TestSelfServiceIsComplete(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	contract, err := api.Contract()
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("OTP|U2F|Passkey|Passwordless|Recovery|Email|Phone|Password|Factor|IDPLink|LinkedIDP|UpdateUser|UpdateHuman")
	for _, m := range contract {
		name := strings.TrimPrefix(m.Procedure, "/")
		if !strings.HasPrefix(name, "zitadel.auth.v1.AuthService/") && !strings.HasPrefix(name, "zitadel.user.v2.UserService/") || !s.API.Built()[m.Procedure] {
			continue
		}
		if _, known := selfService[name]; !known && named.MatchString(name) && !noSelfService.MatchString(name) {
			t.Errorf("%s: add it to selfService", name)
		}
	}
}

const reauth = `{"code":9,"details":[{"id":"AUTH-reauth"}]}`

// atEase is a server on which ada, who has an authenticator app and administers her
// organization, logged in a quarter of an hour ago.
func atEase(t *testing.T) (*testkit.Server, *equipment) {
	t.Helper()
	s, _ := startSessions(t)
	person(t, s, s.OrgID, "ada")
	e := equip(t, s, "ada", user.TOTP)
	ownPolicy(t, s, "", "1,2,3,4,5", "1")
	s.Run(t,
		testkit.Call{Name: "an administrator", Do: "POST /management/v1/orgs/me/members", Body: `{"userId":"$ada","roles":["ORG_OWNER"]}`, Events: []string{"org.member.added"}},
		newSession("s", with("ada", withTOTP), append(checkedPassword, "session.totp.checked")...),
	)
	s.Clock.Advance(15 * time.Minute)
	return s, e
}

// TestReauthentication is T-44: with a session that was not just proved, nobody
// changes how they log in or are reached.
func TestReauthentication(t *testing.T) {
	t.Parallel()
	s, e := atEase(t)
	for name, c := range selfService {
		c.Name, c.As, c.Status, c.Want = name, "s", 400, reauth
		s.Run(t, c)
	}
	person(t, s, s.OrgID, "bob")
	e.next(t)
	told := func(what string) string {
		return `{"code":9,"message":"Prove again who you are before you do this: check ` + what + ` in this session. What was checked counts for 15 minutes here. (AUTH-reauth)"}`
	}
	remove := testkit.Call{Name: "remove the app", As: "s", Do: "DELETE /v2/users/$ada/totp", Status: 400}
	remove.Want = told("the password, and then a code of the authenticator app,")
	half, done := remove, remove
	half.Name, half.Want = "is half of it", told("a code of the authenticator app or a code by mail")
	done.Status, done.Want, done.Events = 0, "", []string{"user.human.mfa.otp.removed"}
	s.Run(t,
		remove,
		testkit.Call{Name: "the profile is another matter", As: "s", Do: "PUT /auth/v1/users/me/profile", Body: `{"firstName":"A","lastName":"L","displayName":"Ada"}`, Events: []string{"user.human.profile.changed"}},
		testkit.Call{Name: "so is looking", As: "s", Do: "GET /v2/users/$ada/authentication_methods"},
		testkit.Call{Name: "the password proves itself", As: "s", Do: "PUT /auth/v1/users/me/password", Body: `{"oldPassword":"` + password + `","newPassword":"` + password + `2"}`, Events: []string{checkPassed, "user.human.password.changed"}},
		testkit.Call{Name: "others are another matter", As: "s", Do: "POST /v2/users/$bob/email", Body: `{"email":"robert@example.com","isVerified":true}`, Events: []string{"user.human.email.changed", "user.human.email.verified"}},
		testkit.Call{Name: "also factors of others", As: "s", Do: "POST /v2/users/$bob/totp", Body: `{}`, Events: []string{"user.human.mfa.otp.added"}},
		testkit.Call{Name: "administrators are not asked", Do: "POST /v2/users/$ada/otp_email", Body: `{}`, Events: []string{"user.human.mfa.otp.email.added"}},
		setSession("the password again", `{"checks":{"password":{"password":"`+password+`2"}}}`, "session.password.checked"), half,
		setSession("and the app", `{"checks":{`+withTOTP+`}}`, "session.totp.checked"), done,
	)
	s.Clock.Advance(15 * time.Minute)
	s.Run(t, testkit.Call{Name: "what is left is asked for", As: "s", Do: "POST /v2/users/$ada/recovery_codes", Body: `{"count":1}`, Status: 400, Want: told("the password, and then a code by mail,")})
}

// TestFirstEnrolment: who has one factor proves that one, and then sets up a second.
func TestFirstEnrolment(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	person(t, s, s.OrgID, "ada")
	register := testkit.Call{Name: "register", As: "s", Do: "POST /v2/users/$ada/totp", Body: `{}`, Keep: map[string]string{"secret": "secret"}, Events: []string{"user.human.mfa.otp.added"}}
	late := register
	late.Name, late.Status, late.Keep, late.Events = "not with a session that lay around", 400, nil, nil
	late.Want = `{"message":"Prove again who you are before you do this: check the password in this session. What was checked counts for 15 minutes here. (AUTH-reauth)"}`
	s.Run(t, newSession("s", with("ada"), checkedPassword...))
	s.Clock.Advance(15 * time.Minute)
	s.Run(t, late, setSession("the password", `{"checks":{"password":{"password":"`+password+`"}}}`, "session.password.checked"), register)
	s.Run(t, testkit.Call{
		Name: "verify", As: "s", Do: "POST /v2/users/$ada/totp/verify", Body: `{"code":"` + totpCode(t, s.Var("secret"), s.Clock.Now()) + `"}`, Events: []string{"user.human.mfa.otp.verified"},
	})
	s.Run(t, me("from now on that is one of two", "s", 401))
}

// TestForcedEnrolment: where a second factor is demanded of who has none, one is
// enough to set it up, for as long as it is recent.
func TestForcedEnrolment(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	person(t, s, s.OrgID, "ada")
	ownPolicy(t, s, `,"forceMfa":true`, "1,3", "")
	s.Run(t, newSession("s", with("ada"), checkedPassword...), me("is not let in", "s", 401))
	enrol := func() error {
		t.Helper()
		a, err := flow.Assurance(t.Context(), s.Store, s.InstanceID, s.Var("s"))
		if err != nil || a.Need != assurance.Enrolment {
			t.Fatalf("verdict %+v (%v)", a.Verdict, err)
		}
		ref := user.Ref{Instance: s.InstanceID, Org: s.OrgID, UserID: s.Var("ada")}
		return s.Store.Write(authz.WithCaller(t.Context(), a.Caller(s.Clock.Now())), func(tx *eventstore.Tx) error {
			_, err := user.AddOTPEmail(tx, ref)
			return err
		})
	}
	s.Clock.Advance(15 * time.Minute)
	if err := enrol(); fault.Of(err).ID != "AUTH-reauth" {
		t.Errorf("after a quarter of an hour: %v", err)
	}
	s.Run(t, setSession("the password", `{"checks":{"password":{"password":"`+password+`"}}}`, "session.password.checked"))
	if err := enrol(); err != nil {
		t.Errorf("just proved: %v", err)
	}
	blind := &authz.Caller{Instance: s.InstanceID, UserID: s.Var("ada"), HomeOrg: s.OrgID, SessionID: s.Var("s")}
	if err := authz.RequireSure(authz.WithCaller(t.Context(), blind)); fault.Of(err).ID != "AUTH-reauth" {
		t.Errorf("a session at which nobody looked: %v", err)
	}
}
