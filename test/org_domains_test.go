package test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// world is what is outside: a DNS server and a web server, both real ones.
type world struct {
	web  *httptest.Server
	mu   sync.Mutex
	txt  map[string][]string // by name
	file map[string]string   // by host and path; "-> URL" redirects
	hits int
}

// newWorld lets the server's requests end in a world of its own.
func newWorld(t *testing.T, s *testkit.Server) *world {
	t.Helper()
	w := &world{txt: map[string][]string{}, file: map[string]string{}}
	w.web = httptest.NewTLSServer(http.HandlerFunc(w.serveFile)) // Its certificate is for example.com and *.example.com.
	t.Cleanup(w.web.Close)
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = packets.Close() })
	go w.serveNames(packets)
	s.Outbound.Resolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", packets.LocalAddr().String())
	}}
	s.Outbound.Roots = w.web.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs //nolint:forcetypeassert // httptest's
	s.Outbound.Redial = func(string) string { return w.web.Listener.Addr().String() }
	s.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	return w
}

func (w *world) serveFile(res http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hits++
	text, ok := w.file[r.Host+r.URL.Path]
	if to, redirect := strings.CutPrefix(text, "-> "); redirect {
		http.Redirect(res, r, to, http.StatusFound)
		return
	}
	if !ok {
		http.NotFound(res, r)
		return
	}
	fmt.Fprint(res, text)
}

func (w *world) serveNames(c net.PacketConn) {
	buf := make([]byte, 1500)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
			continue
		}
		w.mu.Lock()
		w.hits++
		texts := w.txt[strings.TrimSuffix(m.Questions[0].Name.String(), ".")]
		w.mu.Unlock()
		reply := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}, Questions: m.Questions}
		if len(texts) == 0 {
			reply.RCode = dnsmessage.RCodeNameError
		}
		for _, text := range texts {
			reply.Answers = append(reply.Answers, dnsmessage.Resource{
				Header: dnsmessage.ResourceHeader{Name: m.Questions[0].Name, Type: dnsmessage.TypeTXT, Class: dnsmessage.ClassINET},
				Body:   &dnsmessage.TXTResource{TXT: []string{text}},
			})
		}
		if out, err := reply.Pack(); err == nil {
			_, _ = c.WriteTo(out, from)
		}
	}
}

func (w *world) publish(name string, texts ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.txt[name] = texts
}

func (w *world) put(url, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.file[strings.TrimPrefix(url, "https://")] = text
}

// setDomainPolicy changes the instance's domain policy.
func setDomainPolicy(t *testing.T, s *testkit.Server, edit func(*policy.DomainPolicy)) {
	t.Helper()
	err := s.Store.Write(authz.AsSystem(t.Context(), s.InstanceID), func(tx *eventstore.Tx) error {
		_, err := policy.Domain.Change(tx, eventstore.Scope{Instance: s.InstanceID}, edit)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOrgDomains(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	w := newWorld(t, s)
	const mine, base = "example.com", "/management/v1/orgs/me/domains"
	setDomainPolicy(t, s, func(p *policy.DomainPolicy) { p.ValidateOrgDomains = true })
	failed, verified := []string{"org.domain.verification.failed"}, []string{"org.domain.verified"}
	s.Run(t,
		testkit.Call{Name: "add", Do: "POST /management/v1/orgs", Body: `{"name":"A. & Söhne_1"}`, Keep: map[string]string{"acme": "id"}, Events: orgAdded},
		testkit.Call{Name: "its first domain", Do: "GET /management/v1/orgs/me", In: "$acme", Want: `{"org":{"primaryDomain":"a---shne-1.localhost"}}`},
		testkit.Call{Name: "other", Do: "POST /management/v1/orgs", Body: `{"name":"A. & Söhne 1"}`, Keep: map[string]string{"other": "id"}, Events: orgAdded},
		testkit.Call{Name: "names that give one label", Do: "GET /management/v1/orgs/me", In: "$other", Want: `{"org":{"primaryDomain":"org-$other.localhost"}}`},
		testkit.Call{Name: "no letters", Do: "POST /management/v1/orgs", Body: `{"name":"株式会社"}`, Keep: map[string]string{"kk": "id"}, Events: orgAdded},
		testkit.Call{Name: "give the id", Do: "GET /management/v1/orgs/me", In: "$kk", Want: `{"org":{"primaryDomain":"org-$kk.localhost"}}`},
		testkit.Call{Name: "not a domain", Do: "POST " + base, In: "$acme", Body: `{"domain":"-a.example.com"}`, Status: 400},
		testkit.Call{Name: "nor an address", Do: "POST " + base, In: "$acme", Body: `{"domain":"example.com:443"}`, Status: 400},
		testkit.Call{Name: "add a domain", Do: "POST " + base, In: "$acme", Body: `{"domain":"Example.COM."}`, Want: `{"details":{"creationDate":"*","resourceOwner":"$acme"}}`, Events: []string{"org.domain.added"}},
		testkit.Call{Name: "add it again", Do: "POST " + base, In: "$acme", Body: `{"domain":"example.com"}`, Status: 409},
		testkit.Call{Name: "it is not primary before it is verified", Do: "POST " + base + "/example.com/_set_primary", In: "$acme", Status: 400},
		testkit.Call{Name: "nor found", Do: "GET /management/v1/global/orgs/_by_domain?domain=example.com", Status: 404},
		testkit.Call{Name: "verify without a token", Do: "POST " + base + "/example.com/validation/_validate", In: "$acme", Body: `{}`, Status: 400},
		testkit.Call{Name: "a token in no known way", Do: "POST " + base + "/example.com/validation/_generate", In: "$acme", Body: `{}`, Status: 400},
		testkit.Call{
			Name: "a token for DNS", Do: "POST " + base + "/example.com/validation/_generate", In: "$acme", Body: `{"type":"DOMAIN_VALIDATION_TYPE_DNS"}`,
			Want: `{"token":"*","url":"_gatehouse-challenge.example.com"}`, Keep: map[string]string{"token": "token"}, Events: []string{"org.domain.verification.added"},
		},
		testkit.Call{Name: "not published", Do: "POST " + base + "/example.com/validation/_validate", In: "$acme", Body: `{}`, Status: 400, Events: failed},
	)
	w.publish("_gatehouse-challenge."+mine, "v=spf1 -all", "wrong")
	s.Run(t, testkit.Call{Name: "published wrong", Do: "POST " + base + "/example.com/validation/_validate", In: "$acme", Body: `{}`, Status: 400, Events: failed})
	w.publish("_gatehouse-challenge."+mine, "v=spf1 -all", s.Var("token"))
	s.Run(t,
		testkit.Call{Name: "the other one wants it too", Do: "POST " + base, In: "$other", Body: `{"domain":"example.com"}`, Events: []string{"org.domain.added"}},
		testkit.Call{
			Name: "with a token of its own", Do: "POST " + base + "/example.com/validation/_generate", In: "$other", Body: `{"type":2}`,
			Events: []string{"org.domain.verification.added"},
		},
		testkit.Call{Name: "which is not there", Do: "POST " + base + "/example.com/validation/_validate", In: "$other", Body: `{}`, Status: 400, Events: failed},
		testkit.Call{Name: "verify", Do: "POST " + base + "/example.com/validation/_validate", In: "$acme", Body: `{}`, Want: `{"details":{"changeDate":"*"}}`, Events: verified},
		testkit.Call{Name: "verify again", Do: "POST " + base + "/example.com/validation/_validate", In: "$acme", Body: `{}`, Status: 400},
		testkit.Call{Name: "no token is needed any more", Do: "POST " + base + "/example.com/validation/_generate", In: "$acme", Body: `{"type":2}`, Status: 400},
		testkit.Call{Name: "nobody else can add it now", Do: "POST " + base, In: "$kk", Body: `{"domain":"example.com"}`, Status: 409},
		testkit.Call{Name: "primary", Do: "POST " + base + "/example.com/_set_primary", In: "$acme", Events: []string{"org.domain.primary.set"}},
		testkit.Call{Name: "primary again", Do: "POST " + base + "/example.com/_set_primary", In: "$acme", Status: 400},
		testkit.Call{Name: "shows", Do: "GET /management/v1/orgs/me", In: "$acme", Want: `{"org":{"primaryDomain":"example.com"}}`},
		testkit.Call{
			Name: "list", Do: "POST " + base + "/_search", In: "$acme", Body: `{"query":{"asc":true}}`,
			Want: `{"details":{"totalResult":"2"},"result":[{"orgId":"$acme","domainName":"a---shne-1.localhost","isVerified":true,"isPrimary":null},
				{"domainName":"example.com","isVerified":true,"isPrimary":true,"validationType":"DOMAIN_VALIDATION_TYPE_DNS","details":{"creationDate":"*"}}]}`,
		},
		testkit.Call{
			Name: "list by name", Do: "POST " + base + "/_search", In: "$acme", Want: `{"result":[{"domainName":"example.com"}]}`,
			Body: `{"queries":[{"domainNameQuery":{"name":"EXAMPLE","method":"TEXT_QUERY_METHOD_STARTS_WITH_IGNORE_CASE"}}]}`,
		},
		testkit.Call{Name: "the primary one stays", Do: "DELETE " + base + "/example.com", In: "$acme", Status: 400},
		testkit.Call{Name: "the other one does not", Do: "DELETE " + base + "/a---shne-1.localhost", In: "$acme", Events: []string{"org.domain.removed"}},
		testkit.Call{Name: "once", Do: "DELETE " + base + "/a---shne-1.localhost", In: "$acme", Status: 404},
	)
	// What was published for one organization proves nothing for another.
	w.publish("_gatehouse-challenge."+mine, s.Var("token"))
	s.Run(t,
		testkit.Call{Name: "another's token", Do: "POST " + base + "/example.com/validation/_validate", In: "$other", Body: `{}`, Status: 400, Events: failed},
		testkit.Call{Name: "remove the organization", Do: "DELETE /admin/v1/orgs/$acme", Events: []string{"org.removed"}},
		testkit.Call{Name: "the domain is free again", Do: "GET /admin/v1/orgs/_is_unique?domain=example.com", Want: `{"isUnique":true}`},
	)
}

// TestOrgDomainsByFile proves a domain by a file, with what can go wrong with it.
func TestOrgDomainsByFile(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	w := newWorld(t, s)
	setDomainPolicy(t, s, func(p *policy.DomainPolicy) { p.ValidateOrgDomains = true })
	const path = "/v2/organizations/$org/domains"
	verify := testkit.Call{Name: "verify", Do: "POST " + path + "/validation/verify", Body: `{"domain":"shop.example.com"}`}
	refused := verify
	refused.Status, refused.Events = 400, []string{"org.domain.verification.failed"}
	s.Run(t,
		testkit.Call{Name: "add", Do: "POST " + path, Body: `{"domain":"shop.example.com"}`, Want: `{"creationDate":"*"}`, Events: []string{"org.domain.added"}},
		testkit.Call{
			Name: "token", Do: "POST " + path + "/validation/generate", Body: `{"domain":"shop.example.com","type":"DOMAIN_VALIDATION_TYPE_HTTP"}`,
			Want: `{"url":"https://shop.example.com/.well-known/gatehouse-challenge/$org.txt"}`,
			Keep: map[string]string{"token": "token", "url": "url"}, Events: []string{"org.domain.verification.added"},
		},
	)
	for _, c := range []struct{ name, text string }{
		{"another text", "something else"},
		{"more than the token", s.Var("token") + " and more"},
		{"a long file", s.Var("token") + strings.Repeat(" ", 2000)},
		{"a redirect to plain HTTP", "-> http://shop.example.com/token.txt"},
		{"a redirect in a circle", "-> " + s.Var("url")},
	} {
		w.put(s.Var("url"), c.text)
		refused.Name = c.name
		s.Run(t, refused)
	}
	w.put(s.Var("url"), s.Var("token")+"\n")
	s.Outbound.Allow = nil
	before := w.hits
	refused.Name = "a private address is not dialled"
	if s.Run(t, refused); w.hits != before {
		t.Error("the request left although the address is private")
	}
	s.Outbound.Allow = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	w.put("https://www.example.com/token.txt", s.Var("token"))
	w.put(s.Var("url"), "-> https://www.example.com/token.txt")
	verify.Events = []string{"org.domain.verified"}
	s.Run(t,
		verify,
		testkit.Call{
			Name: "list", Do: "POST " + path + "/search", Body: `{"pagination":{"asc":true},"sortingColumn":"DOMAIN_FIELD_NAME_CREATION_DATE","filters":[{"domainFilter":{"domain":"shop","method":2}}]}`,
			Want: `{"pagination":{"totalResult":"1","appliedLimit":"100"},"domains":[{"organizationId":"$org","domain":"shop.example.com","isVerified":true,"validationType":"DOMAIN_VALIDATION_TYPE_HTTP"}]}`,
		},
		testkit.Call{Name: "remove", Do: "DELETE " + path + "?domain=shop.example.com", Want: `{"deletionDate":"*"}`, Events: []string{"org.domain.removed"}},
	)
}

// TestDomainRace lets many organizations claim one domain at once: one gets it.
func TestDomainRace(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const n = 8
	for i := range n {
		s.Run(t, testkit.Call{
			Name: "add", Do: "POST /management/v1/orgs", Body: fmt.Sprintf(`{"name":"Racer %d"}`, i),
			Keep: map[string]string{fmt.Sprint("r", i): "id"}, Events: orgAdded,
		})
	}
	status := make([]int, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			status[i] = s.Send(t, testkit.Call{Do: "POST /management/v1/orgs/me/domains", In: fmt.Sprint("$r", i), Body: `{"domain":"prize.example"}`}).Status
		})
	}
	all.Wait()
	won, lost := 0, 0
	for _, code := range status {
		switch code {
		case http.StatusOK:
			won++
		case http.StatusConflict:
			lost++
		}
	}
	if won != 1 || lost != n-1 {
		t.Errorf("statuses %v, want one 200 and %d times 409", status, n-1)
	}
	s.Run(t, testkit.Call{Name: "it has one owner", Do: "POST /v2/organizations/_search", Want: `{"details":{"totalResult":"1"}}`,
		Body: `{"queries":[{"domainQuery":{"domain":"prize.example"}}]}`})
}
