package test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

func TestOTPFactors(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ref := inHouse(t, s)
	const v2, mine, managed = "/v2/users/$ann", "/auth/v1/users/me/auth_factors", "/management/v1/users/$ann/auth_factors"
	s.Run(t,
		testkit.Call{Name: "no verified phone", As: "ann", Do: "POST " + v2 + "/otp_sms", Body: `{}`, Status: 400, Want: `{"code":9,"details":[{"id":"USER-phone-unverified"}]}`},
		testkit.Call{Name: "no verified address", As: "ann", Do: "POST " + v2 + "/otp_email", Body: `{}`, Status: 400, Want: `{"code":9,"details":[{"id":"USER-email-unverified"}]}`},
		testkit.Call{Name: "none of both in version 1", As: "ann", Do: "POST " + mine + "/otp_sms", Body: `{}`, Status: 400},
	)
	verifyEmail(t, s, ref)
	verifyPhone(t, s, ref)
	for _, c := range []struct{ path, event string }{{"otp_sms", "user.human.mfa.otp.sms."}, {"otp_email", "user.human.mfa.otp.email."}} {
		added, removed := []string{c.event + "added"}, []string{c.event + "removed"}
		s.Run(t,
			testkit.Call{Name: "not by guests", As: "guest", Do: "POST " + v2 + "/" + c.path, Body: `{}`, Status: 404, Want: noSuchOne},
			testkit.Call{Name: "nothing to remove", As: "ann", Do: "DELETE " + v2 + "/" + c.path, Status: 404, Want: noFactor},
			testkit.Call{Name: "add", As: "ann", Do: "POST " + v2 + "/" + c.path, Body: `{}`, Want: `{"details":{"resourceOwner":"$acme"}}`, Events: added},
			testkit.Call{Name: "again", As: "ann", Do: "POST " + v2 + "/" + c.path, Body: `{}`, Status: 409, Want: `{"details":[{"id":"USER-factor-exists"}]}`},
			testkit.Call{Name: "remove by a clerk", As: "clerk", Do: "DELETE " + v2 + "/" + c.path, Events: removed},
			testkit.Call{Name: "add in version 1", As: "ann", Do: "POST " + mine + "/" + c.path, Body: `{}`, Want: `{"details":{"creationDate":"*"}}`, Events: added},
			testkit.Call{Name: "remove in version 1", As: "ann", Do: "DELETE " + mine + "/" + c.path, Events: removed},
			testkit.Call{Name: "not by a clerk", As: "clerk", Do: "POST " + v2 + "/" + c.path, Body: `{}`, Status: 403},
			testkit.Call{Name: "add by the owner", As: "boss", Do: "POST " + v2 + "/" + c.path, Body: `{}`, Events: added},
			testkit.Call{Name: "remove by the owner", As: "boss", In: "$acme", Do: "DELETE " + managed + "/" + c.path, Events: removed},
		)
	}
	s.Run(t,
		testkit.Call{Name: "both", As: "ann", Do: "POST " + v2 + "/otp_sms", Body: `{}`, Events: []string{"user.human.mfa.otp.sms.added"}},
		testkit.Call{Name: "and mail", As: "ann", Do: "POST " + v2 + "/otp_email", Body: `{}`, Events: []string{"user.human.mfa.otp.email.added"}},
		testkit.Call{Name: "listed", As: "ann", Do: "POST " + mine + "/_search", Want: `{"result":[{"state":"AUTH_FACTOR_STATE_READY","otpSms":{}},{"otpEmail":{}}]}`},
		testkit.Call{Name: "one kind", As: "boss", Do: "POST " + v2 + "/authentication_factors/_search?authFactors=OTP_EMAIL", Want: `{"result":[{"otpEmail":{}}]}`},
		testkit.Call{
			Name: "the methods", As: "boss", Do: "GET " + v2 + "/authentication_methods",
			Want: `{"details":{"totalResult":"3","timestamp":"*"},"authMethodTypes":["AUTHENTICATION_METHOD_TYPE_PASSWORD","AUTHENTICATION_METHOD_TYPE_OTP_SMS","AUTHENTICATION_METHOD_TYPE_OTP_EMAIL"]}`,
		},
		testkit.Call{Name: "not for guests", As: "guest", Do: "GET " + v2 + "/authentication_methods", Status: 404, Want: noSuchOne},
		testkit.Call{Name: "nor the factors", As: "guest", Do: "POST " + v2 + "/authentication_factors/_search", Status: 404, Want: noSuchOne},
		testkit.Call{Name: "nobody", Do: "GET /v2/users/31415/authentication_methods", Status: 404, Want: noSuchOne},
		testkit.Call{Name: "of another organization", As: "boss", In: "$acme", Do: "POST /management/v1/users/$guest/auth_factors/_search", Status: 404, Want: noSuchOne},
	)
}

func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ref := inHouse(t, s)
	const path = "/v2/users/$ann/recovery_codes"
	s.Run(t,
		testkit.Call{Name: "none to remove", As: "ann", Do: "DELETE " + path, Status: 404, Want: noFactor},
		testkit.Call{Name: "too many", As: "ann", Do: "POST " + path, Body: `{"count":51}`, Status: 400},
		testkit.Call{Name: "not by guests", As: "guest", Do: "POST " + path, Body: `{"count":1}`, Status: 404, Want: noSuchOne},
		testkit.Call{
			Name: "generate", As: "ann", Do: "POST " + path, Body: `{"count":2}`, Want: `{"details":{"resourceOwner":"$acme"},"recoveryCodes":["*","*"]}`,
			Keep: map[string]string{"void": "recoveryCodes.0"}, Events: []string{"user.human.mfa.recoverycode.added"},
		},
		testkit.Call{
			Name: "anew", As: "ann", Do: "POST " + path, Body: `{"count":2}`, Keep: map[string]string{"one": "recoveryCodes.0", "two": "recoveryCodes.1"},
			Events: []string{"user.human.mfa.recoverycode.removed", "user.human.mfa.recoverycode.added"},
		},
		testkit.Call{Name: "no second factor to list", As: "ann", Do: "POST /v2/users/$ann/authentication_factors/_search", Want: `{"result":null}`},
		testkit.Call{Name: "but a method", As: "ann", Do: "GET /v2/users/$ann/authentication_methods", Want: `{"details":{"totalResult":"2"},"authMethodTypes":["AUTHENTICATION_METHOD_TYPE_PASSWORD","AUTHENTICATION_METHOD_TYPE_RECOVERY_CODE"]}`},
	)
	check := func(code string) string {
		return fault.Of(user.CheckRecoveryCode(context.Background(), s.Store, counted, ref, code)).ID
	}
	if id := check(s.Var("void")); id != "USER-recovery" {
		t.Errorf("a code from before: %q", id)
	}
	if passed := atOnce(50, func(int) error {
		return user.CheckRecoveryCode(context.Background(), s.Store, counted, ref, s.Var("one"))
	}); passed != 1 {
		t.Errorf("a code passed %d times", passed)
	}
	if err := user.CheckRecoveryCode(context.Background(), s.Store, counted, ref, s.Var("two")); err != nil {
		t.Errorf("the other code: %v", err)
	}
	if id := check(s.Var("two")); id != "USER-factor-missing" {
		t.Errorf("after the last code: %q", id)
	}
	s.Run(t,
		testkit.Call{Name: "once more", As: "ann", Do: "POST " + path, Body: `{"count":1}`, Events: []string{"user.human.mfa.recoverycode.added"}},
		testkit.Call{Name: "remove", As: "clerk", Do: "DELETE " + path, Want: `{"details":{"resourceOwner":"$acme"}}`, Events: []string{"user.human.mfa.recoverycode.removed"}},
	)
}

// atOnce runs fn n times at the same time and counts the successes.
func atOnce(n int, fn func(i int) error) int64 {
	var passed atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			if fn(i) == nil {
				passed.Add(1)
			}
		})
	}
	close(start)
	wg.Wait()
	return passed.Load()
}

// readyTOTP sets up an authenticator app for ann.
func readyTOTP(t *testing.T, s *testkit.Server) {
	t.Helper()
	s.Check(t, testkit.Call{Do: "POST /v2/users/$ann/totp", As: "ann", Body: `{}`, Keep: map[string]string{"secret": "secret"}, Events: []string{"user.human.mfa.otp.added"}})
	s.Check(t, testkit.Call{
		Do: "POST /v2/users/$ann/totp/verify", As: "ann", Body: `{"code":"` + totpCode(t, s.Var("secret"), s.Clock.Now()) + `"}`, Events: []string{"user.human.mfa.otp.verified"},
	})
	s.Clock.Advance(crypto.TOTPPeriod)
}

// TestTOTPOnce is T-43: of all who use a code at once, on two nodes, one succeeds.
func TestTOTPOnce(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ref := inHouse(t, s)
	readyTOTP(t, s)
	other := s.Sibling(t)
	other.Clock.Advance(crypto.TOTPPeriod)
	code := totpCode(t, s.Var("secret"), s.Clock.Now())
	before := len(s.Events(t))
	if passed := atOnce(50, func(i int) error {
		node := []*testkit.Server{s, other}[i%2]
		return user.CheckTOTP(context.Background(), node.Store, node.Vault, counted, ref, code)
	}); passed != 1 {
		t.Errorf("the code passed %d times", passed)
	}
	succeeded := 0
	for _, e := range s.Events(t)[before:] {
		if e == "user.human.mfa.otp.check.succeeded" {
			succeeded++
		} else if e != "user.human.mfa.otp.check.failed" {
			t.Errorf("event %s", e)
		}
	}
	if succeeded != 1 {
		t.Errorf("%d checks succeeded", succeeded)
	}
}

// TestFactorChecks: what a check depends on besides the code.
func TestFactorChecks(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ref := inHouse(t, s)
	readyTOTP(t, s)
	ctx := context.Background()
	code := totpCode(t, s.Var("secret"), s.Clock.Now())
	check := func(ctx context.Context, r user.Ref) string {
		return fault.Of(user.CheckTOTP(ctx, s.Store, s.Vault, counted, r, code)).ID
	}
	refused := fault.Exhausted("X", "Too often.")
	never := func(context.Context, func(context.Context) (bool, error)) error { return refused }
	if err := user.CheckTOTP(ctx, s.Store, s.Vault, never, ref, code); fault.Of(err).ID != "X" {
		t.Errorf("a guard that refuses: %v", err)
	}
	if id := check(ctx, user.Ref{Instance: ref.Instance, Org: s.OrgID, UserID: ref.UserID}); id != "USER-missing" {
		t.Errorf("in another organization: %q", id)
	}
	before := len(s.Events(t))
	dry := eventstore.WithOrigin(ctx, eventstore.Origin{DryRun: true})
	if err := user.CheckTOTP(dry, s.Store, s.Vault, counted, ref, "000000"); fault.Of(err).ID != "USER-totp" || len(s.Events(t)) != before+1 {
		t.Errorf("a wrong code in a dry run: %v, %d events", err, len(s.Events(t))-before)
	}
	const factors = "DELETE /admin/v1/policies/login/second_factors/SECOND_FACTOR_TYPE_OTP"
	s.Run(t,
		testkit.Call{Name: "deactivate", Do: "POST /v2/users/$ann/deactivate", Body: `{}`, Events: []string{"user.deactivated"}},
	)
	if id := check(ctx, ref); id != "USER-not-active" {
		t.Errorf("an inactive user: %q", id)
	}
	s.Run(t,
		testkit.Call{Name: "reactivate", Do: "POST /v2/users/$ann/reactivate", Body: `{}`, Events: []string{"user.reactivated"}},
		testkit.Call{Name: "the policy ends the factor", Do: factors, Events: []string{"instance.policy.login.secondfactor.removed"}},
		testkit.Call{Name: "nobody sets it up", As: "ann", Do: "POST /v2/users/$ann/totp", Body: `{}`, Status: 400, Want: notListed},
		testkit.Call{Name: "what is set up stays", As: "ann", Do: "POST /v2/users/$ann/authentication_factors/_search", Want: `{"result":[{"otp":{}}]}`},
	)
	if id := check(ctx, ref); id != "USER-factor-policy" {
		t.Errorf("a factor that the policy does not list: %q", id)
	}
	s.Run(t, testkit.Call{
		Name: "the policy has it again", Do: "POST /admin/v1/policies/login/second_factors", Body: `{"type":"SECOND_FACTOR_TYPE_OTP"}`,
		Events: []string{"instance.policy.login.secondfactor.added"},
	})
	if err := user.CheckTOTP(ctx, s.Store, s.Vault, counted, ref, code); err != nil {
		t.Errorf("as before: %v", err)
	}
	for _, kind := range []string{"otp_sms", "otp_email", "recovery_codes"} {
		s.Run(t,
			testkit.Call{
				Name: "end " + kind, Do: "DELETE /admin/v1/policies/login/second_factors/" + map[string]string{"otp_sms": "4", "otp_email": "3", "recovery_codes": "5"}[kind],
				Events: []string{"instance.policy.login.secondfactor.removed"},
			},
			testkit.Call{Name: "refuse " + kind, As: "ann", Do: "POST /v2/users/$ann/" + kind, Body: `{"count":1}`, Status: 400, Want: notListed},
		)
	}
}
