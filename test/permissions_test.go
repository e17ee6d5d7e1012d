package test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/project"
	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/user"
)

// rolesTable reads the roles of members and those of system users as they are written,
// not as the server read them.
func rolesTable(t *testing.T) (members, system map[string][]string) {
	t.Helper()
	data, err := os.ReadFile("../internal/authz/roles.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Roles  map[string][]string `yaml:"roles"`
		System map[string][]string `yaml:"system_roles"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	return file.Roles, file.System
}

// machine makes a machine user of org with a token and, if roles are named, a
// membership: of the instance for IAM roles, for those of projects and grants of one of
// its own, of the organization for others.
func machine(t *testing.T, s *testkit.Server, orgID, name string, roles ...string) {
	t.Helper()
	token, hash := user.NewToken()
	err := s.Store.Write(authz.AsSystem(context.Background(), s.InstanceID), func(tx *eventstore.Tx) error {
		id := tx.NewID()
		if _, err := user.AddMachine(tx, s.InstanceID, orgID, id, user.Machine{UserName: name, Name: name}); err != nil {
			return err
		}
		if _, _, err := user.AddPAT(tx, s.InstanceID, orgID, id, hash, time.Time{}); err != nil {
			return err
		}
		if len(roles) == 0 {
			return nil
		}
		scope := eventstore.Scope{Instance: s.InstanceID, Org: orgID}
		if strings.HasPrefix(roles[0], "IAM_") {
			scope = scope.Default()
		}
		object := member.Of(scope)
		if strings.HasPrefix(roles[0], "PROJECT_") {
			var err error
			if object, err = newProject(tx, scope, strings.HasPrefix(roles[0], "PROJECT_GRANT_")); err != nil {
				return err
			}
		}
		_, err := member.Add(tx, object, id, roles)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	s.SetToken(name, token)
}

// newProject makes a project of the organization or, granted, one of another that it
// is granted.
func newProject(tx *eventstore.Tx, s eventstore.Scope, granted bool) (member.Object, error) {
	owner, o := s, member.Object{Scope: s, Project: tx.NewID()}
	if granted {
		owner.Org = tx.NewID()
		if _, err := org.Add(tx, s.Instance, owner.Org, "Owner of "+o.Project); err != nil {
			return o, err
		}
		o.Scope, o.Grant, o.GrantedOrg = owner, tx.NewID(), s.Org
	}
	if _, err := project.Add(tx, owner, o.Project, project.Settings{Name: o.Project}); err != nil || !granted {
		return o, err
	}
	_, err := project.AddGrant(tx, owner, o.Project, o.Grant, o.GrantedOrg, nil)
	return o, err
}

// ofProjects reports whether members of a project can have a permission for the sake of
// the project: other permissions that their roles list they would need elsewhere.
func ofProjects(permission string) bool {
	return strings.HasPrefix(permission, "project.") && permission != "project.create" || strings.HasPrefix(permission, "user.grant.")
}

// TestEveryRoleOnEveryMethod holds what each role may do against the table of
// roles: all methods of the contract, built or not, for all roles that a member
// can have, and for those of the installation. Dry runs keep the calls that are allowed from doing anything.
func TestEveryRoleOnEveryMethod(t *testing.T) {
	t.Parallel()
	s := startSystem(t)
	contract, err := api.Contract()
	if err != nil {
		t.Fatal(err)
	}
	foreign := newOrg(t, s, "Foreign")
	type verdict struct{ code, id string }
	check := func(m *api.Method, as, in string, allowed bool) {
		got := verdict{}
		got.code, got.id = connectError(t, s, m.Procedure, as, in)
		refused := got.id == "AUTH-5mWD2" || got.id == "AUTHZ-cdgFk" || got.code == "unauthenticated"
		if refused == allowed {
			t.Errorf("%s as %s in %q needs %s: refused is %v (%v)", m.Procedure, as, in, m.Permission, refused, got)
		}
	}
	// Everybody is there before the first call: from then on tokens are only read.
	machine(t, s, s.OrgID, "nothing")
	roles, system := rolesTable(t)
	maps.DeleteFunc(roles, func(role string, _ []string) bool {
		return !strings.HasPrefix(role, "IAM_") && !strings.HasPrefix(role, "ORG_") && !strings.HasPrefix(role, "PROJECT_")
	})
	for role := range roles {
		machine(t, s, s.OrgID, role, role)
	}
	calls := make(chan func())
	var workers sync.WaitGroup
	for range 8 {
		workers.Go(func() {
			for call := range calls {
				call()
			}
		})
	}
	for role, permissions := range roles {
		for _, m := range contract {
			if m.Permission == api.Public || m.Permission == api.Authenticated || m.OrgField != "" {
				continue
			}
			ofProject := strings.HasPrefix(role, "PROJECT_")
			allowed := slices.Contains(permissions, m.Permission) && (!ofProject || ofProjects(m.Permission))
			calls <- func() { check(m, role, "", allowed) }
			if strings.HasPrefix(role, "ORG_") || ofProject { // What a role gives in one organization it gives nowhere else.
				calls <- func() { check(m, role, foreign, false) }
			}
		}
	}
	for as, role := range map[string]string{"operator": "SYSTEM_OWNER", "viewer": "SYSTEM_OWNER_VIEWER"} {
		for _, m := range contract {
			if m.Permission != api.Public && m.Permission != api.Authenticated && m.OrgField == "" {
				calls <- func() { check(m, as, "", slices.Contains(system[role], m.Permission)) }
			}
		}
	}
	for _, m := range contract {
		if m.Permission == api.Public {
			continue
		}
		calls <- func() { check(m, "nobody", "", false) }
		if m.Permission != api.Authenticated && m.OrgField == "" {
			calls <- func() { check(m, "nothing", "", false) }
		}
	}
	close(calls)
	workers.Wait()
}

func newOrg(t *testing.T, s *testkit.Server, name string) (id string) {
	t.Helper()
	err := s.Store.Write(authz.AsSystem(context.Background(), s.InstanceID), func(tx *eventstore.Tx) error {
		id = tx.NewID()
		_, err := org.Add(tx, s.InstanceID, id, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// connectError makes an empty call, as a dry run, and gives its error's code and id.
func connectError(t *testing.T, s *testkit.Server, procedure, as, in string) (code, id string) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL+procedure, bytes.NewReader([]byte("{}")))
	if err != nil {
		t.Error(err)
		return "", ""
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Gatehouse-Dry-Run", "true")
	if in != "" {
		req.Header.Set("X-Zitadel-Orgid", in)
	}
	if token := s.TokenOf(t, as); token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := s.Client.Do(req)
	if err != nil {
		t.Error(err)
		return "", ""
	}
	defer func() { _ = res.Body.Close() }()
	var e struct {
		Code, Message string
	}
	if res.StatusCode != http.StatusOK {
		if err := json.NewDecoder(res.Body).Decode(&e); err != nil {
			t.Error(err)
		}
	}
	if open := strings.LastIndex(e.Message, " ("); open >= 0 {
		id = strings.TrimSuffix(e.Message[open+2:], ")")
	}
	return e.Code, id
}
