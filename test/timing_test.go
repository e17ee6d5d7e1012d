package test

import (
	"context"
	"flag"
	"math"
	"math/rand/v2"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var timing = flag.Int("timing", 0, "how often TestTimingTellsNothing measures each; 0: not at all")

// clientKinds are all that the id of a client can stand for. What its endpoints tell of
// one, when the secret is wrong, they tell of each.
var clientKinds = []string{"active", "nobody", "off", "keyed", "robot"}

// addClientKinds adds those clients that exist, and keeps their ids.
func addClientKinds(t *testing.T, s *testkit.Server, active client) {
	t.Helper()
	off := newClient(t, s, "off")
	s.Set("app", off.app)
	keyed := newClient(t, s, "keyed", exchanging)
	s.Run(t, testkit.Call{
		Name: "off", Do: "POST /management/v1/projects/$project/apps/$app/_deactivate", Body: `{}`, Events: []string{"project.application.deactivated"},
	})
	addMachine(t, s, s.OrgID, "robot", "")
	s.Run(t, testkit.Call{Name: "secret", Do: "PUT /management/v1/users/$robot/secret", Body: `{}`, Events: []string{"user.machine.secret.set"}})
	for name, id := range map[string]string{"active": active.id, "nobody": "100547090559533999", "off": off.id, "keyed": keyed.id, "robot": "robot"} {
		s.Set("client "+name, id)
	}
}

// clientDoors are what a stranger can try with the id of a client.
var clientDoors = []struct{ name, path, form string }{
	{"code", "/oauth/v2/token", "grant_type=authorization_code&code=x&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback"},
	{"refresh", "/oauth/v2/token", "grant_type=refresh_token&refresh_token=x"},
	{"credentials", "/oauth/v2/token", "grant_type=client_credentials&scope=openid"},
	{"exchange", "/oauth/v2/token", "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=x&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token"},
	{"introspect", "/oauth/v2/introspect", "token=x"},
	{"revoke", "/oauth/v2/revoke", "token=x"},
	{"device", "/oauth/v2/device_authorization", "scope=openid"},
	{"pushed", "/oauth/v2/par", "response_type=code&redirect_uri=https%3A%2F%2Fapp.example.com%2Fcallback&scope=openid"},
}

// knock tries a wrong secret.
func knock(t *testing.T, s *testkit.Server, id, path, form string) page {
	t.Helper()
	values, err := url.ParseQuery(form)
	if err != nil {
		t.Fatal(err)
	}
	r := client{s: s, id: id, secret: "wrong"}.post(t, path, values)
	return page{status: r.Status, url: mustParse(t, path), header: r.Header, body: string(r.Body)}
}

// startCounted is startOAuth on a database that counts the exchanges of requests.
func startCounted(t *testing.T) (*testkit.Server, client, *atomic.Int64) {
	t.Helper()
	trips := new(atomic.Int64)
	c := testdb.Config(t)
	c.Observe = func(ctx context.Context, _ database.Trip) {
		if api.CallOf(ctx).RequestID != "" {
			trips.Add(1)
		}
	}
	s := testkit.StartOn(t, c)
	s.Run(t, testkit.Call{Name: "project", Do: "POST /management/v1/projects", Body: `{"name":"Shop"}`, Keep: map[string]string{"project": "id"}, Events: projectAdded})
	return s, newClient(t, s, "web", exchanging, devices), trips
}

// TestNoClientIsTold is TestNobodyIsTold for clients: whoever has no secret learns nothing
// about which clients there are, and which of them count.
func TestNoClientIsTold(t *testing.T) { //nolint:paralleltest // counts allocations
	s, web, trips := startCounted(t)
	addClientKinds(t, s, web)
	s.Settle(t)
	for _, door := range clientDoors {
		var first told
		for i, kind := range clientKinds {
			id := s.Var("client " + kind)
			got := told{Trips: 1 << 20, Hashes: 1 << 20}
			for range 3 {
				least := got
				got = listenTo(id, trips, func() page { return knock(t, s, id, door.path, door.form) })
				got.Trips, got.Hashes = min(got.Trips, least.Trips), min(got.Hashes, least.Hashes)
			}
			if i == 0 {
				first = got
				t.Logf("%s: %d %s, %d exchanges, %d hashes", door.name, got.Status, got.Body, got.Trips, got.Hashes)
			}
			if got != first {
				t.Errorf("%s tells %s from %s:\n%s", door.name, kind, clientKinds[0], difference(first, got))
			}
		}
	}
}

// TestTimingTellsNothing measures, in turns, how long what cannot succeed takes with a name
// that exists and with one that does not. Welch's t says whether the means differ (G-31).
func TestTimingTellsNothing(t *testing.T) { //nolint:paralleltest // measures
	if *timing == 0 {
		t.Skip("-timing 1000 measures")
	}
	s, web, _ := startCounted(t)
	addClientKinds(t, s, web)
	addPersons(t, s)
	for _, door := range doors {
		compareTimes(t, s, door.name, [2]string{"active", "nobody"}, func(t *testing.T, name string) func() {
			t.Helper()
			do := door.try(t, s, newBrowser(t, s), name)
			return func() { do() }
		})
	}
	for _, door := range clientDoors {
		compareTimes(t, s, "client, "+door.name, [2]string{s.Var("client active"), s.Var("client nobody")}, func(t *testing.T, id string) func() {
			t.Helper()
			return func() { knock(t, s, id, door.path, door.form) }
		})
	}
}

// compareTimes measures both names so many times, the one or the other first.
func compareTimes(t *testing.T, s *testkit.Server, what string, names [2]string, prepare func(t *testing.T, name string) func()) {
	t.Helper()
	var took [2][]float64
	for range *timing {
		first := rand.IntN(2)
		for _, i := range []int{first, 1 - first} {
			do := prepare(t, names[i])
			begun := time.Now()
			do()
			took[i] = append(took[i], float64(time.Since(begun)))
			s.Settle(t) // What is done later takes nobody's time.
		}
		s.Clock.Advance(time.Minute) // What comes from one address is counted.
	}
	a, va := mean(took[0])
	b, vb := mean(took[1])
	n := float64(*timing)
	welch := (a - b) / math.Sqrt(va/n+vb/n)
	t.Logf("%s: %.3f ms with a name that exists, %.3f ms with one that does not, t = %.2f", what, a/1e6, b/1e6, welch)
	if math.Abs(welch) >= 4.5 {
		t.Errorf("%s: how long it takes tells who exists: t = %.2f", what, welch)
	}
}

// mean gives the mean and the variance.
func mean(values []float64) (m, variance float64) {
	for _, v := range values {
		m += v / float64(len(values))
	}
	for _, v := range values {
		variance += (v - m) * (v - m) / float64(len(values)-1)
	}
	return m, variance
}
