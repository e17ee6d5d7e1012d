package test

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestUnknownHost: no method finds an instance where the host has none, in any
// protocol; those of the installation do not look for one.
func TestUnknownHost(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	contract, err := api.Contract()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range contract {
		if m.Permission == api.Public && m.Procedure == "/zitadel.system.v1.SystemService/Healthz" {
			continue
		}
		for _, as := range []string{"owner", "nobody"} {
			c := testkit.Call{As: as, Do: "POST " + m.Procedure, Body: "{}", Host: "nowhere.example"}
			if r := s.Send(t, c); r.Status != http.StatusNotFound {
				t.Fatalf("%s as %s: %d %s", m.Procedure, as, r.Status, r.Body)
			}
		}
	}
	s.Run(t,
		testkit.Call{Name: "REST", Host: "nowhere.example", Do: "GET /admin/v1/instances/me", Status: 404, Want: `{"code":5,"message":"There is no instance at this host: call the server by the host of its external URL, or give the instance this host as a domain."}`},
		testkit.Call{Name: "without a token", As: "nobody", Host: "nowhere.example", Do: "GET /management/v1/healthz", Status: 404},
	)
}

// TestSpellingsOfHosts: a host is found however it is spelled, and its neighbours
// are not.
func TestSpellingsOfHosts(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	for _, domain := range []string{"Bücher.example", "[::1]", "127.0.0.1"} {
		s.Run(t, testkit.Call{Name: domain, As: "operator", Do: "POST /system/v1/instances/$instance/domains", Body: `{"domain":"` + domain + `"}`, Events: []string{"instance.domain.added"}})
	}
	for host, status := range map[string]int{
		"localhost": 200, "localhost:8080": 200, "LOCALHOST": 200, "localhost.": 200, "LocalHost.:443": 200,
		"xn--bcher-kva.example": 200, "XN--BCHER-KVA.example.:80": 200, "[::1]": 200, "[::1]:8080": 200, "[0:0:0:0:0:0:0:1]:80": 200, "127.0.0.1:80": 200,
		"localhost..": 404, ".localhost": 404, "localhost.evil.example": 404, "evil-localhost": 404, "[::2]": 404, "127.1": 404, "xn--bcher-kva.example.evil": 404,
	} {
		if r := s.Send(t, testkit.Call{Host: host, Do: "GET /admin/v1/instances/me"}); r.Status != status && (status != 404 || r.Status != 400) {
			t.Errorf("%s: %d %s", host, r.Status, r.Body)
		}
	}
}

// TestForwardedHosts: only a trusted proxy chooses the instance.
func TestForwardedHosts(t *testing.T) {
	t.Parallel()
	forwarded := map[string]string{"X-Forwarded-Host": "Localhost:443"}
	for _, trusted := range []bool{false, true} {
		s := testkit.Start(t, func(o *server.Options) {
			if trusted {
				o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
			}
		})
		there, here := 404, 200
		if trusted {
			there, here = 200, 404
		}
		s.Run(t,
			testkit.Call{Name: "to the instance", Host: "internal", Header: forwarded, Do: "GET /admin/v1/instances/me", Status: there},
			testkit.Call{Name: "by the other header", Host: "internal", Header: map[string]string{"X-Zitadel-Instance-Host": "localhost"}, Do: "GET /admin/v1/instances/me", Status: there},
			testkit.Call{Name: "away from it", Header: map[string]string{"X-Forwarded-Host": "evil.example"}, Do: "GET /admin/v1/instances/me", Status: here},
			testkit.Call{Name: "in bytes beyond ASCII", Header: map[string]string{"X-Forwarded-Host": "löcalhost"}, Do: "GET /admin/v1/instances/me", Status: here},
		)
	}
}

// TestInstanceIsNotForOrgOwners: who owns an organization gets nothing from the
// services for the instance and the installation.
func TestInstanceIsNotForOrgOwners(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	machine(t, s, s.OrgID, "orgowner", "ORG_OWNER")
	for _, m := range builtMethods(t, s) {
		service := m.Descriptor.Parent().FullName()
		languages := m.Permission == api.Authenticated && service == "zitadel.admin.v1.AdminService" // everybody may know them
		if m.Permission == api.Public || languages || service != "zitadel.admin.v1.AdminService" && service != "zitadel.system.v1.SystemService" && service != "zitadel.instance.v2.InstanceService" {
			continue
		}
		g := &generator{text: "x", id: func(string) string { return s.InstanceID }}
		r := sendMessage(t, s, m, g.request(t, m), testkit.Call{As: "orgowner", Header: map[string]string{"X-Gatehouse-Dry-Run": "true"}})
		if r.Status != http.StatusForbidden {
			t.Errorf("%s: %d %s", m.Procedure, r.Status, r.Body)
		}
	}
}

// TestInstallationIsNotForMembers: even where the configuration gives members the
// permissions of the installation, these hold in their own instance only.
func TestInstallationIsNotForMembers(t *testing.T) {
	t.Parallel()
	all, _ := rolesTable(t)
	s := testkit.Start(t, func(o *server.Options) {
		o.Roles = map[string][]string{"IAM_OWNER": append(all["IAM_OWNER"], all["SYSTEM_OWNER"]...)}
	})
	for _, m := range builtMethods(t, s) {
		if m.Permission == api.Public || m.Descriptor.Parent().FullName() != "zitadel.system.v1.SystemService" {
			continue
		}
		g := &generator{text: "x", id: func(string) string { return "123456789012345678" }}
		r := sendMessage(t, s, m, g.request(t, m), testkit.Call{Header: map[string]string{"X-Gatehouse-Dry-Run": "true"}})
		if r.Status != http.StatusForbidden || !strings.Contains(string(r.Body), "AUTH-5mWD2") {
			t.Errorf("%s: %d %s", m.Procedure, r.Status, r.Body)
		}
	}
	s.Run(t, testkit.Call{Name: "nor is the list of instances", Do: instanceService + "ListInstances", Body: `{}`, Status: 403})
}
