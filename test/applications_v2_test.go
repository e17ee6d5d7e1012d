package test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

const appsV2 = "POST /zitadel.application.v2.ApplicationService/"

func TestApplicationsV2(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	s.Run(t,
		testkit.Call{
			Name: "create", As: "lead", Do: appsV2 + "CreateApplication",
			Body: `{"projectId":"$portal","applicationId":"wished","name":"Web","oidcConfiguration":{"redirectUris":["https://a.example/x"],"responseTypes":["OIDC_RESPONSE_TYPE_CODE"],"backChannelLogoutUri":"https://no-such-host.invalid/","loginVersion":{"loginV2":{}}}}`,
			Want: `{"applicationId":"wished","creationDate":"*","oidcConfiguration":{"clientId":"*","clientSecret":"*","nonCompliant":null}}`, Keep: map[string]string{"client": "oidcConfiguration.clientId"}, Events: oidcAdded,
		},
		testkit.Call{Name: "an id once", As: "boss", Do: appsV2 + "CreateApplication", Body: `{"projectId":"$other","applicationId":"wished","name":"Web","apiConfiguration":{}}`, Status: 409},
		testkit.Call{Name: "in the whole instance", As: "foe", Do: "POST /management/v1/projects", Body: `{"name":"P"}`, Keep: map[string]string{"p": "id"}, Events: projectAdded},
		testkit.Call{Name: "an id once, for all", As: "foe", Do: appsV2 + "CreateApplication", Body: `{"projectId":"$p","applicationId":"wished","name":"Web","apiConfiguration":{}}`, Status: 409},
		testkit.Call{Name: "not in another's project", As: "foe", Do: appsV2 + "CreateApplication", Body: `{"projectId":"$portal","name":"Mine","apiConfiguration":{}}`, Status: 404},
		testkit.Call{Name: "not without the permission", As: "maker", Do: appsV2 + "CreateApplication", Body: `{"projectId":"$portal","name":"Mine","apiConfiguration":{}}`, Status: 403},
		testkit.Call{Name: "an API", As: "boss", Do: appsV2 + "CreateApplication", Body: `{"projectId":"$portal","name":"Api","apiConfiguration":{"authMethodType":"API_AUTH_METHOD_TYPE_PRIVATE_KEY_JWT"}}`, Want: `{"apiConfiguration":{"clientSecret":null}}`, Keep: map[string]string{"api": "applicationId", "apiClient": "apiConfiguration.clientId"}, Events: apiAdded},
		testkit.Call{Name: "SAML", As: "boss", Do: appsV2 + "CreateApplication", Body: `{"projectId":"$other","name":"Old","samlConfiguration":{"metadataXml":"` + samlMetadata("https://Old.example/a&amp;b", "https://old.example/acs") + `"}}`, Want: `{"samlConfiguration":{}}`, Keep: map[string]string{"saml": "applicationId"}, Events: samlAdded},
		testkit.Call{Name: "read", As: "lead", Do: appsV2 + "GetApplication", Body: `{"applicationId":"wished"}`, Want: `{"application":{"applicationId":"wished","projectId":"$portal","name":"Web","state":"APPLICATION_STATE_ACTIVE","oidcConfiguration":{"clientId":"$client","redirectUris":["https://a.example/x"],
			"responseTypes":["OIDC_RESPONSE_TYPE_CODE"],"allowedOrigins":["https://a.example"],"loginVersion":{"loginV2":{}}}}}`},
		testkit.Call{Name: "not from outside", As: "foe", Do: appsV2 + "GetApplication", Body: `{"applicationId":"wished"}`, Status: 404},
		testkit.Call{Name: "read SAML", As: "boss", Do: appsV2 + "GetApplication", Body: `{"applicationId":"$saml"}`, Want: `{"application":{"samlConfiguration":{"metadataXml":"*"}}}`},
		testkit.Call{Name: "update both", As: "boss", Do: appsV2 + "UpdateApplication", Body: `{"applicationId":"wished","projectId":"$portal","name":"Site","oidcConfiguration":{"developmentMode":true,"applicationType":"OIDC_APP_TYPE_USER_AGENT","authMethodType":"OIDC_AUTH_METHOD_TYPE_NONE","clockSkew":"1s","accessTokenType":1}}`, Events: []string{"project.application.changed", "project.application.config.oidc.changed"}},
		testkit.Call{Name: "what is left out stays", As: "boss", Do: appsV2 + "GetApplication", Body: `{"applicationId":"wished"}`, Want: `{"application":{"name":"Site","oidcConfiguration":{"redirectUris":["https://a.example/x"],"backChannelLogoutUri":"https://no-such-host.invalid/","developmentMode":true,"clockSkew":"1s","accessTokenType":"OIDC_TOKEN_TYPE_JWT"}}}`},
		testkit.Call{Name: "the same name is fine", As: "boss", Do: appsV2 + "UpdateApplication", Body: `{"applicationId":"wished","projectId":"$portal","name":"Site","oidcConfiguration":{"developmentMode":false}}`, Events: []string{"project.application.config.oidc.changed"}},
		testkit.Call{Name: "nothing new is fine", As: "boss", Do: appsV2 + "UpdateApplication", Body: `{"applicationId":"wished","projectId":"$portal","name":"Site"}`, Want: `{"changeDate":"*"}`},
		testkit.Call{Name: "nothing is not", As: "boss", Do: appsV2 + "UpdateApplication", Body: `{"applicationId":"wished","projectId":"$portal"}`, Status: 400},
		testkit.Call{Name: "not as another kind", As: "boss", Do: appsV2 + "UpdateApplication", Body: `{"applicationId":"wished","projectId":"$portal","apiConfiguration":{"authMethodType":1}}`, Status: 400},
		testkit.Call{Name: "not by another project", As: "boss", Do: appsV2 + "UpdateApplication", Body: `{"applicationId":"wished","projectId":"$other","name":"X"}`, Status: 404},
		testkit.Call{Name: "update an API", As: "boss", Do: appsV2 + "UpdateApplication", Body: `{"applicationId":"$api","projectId":"$portal","apiConfiguration":{"authMethodType":0}}`, Events: []string{"project.application.config.api.changed"}},
		testkit.Call{Name: "update SAML", As: "boss", Do: appsV2 + "UpdateApplication", Body: `{"applicationId":"$saml","projectId":"$other","samlConfiguration":{"loginVersion":{"loginV1":{}}}}`, Events: []string{"project.application.config.saml.changed"}},
		testkit.Call{Name: "a secret", As: "boss", Do: appsV2 + "GenerateClientSecret", Body: `{"applicationId":"$api","projectId":"$portal"}`, Want: `{"clientSecret":"*","creationDate":"*"}`, Events: []string{"project.application.config.api.secret.changed"}},
		testkit.Call{Name: "none for SAML", As: "boss", Do: appsV2 + "GenerateClientSecret", Body: `{"applicationId":"$saml","projectId":"$other"}`, Status: 400},
		testkit.Call{Name: "not from outside", As: "foe", Do: appsV2 + "GenerateClientSecret", Body: `{"applicationId":"$api","projectId":"$portal"}`, Status: 404},
		testkit.Call{Name: "deactivate", As: "boss", Do: appsV2 + "DeactivateApplication", Body: `{"applicationId":"$api","projectId":"$portal"}`, Want: `{"deactivationDate":"*"}`, Events: []string{"project.application.deactivated"}},
		testkit.Call{Name: "again is fine", As: "boss", Do: appsV2 + "DeactivateApplication", Body: `{"applicationId":"$api","projectId":"$portal"}`, Want: `{"deactivationDate":"*"}`},
	)
	list := func(name, as, rest, want string) testkit.Call {
		return testkit.Call{Name: name, As: as, Do: appsV2 + "ListApplications", Body: `{"pagination":{"asc":true},` + rest + `}`, Want: want}
	}
	const byCreation = `"sortingColumn":"APPLICATION_SORT_BY_CREATION_DATE",`
	s.Run(t,
		list("all", "boss", `"sortingColumn":"APPLICATION_SORT_BY_NAME"`, `{"pagination":{"totalResult":"3"},"applications":[{"name":"Api"},{"name":"Old"},{"name":"Site"}]}`),
		list("by id", "boss", `"sortingColumn":"APPLICATION_SORT_BY_ID","filters":[{"typeFilter":"APPLICATION_TYPE_OIDC"}]`, `{"applications":[{"applicationId":"wished"}]}`),
		list("by state", "boss", `"sortingColumn":"APPLICATION_SORT_BY_STATE","filters":[{"projectIdFilter":{"projectId":"$portal"}}]`, `{"applications":[{"name":"Site"},{"name":"Api"}]}`),
		list("by change", "boss", `"sortingColumn":"APPLICATION_SORT_BY_CHANGE_DATE"`, `{"applications":[{"name":"Site"},{"name":"Old"},{"name":"Api"}]}`),
		list("of a project", "lead", byCreation+`"filters":[]`, `{"pagination":{"totalResult":"2"},"applications":[{"name":"Site"},{"name":"Api"}]}`),
		list("in a state", "boss", byCreation+`"filters":[{"stateFilter":"APPLICATION_STATE_INACTIVE"}]`, `{"applications":[{"name":"Api"}]}`),
		list("with a client id", "boss", byCreation+`"filters":[{"clientIdFilter":{"clientId":"$apiClient"}}]`, `{"applications":[{"name":"Api"}]}`),
		list("with a name", "boss", byCreation+`"filters":[{"nameFilter":{"name":"sit","method":"TEXT_FILTER_METHOD_CONTAINS_IGNORE_CASE"}}]`, `{"applications":[{"name":"Site"}]}`),
		list("with an entity id", "boss", byCreation+`"filters":[{"entityIdFilter":{"entityId":"https://Old.example/a&b"}}]`, `{"applications":[{"name":"Old"}]}`),
		list("all of it", "boss", byCreation+`"filters":[{"entityIdFilter":{"entityId":"https://Old.example/"}}]`, `{"applications":null}`),
		list("not from outside", "foe", byCreation+`"filters":[]`, `{"applications":null}`),
		testkit.Call{Name: "reactivate", As: "boss", Do: appsV2 + "ReactivateApplication", Body: `{"applicationId":"$api","projectId":"$portal"}`, Want: `{"reactivationDate":"*"}`, Events: []string{"project.application.reactivated"}},
		testkit.Call{Name: "no delete from outside", As: "foe", Do: appsV2 + "DeleteApplication", Body: `{"applicationId":"$api","projectId":"$portal"}`, Want: `{"deletionDate":null}`},
		testkit.Call{Name: "delete", As: "boss", Do: appsV2 + "DeleteApplication", Body: `{"applicationId":"wished","projectId":"$portal"}`, Want: `{"deletionDate":"*"}`, Events: []string{"project.application.removed"}},
		testkit.Call{Name: "again is fine", As: "boss", Do: appsV2 + "DeleteApplication", Body: `{"applicationId":"wished","projectId":"$portal"}`, Want: `{"deletionDate":null}`},
		testkit.Call{Name: "the id is free, elsewhere too", As: "foe", Do: appsV2 + "CreateApplication", Body: `{"projectId":"$p","applicationId":"wished","name":"Web","apiConfiguration":{}}`, Events: apiAdded},
		testkit.Call{Name: "and the project goes with it", As: "foe", Do: "DELETE /management/v1/projects/$p", Events: []string{"project.removed"}},
		testkit.Call{Name: "so that it is free again", As: "boss", Do: appsV2 + "CreateApplication", Body: `{"projectId":"$portal","applicationId":"wished","name":"Web","apiConfiguration":{}}`, Events: apiAdded},
	)
	s.Verify(t)
}

func TestApplicationKeysV2(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	s.Run(t,
		testkit.Call{Name: "app", As: "boss", Do: appsV2 + "CreateApplication", Body: `{"projectId":"$portal","name":"Api","apiConfiguration":{}}`, Keep: map[string]string{"api": "applicationId"}, Events: apiAdded},
		testkit.Call{Name: "create", As: "lead", Do: appsV2 + "CreateApplicationKey", Body: `{"projectId":"$portal","applicationId":"$api","expirationDate":"2099-01-01T00:00:00Z"}`, Want: `{"keyDetails":"*","creationDate":"*"}`, Keep: map[string]string{"key": "keyId"}, Events: []string{"project.application.oidc.key.added"}},
		testkit.Call{Name: "one that lasts", As: "boss", Do: appsV2 + "CreateApplicationKey", Body: `{"projectId":"$portal","applicationId":"$api"}`, Keep: map[string]string{"key2": "keyId"}, Events: []string{"project.application.oidc.key.added"}},
		testkit.Call{Name: "not from outside", As: "foe", Do: appsV2 + "CreateApplicationKey", Body: `{"projectId":"$portal","applicationId":"$api"}`, Status: 404},
		testkit.Call{Name: "not without the permission", As: "maker", Do: appsV2 + "CreateApplicationKey", Body: `{"projectId":"$portal","applicationId":"$api"}`, Status: 403},
		testkit.Call{Name: "get", As: "boss", Do: appsV2 + "GetApplicationKey", Body: `{"keyId":"$key"}`, Want: `{"keyId":"$key","expirationDate":"2099-01-01T00:00:00Z"}`},
		testkit.Call{Name: "no look from outside", As: "foe", Do: appsV2 + "GetApplicationKey", Body: `{"keyId":"$key"}`, Status: 404},
		testkit.Call{Name: "of the application", As: "boss", Do: appsV2 + "ListApplicationKeys", Body: `{"filters":[{"applicationIdFilter":{"applicationId":"$api"}},{"projectIdFilter":{"projectId":"$portal"}},{"organizationIdFilter":{"organizationId":"$acme"}}]}`, Want: `{"pagination":{"totalResult":"2"},"keys":[{},{}]}`},
		testkit.Call{Name: "not from outside", As: "foe", Do: appsV2 + "ListApplicationKeys", Body: `{}`, Want: `{"keys":null}`},
	)
	for column := range 7 {
		s.Run(t, testkit.Call{Name: fmt.Sprint("by column ", column), As: "boss", Do: appsV2 + "ListApplicationKeys", Body: fmt.Sprintf(`{"pagination":{"asc":true},"sortingColumn":%d}`, column), Want: `{"keys":[{"keyId":"$key","applicationId":"$api","projectId":"$portal","organizationId":"$acme"},{"keyId":"$key2"}]}`})
	}
	s.Run(t,
		testkit.Call{Name: "delete", As: "boss", Do: appsV2 + "DeleteApplicationKey", Body: `{"projectId":"$portal","applicationId":"$api","keyId":"$key"}`, Want: `{"deletionDate":"*"}`, Events: []string{"project.application.oidc.key.removed"}},
		testkit.Call{Name: "again is fine", As: "boss", Do: appsV2 + "DeleteApplicationKey", Body: `{"projectId":"$portal","applicationId":"$api","keyId":"$key"}`, Want: `{"deletionDate":null}`},
	)
}

func TestApplicationClaims(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	const path = "/gatehouse/v1/projects/$portal/applications/"
	s.Run(t,
		testkit.Call{Name: "app", As: "boss", Do: "POST " + appsPath + "/oidc", Body: `{"name":"Web"}`, Keep: map[string]string{"web": "appId"}, Events: oidcAdded},
		testkit.Call{Name: "API", As: "boss", Do: "POST " + appsPath + "/api", Body: `{"name":"Api"}`, Keep: map[string]string{"api": "appId"}, Events: apiAdded},
		testkit.Call{Name: "off", As: "lead", Do: "GET " + path + "$web/claims", Want: `{"flatRoles":null}`},
		testkit.Call{Name: "on", As: "lead", Do: "PUT " + path + "$web/claims", Body: `{"flatRoles":true}`, Events: []string{"project.application.config.oidc.changed"}},
		testkit.Call{Name: "again is fine", As: "lead", Do: "PUT " + path + "$web/claims", Body: `{"flatRoles":true}`, Want: `{"changeDate":"*"}`},
		testkit.Call{Name: "stays when the rest changes", As: "boss", Do: "PUT " + appsPath + "/$web/oidc_config", Body: `{"devMode":true}`, Events: []string{"project.application.config.oidc.changed"}},
		testkit.Call{Name: "is seen", As: "lead", Do: "GET " + path + "$web/claims", Want: `{"flatRoles":true}`},
		testkit.Call{Name: "not of an API", As: "boss", Do: "GET " + path + "$api/claims", Status: 400},
		testkit.Call{Name: "nor for one", As: "boss", Do: "PUT " + path + "$api/claims", Body: `{"flatRoles":true}`, Status: 400},
		testkit.Call{Name: "not from outside", As: "foe", Do: "PUT " + path + "$web/claims", Body: `{}`, Status: 404},
		testkit.Call{Name: "nor a look", As: "foe", Do: "GET " + path + "$web/claims", Status: 404},
		testkit.Call{Name: "demands nothing", As: "lead", Do: "GET " + path + "$web/requirements", Want: `{"pushedRequests":null,"signedRequests":null,"boundTokens":null}`},
		testkit.Call{Name: "demands something", As: "lead", Do: "PUT " + path + "$web/requirements", Body: `{"pushedRequests":true,"boundTokens":true}`, Want: `{"changeDate":"*"}`, Events: []string{"project.application.config.oidc.changed"}},
		testkit.Call{Name: "demands it", As: "lead", Do: "GET " + path + "$web/requirements", Want: `{"pushedRequests":true,"signedRequests":null,"boundTokens":true}`},
		testkit.Call{Name: "an API demands nothing", As: "boss", Do: "GET " + path + "$api/requirements", Status: 400},
		testkit.Call{Name: "nor can it", As: "boss", Do: "PUT " + path + "$api/requirements", Body: `{"boundTokens":true}`, Status: 400},
		testkit.Call{Name: "no demands from outside", As: "foe", Do: "PUT " + path + "$web/requirements", Body: `{}`, Status: 404},
		testkit.Call{Name: "nor a look at them", As: "foe", Do: "GET " + path + "$web/requirements", Status: 404},
		testkit.Call{Name: "the claims stay", As: "lead", Do: "GET " + path + "$web/claims", Want: `{"flatRoles":true}`},
		testkit.Call{Name: "off again", As: "lead", Do: "PUT " + path + "$web/claims", Body: `{}`, Events: []string{"project.application.config.oidc.changed"}},
	)
}

// TestRacesForApplications: of many who want one id, client id, name or entity id one
// gets it.
func TestRacesForApplications(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	withProjects(t, s)
	race := func(name string, body func(i int) string) {
		t.Run(name, func(t *testing.T) {
			var all sync.WaitGroup
			var lock sync.Mutex
			statuses := map[int]int{}
			for i := range 30 {
				all.Go(func() {
					r := s.Send(t, testkit.Call{As: "boss", Do: appsV2 + "CreateApplication", Body: body(i)})
					lock.Lock()
					defer lock.Unlock()
					statuses[r.Status]++
				})
			}
			all.Wait()
			if statuses[http.StatusOK] != 1 || statuses[http.StatusConflict] != 29 {
				t.Errorf("statuses %v, want one success and 29 conflicts", statuses)
			}
		})
	}
	project := func(i int) string { return []string{"$portal", "$other"}[i%2] }
	race("id", func(i int) string {
		return fmt.Sprintf(`{"projectId":%q,"applicationId":"raced","name":"I%d","apiConfiguration":{}}`, project(i), i)
	})
	race("name", func(int) string { return `{"projectId":"$portal","name":"Raced","apiConfiguration":{}}` })
	race("entity", func(i int) string {
		return fmt.Sprintf(`{"projectId":%q,"name":"E%d","samlConfiguration":{"metadataXml":%q}}`, project(i), i, samlMetadata("https://raced.example", "https://raced.example/acs"))
	})
	t.Run("client id", func(t *testing.T) {
		var instance string
		if err := s.DB.Read(t.Context(), oneText(&instance, "SELECT instance_id FROM projects WHERE project_id = ?", s.Var("portal"))); err != nil {
			t.Fatal(err)
		}
		store := eventstore.New(s.DB, s.Clock.Now)
		ctx := authz.AsSystem(t.Context(), instance)
		add := func(project, id, client string) error {
			return store.Write(ctx, func(tx *eventstore.Tx) error {
				_, err := application.Add(tx, eventstore.Scope{Instance: instance}, s.Var(project), application.New{ID: id, ClientID: client, Name: id, Config: &application.API{}})
				return err
			})
		}
		if err := add("portal", "c1", "twice"); err != nil {
			t.Fatal(err)
		}
		if err := add("other", "c2", "twice"); err == nil {
			t.Error("two applications have one client id")
		}
	})
}
