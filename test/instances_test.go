package test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

// asOperator is a context that may do everything.
func asOperator(t *testing.T) context.Context {
	t.Helper()
	return authz.AsSystem(t.Context(), "")
}

func limitsOf(id string, retention *time.Duration) flow.InstanceLimits {
	return flow.InstanceLimits{InstanceID: id, LimitsDoc: policy.LimitsDoc{AuditLogRetention: retention}}
}

const instanceService = "POST /zitadel.instance.v2.InstanceService/"

func TestInstances(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	addInstance(t, s, "acme")
	s.Run(t,
		testkit.Call{
			Name: "one's own", Do: instanceService + "GetInstance", Body: `{}`,
			Want: `{"instance":{"id":"$instance","name":"Gatehouse","state":"STATE_RUNNING","version":"*","creationDate":"*","changeDate":"*",
				"customDomains":[{"instanceId":"$instance","domain":"localhost","primary":true,"generated":true,"creationDate":"*"}]}}`,
		},
		testkit.Call{Name: "by its id", Do: instanceService + "GetInstance", Body: `{"instanceId":"$instance"}`, Want: `{"instance":{"id":"$instance"}}`},
		testkit.Call{Name: "any, to system users", As: "viewer", Do: instanceService + "GetInstance", Body: `{"instanceId":"$acme"}`, Want: `{"instance":{"id":"$acme","customDomains":[{"domain":"acme.example"},{}]}}`},
		testkit.Call{Name: "the host's too", As: "viewer", Do: instanceService + "GetInstance", Body: `{}`, Want: `{"instance":{"id":"$instance"}}`},
		testkit.Call{Name: "unless there is none", As: "viewer", Do: instanceService + "GetInstance", Body: `{"instanceId":"1"}`, Status: 404},
		testkit.Call{Name: "rename", Do: instanceService + "UpdateInstance", Body: `{"instanceName":"Home"}`, Want: `{"changeDate":"*"}`, Keep: map[string]string{"changed": "changeDate"}, Events: []string{"instance.changed"}},
		testkit.Call{Name: "to the same", Do: instanceService + "UpdateInstance", Body: `{"instanceName":"Home"}`, Want: `{"changeDate":"$changed"}`},
		testkit.Call{Name: "another", As: "operator", Do: instanceService + "UpdateInstance", Body: `{"instanceId":"$acme","instanceName":"Acme Ltd"}`, Events: []string{"instance.changed"}},
		testkit.Call{Name: "not by who only looks", As: "viewer", Do: instanceService + "UpdateInstance", Body: `{"instanceId":"$acme","instanceName":"x"}`, Status: 403},
		testkit.Call{
			Name: "list", As: "viewer", Do: instanceService + "ListInstances", Body: `{"pagination":{"asc":true},"sortingColumn":"FIELD_NAME_NAME"}`,
			Want: `{"pagination":{"totalResult":"2","appliedLimit":"100"},"instances":[{"id":"$acme","name":"Acme Ltd","customDomains":[{"domain":"acme.example"},{}]},{"id":"$instance"}]}`,
		},
		testkit.Call{Name: "list by ids", As: "viewer", Do: instanceService + "ListInstances", Body: `{"filters":[{"inIdsFilter":{"ids":["$acme"]}}]}`, Want: `{"instances":[{"id":"$acme"}]}`},
		testkit.Call{Name: "list by domains", As: "viewer", Do: instanceService + "ListInstances", Body: `{"filters":[{"customDomainsFilter":{"domains":["localhost"]}}]}`, Want: `{"instances":[{"id":"$instance"}]}`},
		testkit.Call{Name: "list by no filter", As: "viewer", Do: instanceService + "ListInstances", Body: `{"filters":[{}]}`, Status: 400},
		testkit.Call{Name: "not to members", Do: instanceService + "ListInstances", Body: `{}`, Status: 403},
		testkit.Call{Name: "add a domain", As: "operator", Do: instanceService + "AddCustomDomain", Body: `{"instanceId":"$acme","customDomain":"Bücher.example"}`, Want: `{"creationDate":"*"}`, Events: []string{"instance.domain.added"}},
		testkit.Call{Name: "again", As: "operator", Do: instanceService + "AddCustomDomain", Body: `{"instanceId":"$instance","customDomain":"xn--bcher-kva.example"}`, Status: 409},
		testkit.Call{Name: "not by members", Do: instanceService + "AddCustomDomain", Body: `{"instanceId":"$instance","customDomain":"x.example"}`, Status: 403},
		testkit.Call{
			Name: "domains", As: "viewer", Do: instanceService + "ListCustomDomains", Body: `{"instanceId":"$acme","pagination":{"asc":true},"sortingColumn":"DOMAIN_FIELD_NAME_DOMAIN","filters":[{"generatedFilter":false}]}`,
			Want: `{"pagination":{"totalResult":"2"},"domains":[{"instanceId":"$acme","domain":"acme.example","primary":true},{"domain":"xn--bcher-kva.example","creationDate":"*"}]}`,
		},
		testkit.Call{Name: "one's own domains", Do: instanceService + "ListCustomDomains", Body: `{"filters":[{"primaryFilter":true},{"domainFilter":{"domain":"LOCAL","method":3}}]}`, Want: `{"domains":[{"domain":"localhost"}]}`},
		testkit.Call{Name: "in v1", Do: "POST /admin/v1/domains/_search", Want: `{"details":{"totalResult":"1"},"result":[{"domain":"localhost","primary":true,"generated":true}]}`},
		testkit.Call{Name: "of none", As: "viewer", Do: instanceService + "ListCustomDomains", Body: `{"instanceId":"1"}`, Status: 404},
		testkit.Call{Name: "remove it", As: "operator", Do: instanceService + "RemoveCustomDomain", Body: `{"instanceId":"$acme","customDomain":"bücher.example"}`, Want: `{"deletionDate":"*"}`, Events: []string{"instance.domain.removed"}},
		testkit.Call{Name: "once", As: "operator", Do: instanceService + "RemoveCustomDomain", Body: `{"instanceId":"$acme","customDomain":"bücher.example"}`, Status: 404},
	)
	removeInstance(t, s, "acme", instanceService+"DeleteInstance", `{"instanceId":"$acme"}`)
}

func TestTrustedDomains(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	addInstance(t, s, "acme")
	added, removed := []string{"instance.trusted_domains.added"}, []string{"instance.trusted_domains.removed"}
	s.Run(t,
		testkit.Call{Name: "add", Do: instanceService + "AddTrustedDomain", Body: `{"trustedDomain":"Proxy.example."}`, Want: `{"creationDate":"*"}`, Events: added},
		testkit.Call{Name: "again", Do: instanceService + "AddTrustedDomain", Body: `{"trustedDomain":"proxy.example"}`, Status: 409},
		testkit.Call{Name: "no domain", Do: instanceService + "AddTrustedDomain", Body: `{"trustedDomain":"proxy example"}`, Status: 400},
		testkit.Call{Name: "another instance may trust it too", As: "operator", Do: instanceService + "AddTrustedDomain", Body: `{"instanceId":"$acme","trustedDomain":"proxy.example"}`, Events: added},
		testkit.Call{Name: "it is not reached there", Host: "proxy.example", Do: "GET /admin/v1/instances/me", Status: 404},
		testkit.Call{Name: "in v1", Do: "POST /admin/v1/trusted_domains", Body: `{"domain":"a.example"}`, Want: `{"details":{"creationDate":"*","resourceOwner":"$instance"}}`, Events: added},
		testkit.Call{
			Name: "list", Do: instanceService + "ListTrustedDomains", Body: `{"pagination":{"asc":true},"sortingColumn":"TRUSTED_DOMAIN_FIELD_NAME_DOMAIN"}`,
			Want: `{"pagination":{"totalResult":"2"},"trustedDomain":[{"instanceId":"$instance","domain":"a.example","creationDate":"*"},{"domain":"proxy.example"}]}`,
		},
		testkit.Call{Name: "list by name", Do: instanceService + "ListTrustedDomains", Body: `{"filters":[{"domainFilter":{"domain":"prox","method":2}}]}`, Want: `{"trustedDomain":[{"domain":"proxy.example"}]}`},
		testkit.Call{Name: "list another's", As: "viewer", Do: instanceService + "ListTrustedDomains", Body: `{"instanceId":"$acme"}`, Want: `{"trustedDomain":[{"instanceId":"$acme"}]}`},
		testkit.Call{
			Name: "list in v1", Do: "POST /admin/v1/trusted_domains/_search", Want: `{"details":{"totalResult":"2"},"result":[{"domain":"a.example","details":{"creationDate":"*"}},{"domain":"proxy.example"}]}`,
		},
		testkit.Call{Name: "remove", Do: instanceService + "RemoveTrustedDomain", Body: `{"trustedDomain":"PROXY.example"}`, Want: `{"deletionDate":"*"}`, Events: removed},
		testkit.Call{Name: "once", Do: instanceService + "RemoveTrustedDomain", Body: `{"trustedDomain":"proxy.example"}`, Status: 404},
		testkit.Call{Name: "not another's", Do: "DELETE /admin/v1/trusted_domains/proxy.example", Status: 404},
		testkit.Call{Name: "remove in v1", Do: "DELETE /admin/v1/trusted_domains/a.example", Want: `{"details":{"changeDate":"*"}}`, Events: removed},
	)
}

// TestAnotherInstance: to everybody but system users there is one instance, and
// others answer like those that do not exist.
func TestAnotherInstance(t *testing.T) {
	t.Parallel()
	s := startSystem(t, flow.SystemMembership{On: flow.OnInstance, ID: "1", Roles: []string{"SYSTEM_OWNER", "IAM_OWNER"}})
	addInstance(t, s, "acme")
	machine(t, s, s.OrgID, "orgowner", "ORG_OWNER")
	for rpc, body := range map[string]string{
		"GetInstance": "", "UpdateInstance": `,"instanceName":"x"`, "ListCustomDomains": "", "ListTrustedDomains": "",
		"AddTrustedDomain": `,"trustedDomain":"x.example"`, "RemoveTrustedDomain": `,"trustedDomain":"x.example"`,
	} {
		for _, as := range []string{"owner", "orgowner", "guest"} {
			send := func(id string) testkit.Reply {
				return s.Send(t, testkit.Call{As: as, Do: instanceService + rpc, Body: `{"instanceId":"` + id + `"` + body + `}`})
			}
			there, nowhere := send("$acme"), send("123456789012345678")
			if there.Status != 404 || string(there.Body) != string(nowhere.Body) {
				t.Errorf("%s as %s: %s for one that exists, %s for one that does not", rpc, as, there.Body, nowhere.Body)
			}
		}
		s.Check(t, testkit.Call{As: "orgowner", Do: instanceService + rpc, Body: `{"instanceId":"$instance"` + body + `}`, Status: 403})
	}
}

// removeInstance removes the instance of the name, and looks at what is left.
func removeInstance(t *testing.T, s *testkit.Server, name, do, body string) {
	t.Helper()
	host := name + ".example"
	s.Run(t,
		testkit.Call{Name: "not by who only looks", As: "viewer", Do: do, Body: body, Status: 403},
		testkit.Call{Name: "nor by its owner", As: name, Host: host, Do: do, Body: body, Status: 403},
		testkit.Call{Name: "remove", As: "operator", Do: do, Body: body, Events: []string{"instance.removed"}},
		testkit.Call{Name: "it does not answer", As: name, Host: host, Do: "GET /admin/v1/policies/login", Status: 404},
		testkit.Call{Name: "once", As: "operator", Do: do, Body: body, Status: 404},
		testkit.Call{Name: "nor is it shown", As: "operator", Do: "GET /system/v1/instances/$" + name, Status: 404},
		testkit.Call{Name: "nor changed", As: "operator", Do: "PUT /system/v1/instances/$" + name + "/limits", Body: `{"block":true}`, Status: 404},
		testkit.Call{Name: "the domain is free", As: "viewer", Do: "POST /system/v1/domains/" + host + "/_exists", Want: `{"exists":null}`},
	)
	s.Settle(t)
	if n := rowsOf(t, s, s.Var(name)); n != 0 {
		t.Errorf("%d rows are left of the instance", n)
	}
}

// rowsOf counts what the tables hold of an instance, but for the events.
func rowsOf(t *testing.T, s *testkit.Server, instance string) (n uint64) {
	t.Helper()
	for _, table := range eventstore.Tables() {
		if table.Name == "purges" {
			continue
		}
		var rows uint64
		if err := s.DB.Read(t.Context(), database.From("*", table.Name).Where("instance_id = ?", instance).Count(&rows)); err != nil {
			t.Fatal(err)
		}
		n += rows
	}
	return n
}

// TestRemoveInstance removes an instance of some size while another one is used,
// and lets a call that was under way write to it afterwards.
func TestRemoveInstance(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	addInstance(t, s, "big")
	id := s.Var("big")
	addOrgs := func(n int, prefix string) error {
		return s.Store.Write(authz.AsSystem(context.Background(), id), func(tx *eventstore.Tx) error {
			for i := range n {
				if _, err := org.Add(tx, id, tx.NewID(), fmt.Sprint(prefix, i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := addOrgs(1300, "org"); err != nil {
		t.Fatal(err)
	}
	s.Run(t, testkit.Call{Name: "remove", As: "operator", Do: "DELETE /system/v1/instances/$big", Want: `{"details":{"resourceOwner":"$big"}}`, Events: []string{"instance.removed"}})
	for i := range 20 {
		s.Check(t, testkit.Call{Do: "PUT /management/v1/orgs/me", Body: fmt.Sprintf(`{"name":"Org %d"}`, i), Events: []string{"org.changed"}})
	}
	s.Settle(t)
	if n := rowsOf(t, s, id); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if err := addOrgs(2, "late"); err != nil {
		t.Fatal(err)
	}
	if rowsOf(t, s, id) == 0 {
		t.Fatal("the late call wrote nothing")
	}
	s.Clock.Advance(2 * time.Minute)
	s.Settle(t)
	if n := rowsOf(t, s, id); n != 0 {
		t.Errorf("%d rows are left after the last look", n)
	}
	var events, jobs uint64
	if err := s.DB.Read(t.Context(), database.From("*", "events").Where("instance_id = ?", id).Count(&events), database.From("*", "jobs").Count(&jobs)); err != nil {
		t.Fatal(err)
	}
	if events < 1300 || jobs != 0 {
		t.Errorf("%d events are kept, %d jobs are left", events, jobs)
	}
	// Nobody can purge what was not removed.
	if _, err := s.Store.Purge(t.Context(), s.InstanceID); err == nil {
		t.Error("a living instance was purged")
	}
}

// TestRemoveLargeOrg removes an organization of more users than one transaction
// ends: none of them can call from then on, and all are gone in the end.
func TestRemoveLargeOrg(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	const n = 450
	s.Run(t, testkit.Call{Name: "add", Do: "POST /v2/organizations", Body: `{"name":"Large","organizationId":"large"}`, Status: 201, Events: orgAdded})
	tokens := make([]string, n)
	err := s.Store.Write(authz.AsSystem(t.Context(), s.InstanceID), func(tx *eventstore.Tx) error {
		for i := range n {
			id, name := tx.NewID(), fmt.Sprint("robot", i)
			if _, err := user.AddMachine(tx, s.InstanceID, "large", id, user.Machine{UserName: name, Name: name}); err != nil {
				return err
			}
			token, hash := user.NewToken()
			tokens[i] = token
			if _, _, err := user.AddPAT(tx, s.InstanceID, "large", id, hash, time.Time{}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.SetToken("last", tokens[n-1])
	me := testkit.Call{Name: "a user", As: "last", Do: "GET /auth/v1/users/me"}
	s.Run(t, me)
	// Through another store, which does not wake the server's runner of jobs.
	err = eventstore.New(s.DB, s.Clock.Now).Write(authz.AsSystem(t.Context(), s.InstanceID), func(tx *eventstore.Tx) error {
		_, err := flow.RemoveOrg(tx, s.InstanceID, "large")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	me.Status = 401
	s.Run(t, me,
		testkit.Call{Name: "no user for an organization that is none", In: "large", Do: "POST /management/v1/users/machine", Body: `{"userName":"x","name":"x"}`, Status: 404},
		testkit.Call{Name: "nor one of the id, which would get the users", Do: "POST /v2/organizations", Body: `{"name":"New","organizationId":"large"}`, Status: 409},
	)
	s.Settle(t)
	var users, tokensLeft uint64
	if err := s.DB.Read(t.Context(), database.From("*", "users").Where("org_id = 'large'").Count(&users), database.From("*", "access_tokens").Count(&tokensLeft)); err != nil {
		t.Fatal(err)
	}
	if users != 0 || tokensLeft != 1 {
		t.Errorf("%d users and %d tokens are left", users, tokensLeft)
	}
	s.Run(t, me, testkit.Call{Name: "the id is free now", Do: "POST /v2/organizations", Body: `{"name":"New","organizationId":"large"}`, Status: 201, Events: orgAdded})
}

// TestInstanceRoundTrips: the gate asks once, and so does a list with its domains.
func TestInstanceRoundTrips(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	addInstance(t, s, "acme")
	s.Settle(t)
	for do, most := range map[string]int64{
		"POST /system/v1/instances/_search": 1, "GET /system/v1/instances/$acme": 1, "POST /system/v1/instances/$acme/domains/_search": 1,
		"POST /system/v1/instances/$acme/members/_search": 1, instanceService + "ListInstances": 2, "POST /system/v1/views/_search": 1,
	} {
		before := s.Trips()
		if r := s.Send(t, testkit.Call{As: "operator", Do: do, Body: "{}"}); r.Status != 200 {
			t.Fatalf("%s: %d %s", do, r.Status, r.Body)
		}
		if trips := s.Trips() - before; trips > most {
			t.Errorf("%s: %d round trips, at most %d are allowed", do, trips, most)
		}
	}
}
