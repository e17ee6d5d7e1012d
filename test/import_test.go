package test

import (
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

const (
	importPath   = "POST /management/v1/users/human/_import"
	importedTOTP = "JBSWY3DPEHPK3PXP"
	recoveryCode = "abcd-efgh-2345"
)

// imported is the body of an import of a human with a password and more.
func imported(name, more string) string {
	return `{"userName":"` + name + `","profile":{"firstName":"Ada","lastName":"Lovelace"},"email":{"email":"` + name + `@example.com","isEmailVerified":true},"password":"` + password + `"` + more + `}`
}

// TestImportedFactors: who had factors elsewhere logs in with them here.
func TestImportedFactors(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	ownPolicy(t, s, `,"forceMfa":true`, "1,5", "1")
	app := []string{"user.human.added", "user.human.email.verified", "user.human.mfa.otp.added", "user.human.mfa.otp.verified"}
	v2 := func(name string) string {
		return `"profile":{"givenName":"Ada","familyName":"Lovelace"},"email":{"email":"` + name + `@example.com","isVerified":true},"password":{"password":"` + password + `"},"totpSecret":"` + importedTOTP + `"`
	}
	s.Run(t,
		testkit.Call{
			Name: "import", Do: importPath, Keep: map[string]string{"ada": "userId"}, Want: `{"passwordlessRegistration":{"link":"*","lifetime":"3600s","expiration":"3600s"}}`,
			Body:   imported("ada", `,"otpCode":"jbsw y3dp ehpk 3pxp==","recoveryCodes":[{"raw":"`+recoveryCode+`"}],"requestPasswordlessRegistration":true`),
			Events: append(app[:4:4], "user.human.mfa.recoverycode.added", "user.human.passwordless.initialization.code.added"),
		},
		testkit.Call{
			Name: "her factors", Do: "GET /v2/users/$ada/authentication_methods",
			Want: `{"authMethodTypes":["AUTHENTICATION_METHOD_TYPE_PASSWORD","AUTHENTICATION_METHOD_TYPE_TOTP","AUTHENTICATION_METHOD_TYPE_RECOVERY_CODE"]}`,
		},
		testkit.Call{Name: "no secret is told", Do: "POST /admin/v1/events/_search", Body: `{"aggregateId":"$ada","eventTypes":["user.human.mfa.otp.added","user.human.mfa.recoverycode.added"]}`, Want: `{"events":[{"payload":{"otpSecret":null}},{"payload":{"codes":null}}]}`},
		testkit.Call{Name: "add", Do: "POST /v2/users/human", Body: `{"username":"bea",` + v2("bea") + `}`, Events: app},
		testkit.Call{Name: "create", Do: "POST /v2/users/new", Body: `{"organizationId":"$org","username":"cleo","human":{` + v2("cleo") + `}}`, Events: app},
	)
	s.Clock.Advance(crypto.TOTPPeriod)
	s.Set("totp", totpCode(t, importedTOTP, s.Clock.Now()))
	s.Set("recovery", recoveryCode)
	for _, name := range []string{"ada", "bea", "cleo"} {
		s.Run(t, newSession("session of "+name, with(name, withTOTP), append(checkedPassword, "session.totp.checked")...))
	}
	s.Run(t, newSession("recovered", with("ada", withRecovery), append(checkedPassword, "session.recoveryCode.checked")...))
}

// TestImportedRecoveryHashes: recovery codes that came as hashes, of ours or of another
// system, work once each.
func TestImportedRecoveryHashes(t *testing.T) {
	t.Parallel()
	s, _ := startSessions(t)
	ownPolicy(t, s, "", "5", "1")
	slow, err := bcrypt.GenerateFromPassword([]byte("Old-Code"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	s.Run(t, testkit.Call{
		Name: "import", Do: importPath, Keep: map[string]string{"ada": "userId"}, Events: []string{"user.human.added", "user.human.email.verified", "user.human.mfa.recoverycode.added"},
		Body: imported("ada", `,"recoveryCodes":[{"hash":"`+string(slow)+`"},{"hash":"`+crypto.HashCode(recoveryCode)+`"}]`),
	})
	try := func(name, code string, right bool) {
		t.Helper()
		s.Set("recovery", code)
		c := newSession(name, with("ada", withRecovery), append(checkedPassword, "session.recoveryCode.checked")...)
		if !right {
			c.Status, c.KeepAs, c.Keep, c.Events, c.Want = 400, "", nil, []string{"user.human.password.check.succeeded", "user.human.mfa.recoverycode.check.failed"}, `{"details":[{"id":"USER-code-wrong"}]}`
		}
		s.Run(t, c)
	}
	try("none of them", "oldcode", false)
	try("the slow one", " Old-Code", true)
	try("it is used up", "Old-Code", false)
	try("ours", strings.ToUpper(recoveryCode), true)
}

// TestImportRefuses: what is no factor is refused, and nobody is made.
func TestImportRefuses(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	for name, c := range map[string]struct{ more, id string }{
		"a secret that is no base32":   {`,"otpCode":"01189998819991197253"`, "USER-totp-secret"},
		"a secret that is too short":   {`,"otpCode":"JBSWY3DPEHPK3"`, "USER-totp-secret"},
		"a code that can be guessed":   {`,"recoveryCodes":[{"raw":"1234-5678-90"}]`, "USER-recovery-import"},
		"the same code twice":          {`,"recoveryCodes":[{"raw":"` + recoveryCode + `"},{"raw":"ABCDEFGH2345"}]`, "USER-recovery-import"},
		"a hash of nothing known":      {`,"recoveryCodes":[{"hash":"x"}]`, "USER-recovery-hash"},
		"a hash of a costly scheme":    {`,"recoveryCodes":[{"hash":"$2b$31$1CJW08.lersqFpIvwPqbr.aJ4iQH/SkyIHAXwBoRdSpDURVNgnBqC"}]`, "USER-recovery-hash"},
		"a hash that is in capitals":   {`,"recoveryCodes":[{"hash":"` + strings.ToUpper(crypto.HashCode("b")) + `"}]`, "USER-recovery-hash"},
		"a code in both forms":         {`,"recoveryCodes":[{"raw":"` + recoveryCode + `"},{"hash":"` + crypto.HashCode(recoveryCode) + `"}]`, "USER-recovery-import"},
		"a recovery code that is none": {`,"recoveryCodes":[{}]`, "USER-recovery-import"},
	} {
		s.Run(t, testkit.Call{Name: name, Do: importPath, Body: imported("ada", c.more), Status: 400, Want: `{"code":3,"details":[{"id":"` + c.id + `"}]}`})
	}
	s.Run(t,
		testkit.Call{Name: "no passkeys here", Do: "POST " + loginPath, Body: `{"allowUsernamePassword":true}`, Events: []string{"org.policy.login.added"}},
		testkit.Call{Name: "and no link for one", Do: importPath, Body: imported("ada", `,"requestPasswordlessRegistration":true`), Status: 400, Want: notListed},
		testkit.Call{Name: "nobody was made", Do: "POST /v2/users", Body: `{"queries":[{"userNameQuery":{"userName":"ada"}}]}`, Want: `{"result":null}`},
	)
}
