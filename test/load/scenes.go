//go:build unix

package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
)

const password = "Correct-Horse-1"

// furnished is a site with all that the scenes need.
type furnished struct {
	*site
	ada, session    string
	api             string          // how the resource server proves who it is
	robots, signing [drivers]string // how machines do: for opaque tokens, and for JWTs
	access          string          // an opaque token of a machine
	orgs            [drivers]string // each with a login policy of its own
	listed          [drivers]bool   // whether that lists TOTP
	people          atomic.Int64    // made by scenes
}

// furnish makes it, by calls as clients make them.
func (s *site) furnish() (*furnished, error) {
	f := &furnished{site: s}
	var made struct {
		ID, UserID, SessionID, ClientID, ClientSecret string
		AccessToken                                   string `json:"access_token"`
	}
	var err error
	post := func(path, org, body string) {
		if err == nil {
			err = s.send(0, request{method: http.MethodPost, path: path, org: org, body: body}, &made)
		}
	}
	post("/v2/users/human", "", human("ada", `,"password":{"password":"`+password+`"}`))
	f.ada = made.UserID
	post(sessionsPath, "", f.checks(""))
	f.session = made.SessionID
	post("/management/v1/projects", "", `{"name":"Shop"}`)
	project := made.ID
	post("/management/v1/projects/"+project+"/apps/api", "", `{"name":"shop","authMethodType":"API_AUTH_METHOD_TYPE_BASIC"}`)
	f.api = basic(made.ClientID, made.ClientSecret)
	machine := func(name, kind string) string {
		post("/management/v1/users/machine", "", fmt.Sprintf(`{"userName":%[1]q,"name":%[1]q,"accessTokenType":%[2]q}`, name, kind))
		if err == nil {
			err = s.send(0, request{method: http.MethodPut, path: "/management/v1/users/" + made.UserID + "/secret", body: "{}"}, &made)
		}
		return basic(made.ClientID, made.ClientSecret)
	}
	for i := range drivers {
		f.robots[i] = machine(fmt.Sprintf("robot%d", i), "ACCESS_TOKEN_TYPE_BEARER")
		f.signing[i] = machine(fmt.Sprintf("signer%d", i), "ACCESS_TOKEN_TYPE_JWT")
		post("/management/v1/orgs", "", fmt.Sprintf(`{"name":"Org %d"}`, i))
		f.orgs[i] = made.ID
		post("/management/v1/policies/login", made.ID, `{"allowUsernamePassword":true,"secondFactors":["SECOND_FACTOR_TYPE_U2F"]}`)
	}
	if err == nil {
		err = f.token(0, f.robots[0], "openid profile urn:zitadel:iam:org:project:id:"+project+":aud", &made)
	}
	f.access = made.AccessToken
	var state struct{ Active bool }
	if err == nil {
		err = f.introspect(0, &state)
	}
	if err == nil && !state.Active {
		err = fmt.Errorf("the token is not active for the resource server")
	}
	return f, err
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// human is a request for a human user of that name.
func human(name, more string) string {
	return fmt.Sprintf(`{"username":%[1]q,"profile":{"givenName":"Ada","familyName":%[1]q},"email":{"email":"%[1]s@example.com","isVerified":true}%[2]s}`, name, more)
}

func (f *furnished) checks(more string) string {
	return fmt.Sprintf(`{"checks":{"user":{"userId":%q}%s}}`, f.ada, more)
}

const (
	sessionsPath = "/v2/sessions"
	form         = "application/x-www-form-urlencoded"
)

func (f *furnished) token(client int, proof, scope string, into any) error {
	body := url.Values{"grant_type": {"client_credentials"}, "scope": {scope}}.Encode()
	return f.send(client, request{method: http.MethodPost, path: "/oauth/v2/token", body: body, as: form, authorization: proof}, into)
}

func (f *furnished) introspect(client int, into any) error {
	body := url.Values{"token": {f.access}}.Encode()
	return f.send(client, request{method: http.MethodPost, path: "/oauth/v2/introspect", body: body, as: form, authorization: f.api}, into)
}

func (f *furnished) addHuman(name string) error {
	return f.send(0, request{method: http.MethodPost, path: "/v2/users/human", body: human(name, "")}, nil)
}

// scene is what clients do over and over.
type scene struct {
	name    string
	clients int
	make    func(*furnished) func(client int) error
}

// always is a scene of one request.
func always(r func(*furnished) request) func(*furnished) func(int) error {
	return func(f *furnished) func(int) error {
		one := r(f)
		return func(client int) error { return f.send(client, one, nil) }
	}
}

// few are as many as may check passwords at once without being shed.
const few = 4

var scenes = []scene{
	{"first page of the login", drivers, always(func(*furnished) request {
		return request{method: http.MethodGet, path: "/ui/login/login?new=true"}
	})},
	{"session, with its user and password", few, always(func(f *furnished) request {
		return request{method: http.MethodPost, path: sessionsPath, body: f.checks(`,"password":{"password":"` + password + `"}`)}
	})},
	{"session, with its user", drivers, always(func(f *furnished) request {
		return request{method: http.MethodPost, path: sessionsPath, body: f.checks("")}
	})},
	{"session, read", drivers, always(func(f *furnished) request {
		return request{method: http.MethodGet, path: "/v2/sessions/" + f.session}
	})},
	{"introspection of an opaque token", drivers, func(f *furnished) func(int) error {
		return func(client int) error { return f.introspect(client, nil) }
	}},
	{"userinfo", drivers, always(func(f *furnished) request {
		return request{method: http.MethodGet, path: "/oidc/v1/userinfo", authorization: "Bearer " + f.access}
	})},
	{"client credentials, opaque token", drivers, func(f *furnished) func(int) error {
		return func(client int) error { return f.token(client, f.robots[client], "openid profile", nil) }
	}},
	{"client credentials, JWT", drivers, func(f *furnished) func(int) error {
		return func(client int) error { return f.token(client, f.signing[client], "openid profile", nil) }
	}},
	{"key set", drivers, always(func(*furnished) request { return request{method: http.MethodGet, path: "/oauth/v2/keys"} })},
	{"login policy, read", drivers, always(func(*furnished) request {
		return request{method: http.MethodGet, path: "/management/v1/policies/login"}
	})},
	{"second factor, added and removed", drivers, func(f *furnished) func(int) error {
		return func(client int) error {
			r := request{method: http.MethodPost, path: "/management/v1/policies/login/second_factors", org: f.orgs[client], body: `{"type":1}`}
			if f.listed[client] {
				r.method, r.path, r.body = http.MethodDelete, r.path+"/1", ""
			}
			f.listed[client] = !f.listed[client]
			return f.send(client, r, nil)
		}
	}},
	{"human user, created", drivers, func(f *furnished) func(int) error {
		return func(client int) error {
			r := request{method: http.MethodPost, path: "/v2/users/human", body: human(fmt.Sprintf("user%d", f.people.Add(1)), "")}
			return f.send(client, r, nil)
		}
	}},
	{"human user, by id", drivers, always(func(f *furnished) request {
		return request{method: http.MethodGet, path: "/v2/users/" + f.ada}
	})},
	{"human user, searched by login name", drivers, always(func(*furnished) request {
		return request{method: http.MethodPost, path: "/v2/users", body: `{"queries":[{"loginNameQuery":{"loginName":"ada"}}]}`}
	})},
}
