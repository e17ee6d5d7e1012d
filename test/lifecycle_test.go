package test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// end is one way in which things of a realm come to their end.
type end struct {
	name string
	of   string // the things, separated by spaces
	// do are calls, each "METHOD path", with a body behind it or not, as the owner of the
	// instance in the realm's organization. "operator" in front: as the operator.
	do []string
	// brief is the thing that is made to last an hour; wait is how long the end takes.
	brief string
	wait  time.Duration
	// alone: the end concerns more than its realm, which so gets a server of its own.
	alone bool
}

func ends(of, name string, do ...string) end { return end{of: of, name: name, do: do} }

const (
	adaPath     = "/management/v1/users/$ada"
	robotPath   = "/management/v1/users/$robot"
	shopPath    = "/management/v1/projects/$shop"
	depotPath   = "/management/v1/projects/$depot"
	instanceEnd = "operator DELETE /system/v1/instances/$instance"
)

// allEnds are the columns of the matrix. A new one is a line.
var allEnds = []end{
	ends("ada", "deactivated", "POST "+adaPath+"/_deactivate"),
	ends("ada", "locked", "POST "+adaPath+"/_lock"),
	ends("ada", "removed", "DELETE "+adaPath),
	ends("robot", "deactivated", "POST "+robotPath+"/_deactivate"),
	ends("robot", "locked", "POST "+robotPath+"/_lock"),
	ends("robot", "removed", "DELETE "+robotPath),
	ends("org", "deactivated", "POST /management/v1/orgs/me/_deactivate"),
	ends("org", "removed", "DELETE /management/v1/orgs/me"),
	ends("shop", "deactivated", "POST "+shopPath+"/_deactivate"),
	ends("shop", "removed", "DELETE "+shopPath),
	ends("web", "deactivated", "POST "+shopPath+"/apps/$webApp/_deactivate"),
	ends("web", "removed", "DELETE "+shopPath+"/apps/$webApp"),
	ends("signed", "deactivated", "POST "+shopPath+"/apps/$signedApp/_deactivate"),
	ends("signed", "removed", "DELETE "+shopPath+"/apps/$signedApp"),
	ends("desk", "deactivated", "POST "+shopPath+"/apps/$deskApp/_deactivate"),
	ends("desk", "removed", "DELETE "+shopPath+"/apps/$deskApp"),
	ends("api", "deactivated", "POST "+shopPath+"/apps/$apiApp/_deactivate"),
	ends("api", "removed", "DELETE "+shopPath+"/apps/$apiApp"),
	ends("webSecret", "replaced", "POST "+shopPath+"/apps/$webApp/oidc_config/_generate_client_secret"),
	ends("apiSecret", "replaced", "POST "+shopPath+"/apps/$apiApp/api_config/_generate_client_secret"),
	ends("appKey", "removed", "DELETE "+shopPath+"/apps/$keyedApp/keys/$appKey"),
	{of: "appKey minutes", name: "expired", brief: "appKey", wait: time.Hour},
	ends("session", "ended", "DELETE /v2/sessions/$login {}"),
	{of: "session minutes", name: "expired", brief: "session", wait: time.Hour},
	ends("browser", "ended", "DELETE /v2/sessions/$browser {}"),
	ends("pat", "removed", "DELETE "+robotPath+"/pats/$robotPat"),
	{of: "pat minutes", name: "expired", brief: "pat", wait: time.Hour},
	ends("key", "removed", "DELETE "+robotPath+"/keys/$robotKey"),
	{of: "key minutes", name: "expired", brief: "key", wait: time.Hour},
	ends("secret", "removed", "DELETE "+robotPath+"/secret"),
	ends("secret", "replaced", "PUT "+robotPath+"/secret"),
	ends("reader", "removed", "DELETE "+shopPath+"/roles/reader"),
	ends("readerGrant", "deactivated", "POST "+adaPath+"/grants/$readerGrant/_deactivate"),
	ends("readerGrant", "removed", "DELETE "+adaPath+"/grants/$readerGrant"),
	ends("readerGrant", "emptied", "PUT "+adaPath+`/grants/$readerGrant {"roleKeys":[]}`),
	ends("pickerGrant", "deactivated", "POST "+adaPath+"/grants/$pickerGrant/_deactivate"),
	ends("pickerGrant", "removed", "DELETE "+adaPath+"/grants/$pickerGrant"),
	ends("member", "removed", "DELETE /management/v1/orgs/me/members/$robot"),
	ends("member", "changed", `PUT /management/v1/orgs/me/members/$robot {"roles":["ORG_USER_SELF_MANAGER"]}`),
	ends("lent", "deactivated", "lender POST "+depotPath+"/grants/$lent/_deactivate"),
	ends("lent", "removed", "lender DELETE "+depotPath+"/grants/$lent"),
	ends("lent", "emptied", "lender PUT "+depotPath+`/grants/$lent {"roleKeys":[]}`),
	ends("picker", "removed", "lender DELETE "+depotPath+"/roles/picker"),
	ends("depot", "deactivated", "lender POST "+depotPath+"/_deactivate"),
	ends("depot", "removed", "lender DELETE "+depotPath),
	ends("lender", "deactivated", "lender POST /management/v1/orgs/me/_deactivate"),
	ends("lender", "removed", "lender DELETE /management/v1/orgs/me"),
	{of: "instance", name: "removed", do: []string{instanceEnd}, alone: true},
	{of: "instance", name: "blocked", do: []string{`operator PUT /system/v1/instances/$instance/limits {"block":true}`}, alone: true},
}

// TestEndsCountAtOnce is the matrix of what ends against what rests on it: at the next
// request after an object was deactivated, locked, removed, replaced or has expired,
// whatever rests on it is refused, and whatever does not goes on (G-11).
func TestEndsCountAtOnce(t *testing.T) {
	t.Parallel()
	var shared *testkit.Server
	tried, key := 0, rsaKey(t)
	for i, e := range allEnds {
		s := shared
		if e.alone || e.wait > 0 {
			s = startRealms(t)
		} else if s == nil {
			s = startRealms(t)
			shared = s
		}
		tried += e.check(t, newRealm(t, s, key, i, e.brief))
	}
	t.Logf("%d tokens and rights against %d ends", tried, len(allEnds))
}

func (e end) check(t *testing.T, w *realm) (tried int) {
	t.Helper()
	subjects := w.subjects(t)
	for _, x := range subjects {
		if !x.works(t) {
			t.Errorf("before %s is %s: %s does not work", e.of, e.name, x.name)
		}
	}
	for _, do := range e.do {
		w.do(t, do)
	}
	w.s.Clock.Advance(e.wait)
	concerned := 0
	for _, x := range subjects {
		rests := slices.ContainsFunc(strings.Fields(e.of), func(thing string) bool {
			return slices.Contains(strings.Fields("instance org "+x.rests), thing)
		})
		if rests {
			concerned++
		}
		if x.works(t) == rests {
			t.Errorf("%s is %s: %s works is %v, and rests on %s", e.of, e.name, x.name, rests, x.rests)
		}
	}
	if concerned == 0 {
		t.Errorf("nothing rests on %s", e.of)
	}
	return len(subjects)
}

// do makes one of the calls of an end.
func (w *realm) do(t *testing.T, do string) {
	t.Helper()
	call := testkit.Call{In: w.s.Var("acme")}
	if rest, ok := strings.CutPrefix(do, "operator "); ok {
		call, do = testkit.Call{As: "operator"}, rest
	}
	if rest, ok := strings.CutPrefix(do, "lender "); ok {
		call.In, do = w.s.Var("lender"), rest
	}
	method, rest, _ := strings.Cut(do, " ")
	path, body, _ := strings.Cut(rest, " ")
	if body == "" && method != http.MethodDelete {
		body = "{}"
	}
	call.Do, call.Body = method+" "+path, body
	if r := w.s.Send(t, call); r.Status != http.StatusOK {
		t.Fatalf("%s: %d %s", do, r.Status, r.Body)
	}
}
