package test

import (
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

// human adds a person of an organization who can call, under a name. Only machines
// can be given tokens, so the event of one is written as the log has it.
func human(t *testing.T, s *testkit.Server, org, name string) user.Ref {
	t.Helper()
	token, hash := user.NewToken()
	ref := user.Ref{Instance: s.InstanceID, Org: s.Expand(org)}
	err := s.Store.Write(authz.AsSystem(context.Background(), s.InstanceID), func(tx *eventstore.Tx) error {
		ref.UserID = tx.NewID()
		h := user.Human{UserName: name, Email: name + "@example.com", Phone: "+41791234567"}
		if _, err := user.AddHuman(tx, ref.Instance, ref.Org, ref.UserID, &h, user.Password{Hash: "x"}); err != nil {
			return err
		}
		emit := reflect.ValueOf(user.PATAdded.Emit)
		payload := reflect.New(emit.Type().In(2))
		if err := json.Unmarshal(fmt.Appendf(nil, `{"tokenId":%q,"hash":%q}`, tx.NewID(), hash), payload.Interface()); err != nil {
			return err
		}
		a := eventstore.Aggregate{Instance: ref.Instance, Type: "user", ID: ref.UserID, Owner: ref.Org}
		err, _ := reflect.TypeAssert[error](emit.Call([]reflect.Value{reflect.ValueOf(tx), reflect.ValueOf(a), payload.Elem()})[1])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Set(name, ref.UserID)
	s.SetToken(name, token)
	return ref
}

// verifyEmail makes the address of a person a verified one.
func verifyEmail(t *testing.T, s *testkit.Server, r user.Ref) {
	t.Helper()
	if err := s.Store.Write(authz.AsSystem(context.Background(), s.InstanceID), func(tx *eventstore.Tx) error {
		_, err := user.VerifyEmail(tx, r.Instance, r.Org, r.UserID)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// verifyPhone makes the number of a person a verified one until the test ends: no
// event does that yet.
func verifyPhone(t *testing.T, s *testkit.Server, r user.Ref) {
	t.Helper()
	set := func(verified int) {
		if err := s.DB.Write(context.Background(), func(tx *database.Tx) error {
			tx.Exec(database.Statement{SQL: "UPDATE humans SET phone_verified = ? WHERE user_id = ?", Args: []any{verified, r.UserID}})
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	set(1)
	t.Cleanup(func() { set(0) })
}

// totpCode is what an authenticator app shows at a time (RFC 6238).
func totpCode(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(at.Unix()/30)))
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[19]&0xf:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000)
}

// counted is a guard that lets every check run.
func counted(ctx context.Context, check func(context.Context) (bool, error)) error {
	_, err := check(ctx)
	return err
}

// inHouse is Acme with its owner boss, and Other with guest; ann is of Acme and may
// do nothing but act on herself. All second factors are listed.
func inHouse(t *testing.T, s *testkit.Server) user.Ref {
	t.Helper()
	inAll(t, s)
	for _, factor := range []string{"OTP_EMAIL", "OTP_SMS", "RECOVERY_CODES"} {
		s.Run(t, testkit.Call{
			Name: "list " + factor, Do: "POST /admin/v1/policies/login/second_factors", Body: `{"type":"SECOND_FACTOR_TYPE_` + factor + `"}`,
			Events: []string{"instance.policy.login.secondfactor.added"},
		})
	}
	return human(t, s, "$acme", "ann")
}

const (
	noFactor  = `{"code":5,"details":[{"id":"USER-factor-missing"}]}`
	noSuchOne = `{"code":5,"message":"There is no such user. (USER-missing)"}`
	notListed = `{"code":9,"details":[{"id":"USER-factor-policy"}]}`
)

func TestTOTP(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	ref := inHouse(t, s)
	const path = "/v2/users/$ann/totp"
	code := func() string { return totpCode(t, s.Var("secret"), s.Clock.Now()) }
	s.Run(t,
		testkit.Call{Name: "not by guests", As: "guest", Do: "POST " + path, Body: `{}`, Status: 404, Want: noSuchOne},
		testkit.Call{Name: "nothing to verify", As: "ann", Do: "POST " + path + "/verify", Body: `{"code":"123456"}`, Status: 404, Want: noFactor},
		testkit.Call{Name: "nothing to remove", As: "ann", Do: "DELETE " + path, Status: 404, Want: noFactor},
		testkit.Call{Name: "no machine", As: "boss", Do: "POST /v2/users/$clerk/totp", Body: `{}`, Status: 400, Want: `{"details":[{"id":"USER-no-human"}]}`},
		testkit.Call{
			Name: "register", As: "ann", Do: "POST " + path, Body: `{}`, Want: `{"details":{"sequence":"*","changeDate":"*","resourceOwner":"$acme"},"uri":"*","secret":"*"}`,
			Keep: map[string]string{"first": "secret", "uri": "uri"}, Events: []string{"user.human.mfa.otp.added"},
		},
		testkit.Call{Name: "again, which voids the first", As: "ann", Do: "POST " + path, Body: `{}`, Keep: map[string]string{"secret": "secret"}, Events: []string{"user.human.mfa.otp.added"}},
	)
	if uri := s.Var("uri"); !strings.HasPrefix(uri, "otpauth://totp/localhost:ann?") || !strings.Contains(uri, "secret="+s.Var("first")) {
		t.Errorf("uri %s", uri)
	}
	s.Run(t,
		testkit.Call{Name: "not ready", As: "ann", Do: "POST /v2/users/$ann/authentication_factors/_search", Want: `{"result":null}`},
		testkit.Call{Name: "shown as such", As: "boss", Do: "POST /management/v1/users/$ann/auth_factors/_search", In: "$acme", Want: `{"result":[{"state":"AUTH_FACTOR_STATE_NOT_READY","otp":{}}]}`},
		testkit.Call{Name: "the first one's code", As: "ann", Do: "POST " + path + "/verify", Body: `{"code":"` + totpCode(t, s.Var("first"), s.Clock.Now()) + `"}`, Status: 400, Want: `{"code":3,"details":[{"id":"USER-totp"}]}`},
		testkit.Call{Name: "verify", As: "ann", Do: "POST " + path + "/verify", Body: `{"code":"` + code() + `"}`, Want: `{"details":{"resourceOwner":"$acme"}}`, Events: []string{"user.human.mfa.otp.verified"}},
		testkit.Call{Name: "verify again", As: "ann", Do: "POST " + path + "/verify", Body: `{"code":"` + code() + `"}`, Status: 400, Want: `{"code":9,"details":[{"id":"USER-totp-ready"}]}`},
		testkit.Call{Name: "one is enough", As: "ann", Do: "POST " + path, Body: `{}`, Status: 409, Want: `{"details":[{"id":"USER-factor-exists"}]}`},
		testkit.Call{Name: "ready", As: "ann", Do: "POST /v2/users/$ann/authentication_factors/_search", Want: `{"result":[{"state":"AUTH_FACTOR_STATE_READY","otp":{}}]}`},
	)
	check := func(code string) error {
		return user.CheckTOTP(context.Background(), s.Store, s.Vault, counted, ref, code)
	}
	used := code()
	if err := check(used); fault.Of(err).ID != "USER-totp" {
		t.Errorf("the code of the registration is good again: %v", err)
	}
	s.Clock.Advance(crypto.TOTPPeriod)
	if err := check(code()); err != nil {
		t.Errorf("the next code: %v", err)
	}
	if err := check(used); fault.Of(err).ID != "USER-totp" {
		t.Errorf("an older code is good: %v", err)
	}
	s.Run(t,
		testkit.Call{Name: "not by guests", As: "guest", Do: "DELETE " + path, Status: 404, Want: noSuchOne},
		testkit.Call{Name: "remove", As: "clerk", Do: "DELETE " + path, Want: `{"details":{"resourceOwner":"$acme"}}`, Events: []string{"user.human.mfa.otp.removed"}},
	)
	s.Clock.Advance(crypto.TOTPPeriod)
	if err := check(code()); fault.Of(err).ID != "USER-factor-missing" {
		t.Errorf("a removed app: %v", err)
	}
}

func TestTOTPOfVersion1(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	inHouse(t, s)
	const path = "/auth/v1/users/me/auth_factors/otp"
	s.Run(t,
		testkit.Call{
			Name: "add", As: "ann", Do: "POST " + path, Body: `{}`, Want: `{"details":{"sequence":"*","creationDate":"*","resourceOwner":"$acme"},"url":"*"}`,
			Keep: map[string]string{"secret": "secret"}, Events: []string{"user.human.mfa.otp.added"},
		},
		testkit.Call{Name: "listed", As: "ann", Do: "POST /auth/v1/users/me/auth_factors/_search", Want: `{"result":[{"state":"AUTH_FACTOR_STATE_NOT_READY","otp":{}}]}`},
	)
	s.Run(t,
		testkit.Call{Name: "verify", As: "ann", Do: "POST " + path + "/_verify", Body: `{"code":"` + totpCode(t, s.Var("secret"), s.Clock.Now()) + `"}`, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"user.human.mfa.otp.verified"}},
		testkit.Call{Name: "remove", As: "ann", Do: "DELETE " + path, Events: []string{"user.human.mfa.otp.removed"}},
		testkit.Call{Name: "add another", As: "ann", Do: "POST " + path, Body: `{}`, Events: []string{"user.human.mfa.otp.added"}},
		testkit.Call{Name: "not elsewhere", As: "boss", In: "$acme", Do: "DELETE /management/v1/users/$owner/auth_factors/otp", Status: 404, Want: noSuchOne},
		testkit.Call{Name: "remove by the owner", As: "boss", In: "$acme", Do: "DELETE /management/v1/users/$ann/auth_factors/otp", Events: []string{"user.human.mfa.otp.removed"}},
	)
}
