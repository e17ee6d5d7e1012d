package test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// persons are all that a name can stand for. What pages tell of one they tell of each.
var persons = []string{"active", "nobody", "locked", "inactive", "bare"}

// addPersons adds those who exist: bare has no password. Nobody may be told who exists.
func addPersons(t *testing.T, s *testkit.Server) {
	t.Helper()
	for _, name := range persons {
		password := `,"password":{"password":"` + annsPassword + `"}`
		switch name {
		case "nobody":
			continue
		case "bare":
			password = ""
		}
		s.Run(t, testkit.Call{
			Name: name, Do: "POST /v2/users/human", Keep: map[string]string{name: "userId"}, Events: []string{"user.human.added", "user.human.email.verified"},
			Body: `{"username":"` + name + `","profile":{"givenName":"Ann","familyName":"Lee"},"email":{"email":"` + name + `@example.com","isVerified":true}` + password + `}`,
		})
	}
	s.Set("nobody", "100547090559533999")
	s.Run(t,
		testkit.Call{Name: "lock", Do: "POST /v2/users/$locked/lock", Body: `{}`, Events: []string{"user.locked"}},
		testkit.Call{Name: "deactivate", Do: "POST /v2/users/$inactive/deactivate", Body: `{}`, Events: []string{"user.deactivated"}},
		testkit.Call{
			Name: "hide", Do: "PUT /admin/v1/policies/login", Events: []string{"instance.policy.login.changed"},
			Body: `{"allowUsernamePassword":true,"allowRegister":true,"ignoreUnknownUsernames":true,"allowDomainDiscovery":true,"passwordCheckLifetime":"864000s","secondFactorCheckLifetime":"64800s"}`,
		},
		// What is particular about their organization tells no more of them.
		testkit.Call{Name: "domain", Do: "POST /management/v1/orgs/me/domains", Body: `{"domain":"example.com"}`, Events: []string{"org.domain.added", "org.domain.verified"}},
		testkit.Call{
			Name: "own policy", Do: "POST /management/v1/policies/login", Events: []string{"org.policy.login.added", "org.policy.login.secondfactor.added", "org.policy.login.secondfactor.added", "org.policy.login.multifactor.added"},
			Body: `{"allowUsernamePassword":true,"allowRegister":true,"ignoreUnknownUsernames":true,"hidePasswordReset":true,"defaultRedirectUri":"https://acme.example/","secondFactors":["SECOND_FACTOR_TYPE_OTP","SECOND_FACTOR_TYPE_U2F"],"multiFactors":["MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION"],"passwordCheckLifetime":"864000s","secondFactorCheckLifetime":"64800s"}`,
		},
		testkit.Call{Name: "own looks", Do: "POST /management/v1/policies/label", Body: `{"primaryColor":"#123456"}`, Events: []string{"org.policy.label.added"}},
		testkit.Call{Name: "seen", Do: "POST /management/v1/policies/label/_activate", Events: []string{"org.policy.label.activated"}},
	)
}

// told is all that an answer tells, and the work that it took: what takes longer tells
// too.
type told struct {
	Status int
	Path   string
	Header string
	Body   string
	Trips  int64  // exchanges with the database
	Hashes uint64 // of passwords
}

var (
	digitsRE = regexp.MustCompile(`\d{15,}|"challenge":"[^"]*"`)
	datesRE  = regexp.MustCompile(`(Date|X-Request-Id|Content-Length): [^\n]*\n`)
)

// listenTo does something and gives what it tells of the person. trips counts the
// exchanges of requests, without those of jobs.
func listenTo(name string, trips *atomic.Int64, do func() page) told {
	const oneHash = 19 << 20 // bytes that argon2id works on
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	trips.Store(0)
	p := do()
	runtime.ReadMemStats(&after)
	mask := func(text string) string {
		return strings.ReplaceAll(digitsRE.ReplaceAllString(text, "ID"), name, "NAME")
	}
	var header strings.Builder
	_ = p.header.Write(&header)
	cookies := regexp.MustCompile(`Set-Cookie: ([^=]*)=[^;]*`).ReplaceAllString(header.String(), "Set-Cookie: $1")
	return told{
		Status: p.status, Path: mask(p.url.RequestURI()), Header: mask(datesRE.ReplaceAllString(cookies, "")), Body: mask(p.body),
		Trips: trips.Load(), Hashes: (after.TotalAlloc - before.TotalAlloc) / oneHash,
	}
}

type door struct {
	name string
	try  func(t *testing.T, s *testkit.Server, b *browser, name string) func() page
}

// doors are what a stranger can try with a name or with what a link holds. The last one
// leaves codes behind.
var doors = []door{
	{"name", func(t *testing.T, _ *testkit.Server, b *browser, name string) func() page {
		p := b.open(t, "/ui/login/login?new=true")
		return func() page { return b.submit(t, p, "login", "loginName", name) }
	}},
	{"address", func(t *testing.T, _ *testkit.Server, b *browser, name string) func() page {
		p := b.open(t, "/ui/login/login?new=true")
		return func() page { return b.submit(t, p, "login", "loginName", name+"@example.com") }
	}},
	{"password", func(t *testing.T, _ *testkit.Server, b *browser, name string) func() page {
		p := b.submit(t, b.open(t, "/ui/login/login?new=true"), "login", "loginName", name)
		return func() page { return b.submit(t, p, "password", "proof", "wrong") }
	}},
	{"password of an address", func(t *testing.T, s *testkit.Server, b *browser, name string) func() page {
		p := b.submit(t, b.open(t, "/ui/login/login?new=true"), "login", "loginName", name+"@example.com")
		p.at(t, "password", "colors.css?org="+s.OrgID)
		return func() page { return b.submit(t, p, "password", "proof", "wrong") }
	}},
	{"key", func(t *testing.T, s *testkit.Server, b *browser, name string) func() page {
		p := b.submit(t, b.open(t, "/ui/login/login?new=true"), "login", "loginName", name)
		return func() page {
			return b.do(t, http.MethodPost, s.URL+"/ui/login/key/options", url.Values{"session": {p.url.Query().Get("session")}})
		}
	}},
	{"reset", byLink("password/init")},
	{"init", byLink("user/init")},
	{"invite", byLink("user/invite")},
	{"verify", byLink("mail/verification")},
	{"forgotten", func(t *testing.T, _ *testkit.Server, b *browser, name string) func() page {
		p := b.open(t, "/ui/login/password/forgotten")
		return func() page { return b.submit(t, p, "password/forgotten", "loginName", name) }
	}},
	{"register", func(t *testing.T, s *testkit.Server, b *browser, name string) func() page {
		s.Clock.Advance(time.Minute) // Registrations from one address are counted.
		p := b.open(t, "/ui/login/register")
		return func() page {
			return b.submit(t, p, "register", "givenName", "Eve", "familyName", "Lee", "email", name+"@example.com")
		}
	}},
}

// byLink tries a code that was not sent.
func byLink(path string) func(t *testing.T, s *testkit.Server, b *browser, name string) func() page {
	return func(t *testing.T, s *testkit.Server, b *browser, name string) func() page {
		q := url.Values{"userID": {s.Var(name)}, "orgID": {s.OrgID}, "code": {"ABC123"}}
		p := b.open(t, "/ui/login/"+path+"?"+q.Encode())
		return func() page {
			return b.submit(t, p, path, "password", "Quite-l0ng-and-new", "repeat", "Quite-l0ng-and-new")
		}
	}
}

// TestNobodyIsTold: where the login policy hides who exists, no page tells it: not by its
// status, its text, its headers and cookies or where it leads, nor by the work that it
// takes (T-30, T-32, T-33). It is not parallel, to count that work.
func TestNobodyIsTold(t *testing.T) { //nolint:paralleltest // counts allocations
	var trips atomic.Int64
	c := testdb.Config(t)
	c.Observe = func(ctx context.Context, _ database.Trip) {
		if api.CallOf(ctx).RequestID != "" {
			trips.Add(1)
		}
	}
	s := testkit.StartOn(t, c)
	addPersons(t, s)
	s.Settle(t)
	listenAt(t, s, &trips, doors)
	othersPolicy(t, s)
	s.Settle(t)
	listenAt(t, s, &trips, nameDoors)
}

// TestNamesAreShownAsTyped: where it is hidden who exists, pages show a name as it was typed
// and not as somebody has it (T-31).
func TestNamesAreShownAsTyped(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addPersons(t, s)
	for _, name := range []string{"AcTive", "NoBody", "LOCKED", "inActive", "Bare", "ÄÇTİVE", "active@EXAMPLE.com"} {
		b := newBrowser(t, s)
		p := b.submit(t, b.open(t, "/ui/login/login?new=true").at(t, "login"), "login", "loginName", name)
		if p.at(t, "password"); !strings.Contains(p.body, `"who">`+name+" ") || !strings.Contains(p.body, `value="`+name+`"`) {
			t.Errorf("%s is shown as\n%s", name, p.body)
		}
	}
}

// othersPolicy lets the organization of those who exist decide otherwise than the instance:
// it lists no keys, takes no passwords, and hides nobody. A name without a domain must not
// tell whose policy holds.
func othersPolicy(t *testing.T, s *testkit.Server) {
	t.Helper()
	s.Run(t,
		testkit.Call{
			Name: "keys", Do: "PUT /admin/v1/policies/login", Events: []string{"instance.policy.login.changed"},
			Body: `{"allowUsernamePassword":true,"ignoreUnknownUsernames":true,"passwordlessType":"PASSWORDLESS_TYPE_ALLOWED","passwordCheckLifetime":"864000s","secondFactorCheckLifetime":"64800s","multiFactorCheckLifetime":"43200s"}`,
		},
		testkit.Call{
			Name: "neither", Do: "PUT /management/v1/policies/login", Events: []string{"org.policy.login.changed"},
			Body: `{"allowUsernamePassword":false,"secondFactorCheckLifetime":"64800s"}`,
		},
		testkit.Call{Name: "no passkey", Do: "DELETE /management/v1/policies/login/multi_factors/MULTI_FACTOR_TYPE_U2F_WITH_VERIFICATION", Events: []string{"org.policy.login.multifactor.removed"}},
		testkit.Call{Name: "no key", Do: "DELETE /management/v1/policies/login/second_factors/SECOND_FACTOR_TYPE_U2F", Events: []string{"org.policy.login.secondfactor.removed"}},
	)
}

// nameDoors are those at which a name without a domain is all that is told.
var nameDoors = []door{doors[0], doors[2], doors[4], {"answer of a key", func(t *testing.T, s *testkit.Server, b *browser, name string) func() page {
	p := b.submit(t, b.open(t, "/ui/login/login?new=true"), "login", "loginName", name)
	q := url.Values{"session": {p.url.Query().Get("session")}}
	options := b.do(t, http.MethodPost, s.URL+"/ui/login/key/options", q)
	if options.status != http.StatusOK || !strings.Contains(options.body, "challenge") {
		t.Errorf("no key is asked for: %s", options.body)
	}
	q.Set("credential", newDevice().get(t, options.body))
	return func() page { return b.do(t, http.MethodPost, s.URL+"/ui/login/key", q) }
}}}

// listenAt tries all persons at all doors.
func listenAt(t *testing.T, s *testkit.Server, trips *atomic.Int64, doors []door) {
	t.Helper()
	for _, door := range doors {
		var first told
		for i, name := range persons {
			var got told
			var worked []int64
			var hashed []uint64
			for range 3 { // A job beside it adds an exchange, or shares its commit: the middle counts.
				got = listenTo(name, trips, door.try(t, s, newBrowser(t, s), name))
				worked, hashed = append(worked, got.Trips), append(hashed, got.Hashes)
				s.Settle(t)
			}
			slices.Sort(worked)
			slices.Sort(hashed)
			got.Trips, got.Hashes = worked[1], hashed[1]
			if i == 0 {
				first = got
				t.Logf("%s: %d %s, %d exchanges, %d hashes", door.name, got.Status, got.Path, got.Trips, got.Hashes)
			}
			if got != first {
				t.Errorf("%s tells %s from %s:\n%s", door.name, name, persons[0], difference(first, got))
			}
		}
	}
}

// difference is what differs, line by line.
func difference(a, b told) string {
	lines := func(v told) []string {
		return append([]string{
			fmt.Sprintf("status %d at %s", v.Status, v.Path), fmt.Sprintf("%d exchanges", v.Trips), fmt.Sprintf("%d hashes", v.Hashes),
		}, strings.Split(v.Header+v.Body, "\n")...)
	}
	var out []string
	ours, theirs := lines(a), lines(b)
	for _, l := range ours {
		if !slices.Contains(theirs, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range theirs {
		if !slices.Contains(ours, l) {
			out = append(out, "+ "+l)
		}
	}
	return strings.Join(out, "\n")
}
