package test

import (
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestMyPolicies: everybody may know the policies of their own organization, and
// of no other.
func TestMyPolicies(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	orgOwner(t, s)
	machine(t, s, s.Var("acme"), "plain")
	for path, own := range map[string]string{
		"login":                `{"allowUsernamePassword":true,"forceMfa":true}`,
		"privacy":              `{"tosLink":"https://acme.example/tos"}`,
		"passwords/complexity": `{"minLength":"20"}`,
		"label":                `{"primaryColor":"#123456"}`,
	} {
		mine := "GET /auth/v1/policies/" + path
		managed := map[string]string{"passwords/complexity": "password/complexity"}[path]
		if managed == "" {
			managed = path
		}
		event := map[string]string{"passwords/complexity": "password.complexity"}[path]
		if event == "" {
			event = path
		}
		s.Run(t,
			testkit.Call{Name: path + " inherited", As: "plain", Do: mine, Want: `{"policy":{"isDefault":true,"details":{"resourceOwner":"$instance"}}}`},
			testkit.Call{Name: path + " own", As: "acme", Do: "POST /management/v1/policies/" + managed, Body: own, Events: []string{"org.policy." + event + ".added"}},
		)
		if path == "label" {
			s.Run(t,
				testkit.Call{Name: "a preview is not shown", As: "plain", Do: mine, Want: `{"policy":{"isDefault":true}}`},
				testkit.Call{Name: "activate", As: "acme", Do: "POST /management/v1/policies/label/_activate", Events: []string{"org.policy.label.activated"}},
			)
		}
		s.Run(t,
			testkit.Call{Name: path + " holds", As: "plain", Do: mine, Want: `{"policy":` + own + `}`},
			testkit.Call{Name: path + " whatever the header names", As: "plain", In: "$org", Do: mine, Want: `{"policy":` + own + `}`},
			testkit.Call{Name: path + " not for others", In: "$acme", Do: mine, Want: `{"policy":{"isDefault":true}}`},
			testkit.Call{Name: path + " nobody", As: "nobody", Do: mine, Status: 401},
		)
	}
	s.Run(t, testkit.Call{Name: "languages", As: "plain", Do: "GET /auth/v1/languages", Want: `{"languages":["de","en"]}`})
}
