//go:build unix

package main

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/project"
	"github.com/gatehouse/gatehouse/internal/session"
	"github.com/gatehouse/gatehouse/internal/user"
)

// relying is a node with an application, and with a token of somebody who logged in.
type relying struct {
	*node
	basic, access string
}

// startRelying makes all that a token rests on.
func startRelying(l *lab) (*relying, error) {
	dir, err := folder(l)
	if err != nil {
		return nil, err
	}
	n, err := startOn(l, database.Config{URL: filepath.Join(dir, "bench.db")})
	if err != nil {
		return nil, err
	}
	r := &relying{node: n}
	secret, secretHash := user.NewSecret()
	token, hash := user.NewOIDCToken()
	r.access = token
	ctx := authz.AsSystem(context.Background(), n.instance)
	err = n.store.Write(ctx, func(tx *eventstore.Tx) error {
		orgID, found := "", false
		if err := tx.Read(database.One(&found, "SELECT org_id FROM orgs WHERE instance_id = ?", []any{n.instance}, &orgID)); err != nil {
			return err
		}
		id, projectID, clientID := tx.NewID(), tx.NewID(), tx.NewID()
		if _, err := user.AddHuman(tx, n.instance, orgID, id, user.Human{UserName: "ada", FirstName: "Ada", LastName: "L", Email: "ada@example.com"}, user.Password{}); err != nil {
			return err
		}
		scope := eventstore.Scope{Instance: n.instance, Org: orgID}
		if _, err := project.Add(tx, scope, projectID, project.Settings{Name: "Shop"}); err != nil {
			return err
		}
		app := application.New{ID: tx.NewID(), ClientID: clientID, Name: "web", SecretHash: secretHash, Config: &application.OIDC{RedirectURIs: []string{"https://app.example.com/"}}}
		if _, err := application.Add(tx, scope, projectID, app); err != nil {
			return err
		}
		s, err := session.Add(tx, n.instance, nil)
		if err != nil {
			return err
		}
		if err := s.CheckUser(tx, session.User{ID: id, Org: orgID, Since: tx.Now()}); err != nil {
			return err
		}
		if err := s.Check(tx, session.PasswordChecked); err != nil {
			return err
		}
		r.basic = base64.StdEncoding.EncodeToString([]byte(clientID + ":" + secret))
		g := oauth.Grant{
			ClientID: clientID, UserID: id, UserOrg: orgID, UserSince: tx.Now(), SessionID: s.ID, Scopes: []string{"openid", "profile", "email"},
			Audience: []string{clientID, projectID}, Methods: []string{"pwd"}, AuthTime: tx.Now(),
		}
		return oauth.Begin(tx, n.instance, tx.NewID(), "", g, oauth.Access{ID: "1", Hash: hash, Lifetime: time.Hour, Scopes: g.Scopes}, nil)
	})
	return r, err
}

// over compares a request with a bare handler that gives the same answer.
func over(request func(*relying, string) (*http.Request, error)) func(*lab) (ours, floor func(int) error, err error) {
	return func(l *lab) (ours, floor func(int) error, err error) {
		r, err := startRelying(l)
		if err != nil {
			return nil, nil, err
		}
		ask := func(url string) ([]byte, error) {
			req, err := request(r, url)
			if err != nil {
				return nil, err
			}
			return answer(req)
		}
		body, err := ask(r.url)
		if err != nil || strings.Contains(string(body), `"active":false`) {
			return nil, nil, fmt.Errorf("the answer is %s %w", body, err)
		}
		bare, err := serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(body)
		}))
		side := func(url string) func(int) error {
			return func(int) error {
				_, err := ask(url)
				return err
			}
		}
		return side(r.url), side(bare), err
	}
}

func introspection(r *relying, at string) (*http.Request, error) {
	form := url.Values{"token": {r.access}}.Encode()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, at+"/oauth/v2/introspect", strings.NewReader(form))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", "Basic "+r.basic)
	}
	return req, err
}

func userinfo(r *relying, at string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, at+"/oidc/v1/userinfo", nil)
	if err == nil {
		req.Header.Set("Authorization", "Bearer "+r.access)
	}
	return req, err
}

func document(path string) func(*relying, string) (*http.Request, error) {
	return func(_ *relying, at string) (*http.Request, error) {
		return http.NewRequestWithContext(context.Background(), http.MethodGet, at+path, nil)
	}
}
