package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// startSystem starts a server with system users: "operator" may do everything in
// the installation, "viewer" may only look, "guest" owns the instances whose ids
// are in its memberships, which are none of the installation's.
func startSystem(t *testing.T, guest ...flow.SystemMembership) *testkit.Server {
	t.Helper()
	return startSystemOn(t, testdb.Config(t), guest...)
}

// startSystemOn is startSystem on a database that the test names.
func startSystemOn(t *testing.T, c database.Config, guest ...flow.SystemMembership) *testkit.Server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := testkit.StartOn(t, c, func(o *server.Options) {
		o.SystemUsers = []flow.SystemUser{
			{Name: "operator", Key: key.Public(), Memberships: []flow.SystemMembership{{On: flow.OnSystem, Roles: []string{"SYSTEM_OWNER"}}}},
			{Name: "viewer", Key: key.Public(), Memberships: []flow.SystemMembership{{On: flow.OnSystem, Roles: []string{"SYSTEM_OWNER_VIEWER"}}}},
			{Name: "guest", Key: key.Public(), Memberships: guest},
		}
	})
	for _, name := range []string{"operator", "viewer", "guest"} {
		now := s.Clock.Now()
		s.SetToken(name, sign(t, jose.ES256, key, jwt.Claims{
			Issuer: name, Subject: name, Audience: jwt.Audience{"http://localhost"},
			IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(time.Hour)),
		}))
	}
	return s
}

// instanceAdded are the events of a new instance: those of the first one, whose
// policies are the same, with those of its own domains and owner.
func instanceAdded(t *testing.T, s *testkit.Server, custom bool, owner ...string) []string {
	t.Helper()
	first := s.Events(t)
	policies := slices.Index(first, "instance.domain.primary.set") + 1
	end := slices.Index(first, "instance.default.org.set") + 1
	out := slices.Clone(first[:policies])
	if custom {
		out = append(out, "instance.domain.added", "instance.domain.primary.set")
	}
	return slices.Concat(out, first[policies:end], owner, []string{"instance.member.added"})
}

// addInstance makes an instance at name.example, whose owner's token is kept under
// the name, and its id in a variable of it.
func addInstance(t *testing.T, s *testkit.Server, name string) {
	t.Helper()
	s.Run(t, testkit.Call{
		Name: "add the instance " + name, As: "operator", Do: "POST /system/v1/instances/_create",
		Body: fmt.Sprintf(`{"instanceName":%q,"customDomain":"%s.example","machine":{"personalAccessToken":{}}}`, name, name),
		Keep: map[string]string{name: "instanceId"}, Token: "pat", KeepAs: name,
		Events: instanceAdded(t, s, true, "user.machine.added", "user.pat.added"),
	})
}

func TestCreateInstance(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	const create = "POST /system/v1/instances/_create"
	s.Run(t,
		testkit.Call{Name: "healthz", As: "nobody", Host: "nowhere.example", Do: "GET /system/v1/healthz", Want: `{}`},
		testkit.Call{
			Name: "a machine with a token and a key", As: "operator", Host: "nowhere.example", Do: create,
			Body: `{"instanceName":"Müller & Söhne","firstOrgName":"Head Office","customDomain":"ID.Example.","defaultLanguage":"de",
				"machine":{"userName":"deploy","name":"Deploy","personalAccessToken":{},"machineKey":{"type":"KEY_TYPE_JSON"}}}`,
			Want: `{"instanceId":"*","pat":"*","machineKey":"*","details":{"sequence":"*","creationDate":"*"}}`,
			Keep: map[string]string{"in": "instanceId", "key": "machineKey"}, Token: "pat", KeepAs: "deploy",
			Events: slices.Insert(instanceAdded(t, s, true, "user.machine.added", "user.pat.added", "user.machine.key.added"), 5, "instance.default.language.set"),
		},
		testkit.Call{
			Name: "it answers at its domain", As: "deploy", Host: "id.example:8080", Do: "GET /admin/v1/instances/me",
			Want: `{"instance":{"id":"$in","name":"Müller & Söhne","state":"STATE_RUNNING","version":"*","domains":[
				{"domain":"id.example","primary":true,"generated":null},{"domain":"*","primary":null,"generated":true}]}}`,
			Keep: map[string]string{"generated": "instance.domains.1.domain"},
		},
		testkit.Call{Name: "and at the generated one", As: "deploy", Host: "$generated", Do: "GET /management/v1/iam", Want: `{"globalOrgId":"*","defaultOrgId":"*","iamProjectId":null}`},
		testkit.Call{Name: "in its language", As: "deploy", Host: "id.example", Do: "GET /admin/v1/languages/default", Want: `{"language":"de"}`},
		testkit.Call{Name: "with its organization", As: "deploy", Host: "id.example", Do: "GET /management/v1/orgs/me", Want: `{"org":{"name":"Head Office","primaryDomain":"head-office.id.example"}}`},
		testkit.Call{Name: "and its policies", As: "deploy", Host: "id.example", Do: "GET /admin/v1/policies/login", Want: `{"policy":{"allowUsernamePassword":true}}`},
		testkit.Call{Name: "not elsewhere", As: "deploy", Do: "GET /admin/v1/instances/me", Status: 401},
		testkit.Call{
			Name: "a machine of few words", As: "operator", Do: create, Body: `{"instanceName":"株式会社","machine":{}}`,
			Want: `{"instanceId":"*","pat":null,"machineKey":null}`, Keep: map[string]string{"kk": "instanceId"}, Events: instanceAdded(t, s, false, "user.machine.added"),
		},
		testkit.Call{
			Name: "has what can be made", As: "operator", Do: "POST /system/v1/instances/$kk/members/_search",
			Want: `{"details":{"totalResult":"1"},"result":[{"displayName":"admin","preferredLoginName":"admin","roles":["IAM_OWNER"],"userType":"TYPE_MACHINE"}]}`,
		},
		testkit.Call{Name: "the domain is taken", As: "operator", Do: create, Body: `{"instanceName":"x","customDomain":"id.example","machine":{}}`, Status: 409},
		testkit.Call{Name: "no domain", As: "operator", Do: create, Body: `{"instanceName":"x","customDomain":"id.example:443","machine":{}}`, Status: 400},
		testkit.Call{Name: "no such language", As: "operator", Do: create, Body: `{"instanceName":"x","defaultLanguage":"tlh","machine":{}}`, Status: 400},
		testkit.Call{Name: "no owner", As: "operator", Do: create, Body: `{"instanceName":"x"}`, Status: 400},
		testkit.Call{Name: "an end in the past", As: "operator", Do: create, Body: `{"instanceName":"x","machine":{"personalAccessToken":{"expirationDate":"2020-01-01T00:00:00Z"}}}`, Status: 400},
		testkit.Call{Name: "who only looks", As: "viewer", Do: create, Body: `{"instanceName":"x","machine":{}}`, Status: 403},
		testkit.Call{Name: "who owns an instance", As: "deploy", Host: "id.example", Do: create, Body: `{"instanceName":"x","machine":{}}`, Status: 403},
		testkit.Call{
			Name: "a trial", As: "operator", Do: create, Body: `{"instanceName":"x","customDomain":"trial.example","machine":{}}`,
			Header: map[string]string{"X-Gatehouse-Dry-Run": "true"}, Want: `{"instanceId":"*"}`,
		},
		testkit.Call{Name: "leaves nothing", As: "operator", Do: "POST /system/v1/domains/trial.example/_exists", Want: `{"exists":null}`},
	)
	if !strings.HasPrefix(s.Var("generated"), "mller--shne-") || !strings.HasSuffix(s.Var("generated"), ".localhost") {
		t.Errorf("the generated domain is %s", s.Var("generated"))
	}
	file, err := base64.StdEncoding.DecodeString(s.Var("key"))
	var key struct{ Type, Key, UserID string }
	if err != nil || json.Unmarshal(file, &key) != nil || key.Type != "serviceaccount" || !strings.Contains(key.Key, "PRIVATE KEY") {
		t.Errorf("the key is %s", file)
	}
}

// TestHumanOwner makes instances that people own.
func TestHumanOwner(t *testing.T) {
	t.Parallel()
	s := startSystem(t, flow.SystemMembership{On: flow.OnInstance, Roles: []string{"IAM_OWNER", "ORG_OWNER"}})
	const create, add = "POST /system/v1/instances/_create", "POST /system/v1/instances"
	human := func(rest string) string {
		return `{"instanceName":"Acme","customDomain":"acme.example","human":{"email":{"email":"Ada@acme.example","isEmailVerified":true}` + rest + `}}`
	}
	s.Run(t,
		testkit.Call{Name: "no password", As: "operator", Do: create, Body: human(""), Status: 400, Want: `{"code":9,"message":"Give a password: this version cannot mail a code by which to set one. (USER-password)"}`},
		testkit.Call{Name: "a short one", As: "operator", Do: create, Body: human(`,"password":{"password":"Ab1!"}`), Status: 400},
		testkit.Call{Name: "without a symbol", As: "operator", Do: create, Body: human(`,"password":{"password":"Abcdefg1"}`), Status: 400},
		testkit.Call{Name: "no language", As: "operator", Do: create, Body: human(`,"password":{"password":"Correct-Horse-1"},"profile":{"preferredLanguage":"!"}`), Status: 400},
		testkit.Call{
			Name: "a person", As: "operator", Do: create, Want: `{"instanceId":"*","pat":null,"machineKey":null}`, Keep: map[string]string{"in": "instanceId"},
			Body:   human(`,"profile":{"firstName":"Ada","lastName":"Lovelace","preferredLanguage":"de-ch"},"password":{"password":"Correct-Horse-1","passwordChangeRequired":true}`),
			Events: instanceAdded(t, s, true, "user.human.added", "user.human.email.verified"),
		},
		testkit.Call{
			Name: "among the members", As: "operator", Do: "POST /system/v1/instances/$in/members/_search",
			Body: `{"queries":[{"firstNameQuery":{"firstName":"ADA","method":1}},{"emailQuery":{"email":"acme.example","method":"TEXT_QUERY_METHOD_ENDS_WITH"}},{"lastNameQuery":{"lastName":"Love","method":2}}]}`,
			Want: `{"details":{"totalResult":"1"},"result":[{"userId":"*","displayName":"Ada Lovelace","firstName":"Ada","lastName":"Lovelace","email":"Ada@acme.example",
				"preferredLoginName":"Ada@acme.example","userType":"TYPE_HUMAN","roles":["IAM_OWNER"],"details":{"resourceOwner":"$in"}}]}`,
			Keep: map[string]string{"ada": "result.0.userId", "org": "result.0.userResourceOwner"},
		},
		testkit.Call{
			Name: "and among the users", As: "guest", Host: "acme.example", In: "$org", Do: "GET /management/v1/users/$ada",
			Want: `{"user":{"id":"$ada","state":"USER_STATE_ACTIVE","userName":"Ada@acme.example","preferredLoginName":"Ada@acme.example","machine":null,"human":{
				"profile":{"firstName":"Ada","lastName":"Lovelace","displayName":"Ada Lovelace","preferredLanguage":"de-CH"},
				"email":{"email":"Ada@acme.example","isEmailVerified":true},"phone":null,"passwordChanged":"*"}}}`,
		},
		testkit.Call{Name: "she has no tokens", As: "guest", Host: "acme.example", In: "$org", Do: "POST /management/v1/users/$ada/pats", Body: `{}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{
			Name: "an older call", As: "operator", Do: add, Keep: map[string]string{"older": "instanceId"},
			Body: `{"instanceName":"Older","ownerUserName":"grace","ownerEmail":{"email":"grace@older.example"},"ownerPassword":{"password":"Correct-Horse-1"}}`,
			Want: `{"instanceId":"*","details":{"creationDate":"*"}}`, Events: instanceAdded(t, s, false, "user.human.added"),
		},
		testkit.Call{
			Name: "is called like the user", As: "operator", Do: "POST /system/v1/instances/$older/members/_search",
			Want: `{"result":[{"displayName":"grace","preferredLoginName":"grace"}]}`,
		},
		testkit.Call{Name: "no address", As: "operator", Do: add, Body: `{"instanceName":"x","ownerEmail":{"email":"Grace <g@x.example>"},"ownerPassword":{"password":"Correct-Horse-1"}}`, Status: 400},
	)
	var hash, payload string
	if err := s.DB.Read(t.Context(),
		database.Query{SQL: "SELECT password_hash FROM humans WHERE user_id = ? AND email_verified = 1 AND password_change_required = 1 AND preferred_language = 'de-CH'", Args: []any{s.Var("ada")},
			Row: func(scan database.Scan) error { return scan(&hash) }},
		database.Query{SQL: "SELECT payload FROM events WHERE aggregate_id = ? AND type = 'user.human.added'", Args: []any{s.Var("ada")},
			Row: func(scan database.Scan) error { return scan(&payload) }},
	); err != nil {
		t.Fatal(err)
	}
	if m, err := crypto.PasswordMatches(t.Context(), hash, "Correct-Horse-1"); err != nil || !m.OK || strings.Contains(payload, "Correct") {
		t.Errorf("the password is kept as %q in %s (%v)", hash, payload, err)
	}
	e := eventstore.Event{Type: "user.human.added", Payload: []byte(payload)}
	if visible, err := e.Visible(); err != nil || visible["encodedHash"] != nil || visible["email"] != "Ada@acme.example" {
		t.Errorf("the event shows %v (%v)", visible, err)
	}
}

func TestSystemInstances(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	addInstance(t, s, "zulu")
	addInstance(t, s, "alpha")
	const path = "/system/v1/instances"
	s.Run(t,
		testkit.Call{
			Name: "list by name", As: "viewer", Do: "POST " + path + "/_search", Body: `{"query":{"asc":true},"sortingColumn":"FIELD_NAME_NAME"}`,
			Want: `{"details":{"totalResult":"3","viewTimestamp":"*"},"sortingColumn":"FIELD_NAME_NAME","result":[
				{"id":"$alpha","name":"alpha","state":"STATE_RUNNING","details":{"sequence":"*","creationDate":"*","changeDate":"*","resourceOwner":"$alpha"},
					"domains":[{"domain":"alpha.example","primary":true,"details":{"creationDate":"*"}},{"generated":true}]},
				{"id":"$instance","domains":[{"domain":"localhost","primary":true,"generated":true}]},{"id":"$zulu","domains":[{"domain":"zulu.example"},{}]}]}`,
		},
		testkit.Call{Name: "newest first", As: "viewer", Do: "POST " + path + "/_search", Want: `{"result":[{"id":"$alpha"},{"id":"$zulu"},{"id":"$instance"}]}`},
		testkit.Call{Name: "a page", As: "viewer", Do: "POST " + path + "/_search", Body: `{"query":{"offset":1,"limit":1},"sortingColumn":"FIELD_NAME_ID"}`,
			Want: `{"details":{"totalResult":"3"},"result":[{"id":"$zulu","domains":[{"domain":"zulu.example"},{}]}]}`},
		testkit.Call{Name: "by ids", As: "viewer", Do: "POST " + path + "/_search", Body: `{"queries":[{"idQuery":{"ids":["$zulu","1"]}}]}`, Want: `{"details":{"totalResult":"1"},"result":[{"id":"$zulu"}]}`},
		testkit.Call{Name: "by domains", As: "viewer", Do: "POST " + path + "/_search", Body: `{"queries":[{"domainQuery":{"domains":["ALPHA.example.","x"]}}]}`, Want: `{"result":[{"id":"$alpha"}]}`},
		testkit.Call{Name: "by no ids", As: "viewer", Do: "POST " + path + "/_search", Body: `{"queries":[{"idQuery":{}}]}`, Want: `{"result":null}`},
		testkit.Call{Name: "by no such column", As: "viewer", Do: "POST " + path + "/_search", Body: `{"sortingColumn":99}`, Status: 400},
		testkit.Call{Name: "get", As: "viewer", Do: "GET " + path + "/$zulu", Want: `{"instance":{"id":"$zulu","name":"zulu","domains":[{"domain":"zulu.example"},{"generated":true}]}}`},
		testkit.Call{Name: "get none", As: "viewer", Do: "GET " + path + "/1", Status: 404},
		testkit.Call{Name: "rename", As: "operator", Do: "PUT " + path + "/$zulu", Body: `{"instanceName":" Zulu "}`, Want: `{"details":{"changeDate":"*","resourceOwner":"$zulu"}}`, Events: []string{"instance.changed"}},
		testkit.Call{Name: "to the same", As: "operator", Do: "PUT " + path + "/$zulu", Body: `{"instanceName":"Zulu"}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "to nothing", As: "operator", Do: "PUT " + path + "/$zulu", Body: `{"instanceName":"  "}`, Status: 400},
		testkit.Call{Name: "none", As: "operator", Do: "PUT " + path + "/1", Body: `{"instanceName":"x"}`, Status: 404},
		testkit.Call{Name: "who only looks", As: "viewer", Do: "PUT " + path + "/$zulu", Body: `{"instanceName":"x"}`, Status: 403},
		testkit.Call{Name: "members of none", As: "viewer", Do: "POST " + path + "/1/members/_search", Status: 404},
		testkit.Call{Name: "members", As: "viewer", Do: "POST " + path + "/$zulu/members/_search", Want: `{"details":{"totalResult":"1"},"result":[{"roles":["IAM_OWNER"]}]}`},
		testkit.Call{
			Name: "a feature", As: "operator", Do: "PUT " + path + "/$zulu/features/INSTANCE_FEATURE_LOGIN_DEFAULT_ORG", Body: `{"bool":false}`,
			Want: `{"details":{"changeDate":"*"}}`, Events: []string{"feature.instance.login_default_org.set"},
		},
		testkit.Call{Name: "shows there", As: "zulu", Host: "zulu.example", Do: "GET /v2/features/instance", Want: `{"loginDefaultOrg":{"source":"SOURCE_INSTANCE"}}`},
		testkit.Call{Name: "and only there", As: "alpha", Host: "alpha.example", Do: "GET /v2/features/instance", Want: `{"loginDefaultOrg":null}`},
		testkit.Call{Name: "of none", As: "operator", Do: "PUT " + path + "/1/features/1", Body: `{"bool":true}`, Status: 404},
		testkit.Call{Name: "tables", As: "viewer", Do: "POST /system/v1/views/_search", Keep: map[string]string{"view": "result.0.viewName", "at": "result.0.processedSequence", "time": "result.0.eventTimestamp"}},
		testkit.Call{Name: "failed events", As: "viewer", Do: "POST /system/v1/failedevents/_search", Want: `{"result":null}`},
		testkit.Call{Name: "are none to remove", As: "operator", Do: "DELETE /system/v1/failedevents/db/view/1", Status: 404},
	)
}

func TestSystemDomains(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	addInstance(t, s, "acme")
	const path = "/system/v1/instances/$acme/domains"
	s.Run(t,
		testkit.Call{Name: "unknown", As: "acme", Host: "login.acme.example", Do: "GET /admin/v1/instances/me", Status: 404},
		testkit.Call{Name: "free", As: "viewer", Do: "POST /system/v1/domains/login.acme.example/_exists", Want: `{"exists":null}`},
		testkit.Call{Name: "add", As: "operator", Do: "POST " + path, Body: `{"domain":"Login.ACME.example."}`, Want: `{"details":{"creationDate":"*","resourceOwner":"$acme"}}`, Events: []string{"instance.domain.added"}},
		testkit.Call{Name: "answers at once", As: "acme", Host: "login.acme.example", Do: "GET /admin/v1/instances/me", Want: `{"instance":{"id":"$acme"}}`},
		testkit.Call{Name: "taken", As: "viewer", Do: "POST /system/v1/domains/LOGIN.acme.example/_exists", Want: `{"exists":true}`},
		testkit.Call{Name: "add again", As: "operator", Do: "POST " + path, Body: `{"domain":"login.acme.example"}`, Status: 409},
		testkit.Call{Name: "nor for another", As: "operator", Do: "POST /system/v1/instances/$instance/domains", Body: `{"domain":"login.acme.example"}`, Status: 409},
		testkit.Call{Name: "a port", As: "operator", Do: "POST " + path, Body: `{"domain":"acme.example:443"}`, Status: 400},
		testkit.Call{Name: "a URL", As: "operator", Do: "POST " + path, Body: `{"domain":"https://acme.example"}`, Status: 400},
		testkit.Call{Name: "for none", As: "operator", Do: "POST /system/v1/instances/1/domains", Body: `{"domain":"x.example"}`, Status: 404},
		testkit.Call{Name: "who only looks", As: "viewer", Do: "POST " + path, Body: `{"domain":"x.example"}`, Status: 403},
		testkit.Call{
			Name: "list", As: "viewer", Do: "POST " + path + "/_search", Body: `{"query":{"asc":true},"sortingColumn":"DOMAIN_FIELD_NAME_DOMAIN","queries":[{"generatedQuery":{"generated":false}}]}`,
			Want: `{"details":{"totalResult":"2"},"sortingColumn":"DOMAIN_FIELD_NAME_DOMAIN","result":[{"domain":"acme.example","primary":true},{"domain":"login.acme.example","primary":null,"generated":null,"details":{"sequence":"*"}}]}`,
		},
		testkit.Call{Name: "the primary one", As: "viewer", Do: "POST " + path + "/_search", Body: `{"queries":[{"primaryQuery":{"primary":true}}]}`, Want: `{"result":[{"domain":"acme.example"}]}`},
		testkit.Call{Name: "by name", As: "viewer", Do: "POST " + path + "/_search", Body: `{"queries":[{"domainQuery":{"domain":"login","method":"TEXT_QUERY_METHOD_STARTS_WITH"}}]}`, Want: `{"result":[{"domain":"login.acme.example"}]}`},
		testkit.Call{Name: "primary last", As: "viewer", Do: "POST " + path + "/_search", Body: `{"query":{"asc":true,"offset":2},"sortingColumn":"DOMAIN_FIELD_NAME_PRIMARY"}`, Want: `{"result":[{"domain":"acme.example"}]}`},
		testkit.Call{Name: "generated first", As: "viewer", Do: "POST " + path + "/_search", Body: `{"query":{"limit":1},"sortingColumn":"DOMAIN_FIELD_NAME_GENERATED"}`, Want: `{"result":[{"generated":true}]}`, Keep: map[string]string{"made": "result.0.domain"}},
		testkit.Call{Name: "of none", As: "viewer", Do: "POST /system/v1/instances/1/domains/_search", Status: 404},
		testkit.Call{Name: "the primary one stays", As: "operator", Do: "DELETE " + path + "/acme.example", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "and the generated one", As: "operator", Do: "DELETE " + path + "/$made", Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "primary", As: "operator", Do: "POST " + path + "/_set_primary", Body: `{"domain":"login.acme.example"}`, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"instance.domain.primary.set"}},
		testkit.Call{Name: "already", As: "operator", Do: "POST " + path + "/_set_primary", Body: `{"domain":"login.acme.example"}`, Status: 400, Want: `{"code":9}`},
		testkit.Call{Name: "not its own", As: "operator", Do: "POST " + path + "/_set_primary", Body: `{"domain":"localhost"}`, Status: 404},
		testkit.Call{Name: "nor to remove", As: "operator", Do: "DELETE " + path + "/localhost", Status: 404},
		testkit.Call{Name: "remove", As: "operator", Do: "DELETE " + path + "/acme.example", Want: `{"details":{"changeDate":"*"}}`, Events: []string{"instance.domain.removed"}},
		testkit.Call{Name: "is refused at once", As: "acme", Host: "acme.example", Do: "GET /admin/v1/instances/me", Status: 404},
		testkit.Call{Name: "and free", As: "operator", Do: "POST /system/v1/instances/$instance/domains", Body: `{"domain":"acme.example"}`, Events: []string{"instance.domain.added"}},
	)
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s := startSystem(t, flow.SystemMembership{On: flow.OnInstance, Roles: []string{"IAM_OWNER"}})
	addInstance(t, s, "acme")
	const path = "/system/v1/instances/$acme/limits"
	read := testkit.Call{Name: "its owner reads", As: "acme", Host: "acme.example", Do: "GET /admin/v1/policies/login"}
	refused := read
	refused.Name, refused.Status, refused.Want = "its owner is refused", 429, `{"code":8}`
	s.Run(t,
		testkit.Call{Name: "nothing to reset", As: "operator", Do: "DELETE " + path, Status: 404},
		testkit.Call{Name: "no limit", As: "operator", Do: "PUT " + path, Body: `{}`, Status: 400},
		testkit.Call{Name: "of none", As: "operator", Do: "PUT /system/v1/instances/1/limits", Body: `{"block":true}`, Status: 404},
		testkit.Call{Name: "negative", As: "operator", Do: "PUT " + path, Body: `{"auditLogRetention":"-1s"}`, Status: 400},
		testkit.Call{Name: "who only looks", As: "viewer", Do: "PUT " + path, Body: `{"block":true}`, Status: 403},
		testkit.Call{Name: "block", As: "operator", Do: "PUT " + path, Body: `{"block":true}`, Want: `{"details":{"changeDate":"*","resourceOwner":"$acme"}}`, Events: []string{"limits.set"}},
		refused,
		testkit.Call{Name: "so is who needs no token", As: "nobody", Host: "acme.example", Do: "GET /admin/v1/healthz", Status: 429},
		testkit.Call{Name: "and who has none", As: "nobody", Host: "acme.example", Do: "GET /admin/v1/policies/login", Status: 429},
		testkit.Call{Name: "and who pretends", As: "nobody", Host: "acme.example", Do: "GET /admin/v1/policies/login", Header: map[string]string{"Authorization": "Bearer a.b.c"}, Status: 429},
		testkit.Call{Name: "not a system user", As: "guest", Host: "acme.example", Do: "GET /admin/v1/policies/login"},
		testkit.Call{Name: "nor another instance", Do: "GET /admin/v1/policies/login"},
		testkit.Call{Name: "block again", As: "operator", Do: "PUT " + path, Body: `{"block":true}`, Want: `{"details":{"changeDate":"*"}}`},
		testkit.Call{Name: "another limit leaves it", As: "operator", Do: "PUT " + path, Body: `{"auditLogRetention":"3600s"}`, Events: []string{"limits.set"}},
		refused,
		testkit.Call{Name: "unblock", As: "operator", Do: "PUT " + path, Body: `{"block":false}`, Events: []string{"limits.set"}},
		read,
		testkit.Call{
			Name: "several", As: "operator", Do: "PUT /system/v1/instances/limits/_bulk", Body: `{"limits":[{"instanceId":"$instance","auditLogRetention":"36000s"},{"instanceId":"$acme","block":true}]}`,
			Want: `{"details":{"changeDate":"*"},"targetDetails":[{"resourceOwner":"$instance"},{"resourceOwner":"$acme"}]}`, Events: []string{"limits.set", "limits.set"},
		},
		refused,
		testkit.Call{Name: "all or none", As: "operator", Do: "PUT /system/v1/instances/limits/_bulk", Body: `{"limits":[{"instanceId":"$instance","block":true},{"instanceId":"1","block":true}]}`, Status: 404},
		testkit.Call{Name: "none at all", As: "operator", Do: "PUT /system/v1/instances/limits/_bulk", Body: `{}`, Status: 400},
		testkit.Call{Name: "reset", As: "operator", Do: "DELETE " + path, Want: `{"details":{"changeDate":"*"}}`, Events: []string{"limits.reset"}},
		read,
	)
}

// TestAuditLogRetention: what is older than an instance keeps is shown nowhere.
func TestAuditLogRetention(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	s.Clock.Advance(2 * time.Hour)
	s.Run(t, testkit.Call{Name: "something new", Do: "PUT /management/v1/orgs/me", Body: `{"name":"New"}`, Events: []string{"org.changed"}})
	const search, history = "POST /admin/v1/events/_search", "POST /management/v1/orgs/me/changes/_search"
	s.Run(t, testkit.Call{Name: "all is shown", Do: search, Body: `{"asc":true,"limit":1}`, Want: `{"events":[{"type":{"type":"instance.added"}}]}`})
	// The operator's token is of the time before.
	err := s.Store.Write(asOperator(t), func(tx *eventstore.Tx) error {
		hour := time.Hour
		_, err := flow.SetLimits(tx, limitsOf(s.InstanceID, &hour))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Run(t,
		testkit.Call{Name: "events", Do: search, Body: `{"asc":true}`, Want: `{"events":[{"type":{"type":"org.changed"}},{"type":{"type":"limits.set"}}]}`},
		testkit.Call{Name: "events of an older time", Do: search, Body: `{"range":{"since":"2000-01-01T00:00:00Z"},"limit":1000}`, Want: `{"events":[{},{}]}`},
		testkit.Call{Name: "histories", Do: history, Want: `{"result":[{"eventType":{"key":"org.changed"}}]}`},
		testkit.Call{Name: "of users", Do: "POST /management/v1/users/$owner/changes/_search", Want: `{"result":null}`},
	)
}
