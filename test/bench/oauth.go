//go:build unix

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/project"
	"github.com/gatehouse/gatehouse/internal/session"
	"github.com/gatehouse/gatehouse/internal/user"
	"github.com/gatehouse/gatehouse/internal/webkey"
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
		if _, err := user.AddHuman(tx, n.instance, orgID, id, &user.Human{UserName: "ada", FirstName: "Ada", LastName: "L", Email: "ada@example.com"}, user.Password{}); err != nil {
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

// robots gives each client a machine user of its own, which logs in by its secret and
// gets an opaque token.
func robots(l *lab) (func(int) error, error) {
	dir, err := folder(l)
	if err != nil {
		return nil, err
	}
	n, err := startOn(l, database.Config{URL: filepath.Join(dir, "bench.db")})
	if err != nil {
		return nil, err
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"openid profile"}}.Encode()
	var proofs [clients]string
	err = n.store.Write(authz.AsSystem(context.Background(), n.instance), func(tx *eventstore.Tx) error {
		orgID := tx.NewID()
		if _, err := org.Add(tx, n.instance, orgID, "Robots"); err != nil {
			return err
		}
		for i := range proofs {
			id, name := tx.NewID(), fmt.Sprintf("robot%d", i)
			if _, err := user.AddMachine(tx, n.instance, orgID, id, user.Machine{UserName: name, Name: name}); err != nil {
				return err
			}
			secret, hash := user.NewSecret()
			if _, _, err := user.SetSecret(tx, n.instance, orgID, id, hash); err != nil {
				return err
			}
			proofs[i] = base64.StdEncoding.EncodeToString([]byte(name + ":" + secret))
		}
		return nil
	})
	return func(client int) error {
		req, err := posted(n.url+"/oauth/v2/token", form, proofs[client])
		if err == nil {
			_, err = answer(req)
		}
		return err
	}, err
}

func credentialsOverInsert(l *lab) (ours, floor func(int) error, err error) {
	if ours, err = robots(l); err == nil {
		floor, err = insert(l)
	}
	return ours, floor, err
}

// jwtOverSignature holds the making of an access token against its signature alone.
func jwtOverSignature(l *lab) (ours, floor func(int) error, err error) {
	dir, err := folder(l)
	if err != nil {
		return nil, nil, err
	}
	ctx := context.Background()
	n, err := startOn(l, database.Config{URL: filepath.Join(dir, "bench.db")})
	if err != nil {
		return nil, nil, err
	}
	master, err := crypto.NewMasterKey()
	if err != nil {
		return nil, nil, err
	}
	vault, err := crypto.OpenVault(ctx, n.db, master)
	if err != nil {
		return nil, nil, err
	}
	pair, err := webkey.Make(ctx, webkey.Config{Kind: webkey.ECDSA, Curve: "P-256"})
	if err != nil {
		return nil, nil, err
	}
	if err := n.store.Write(authz.AsSystem(ctx, n.instance), func(tx *eventstore.Tx) error {
		return webkey.First(tx, vault, n.instance, []webkey.Pair{pair})
	}); err != nil {
		return nil, nil, err
	}
	var key webkey.Signing
	if err := n.store.Read(ctx, webkey.SigningIn(&key, "k.instance_id = ?", n.instance)); err != nil {
		return nil, nil, err
	}
	signer := webkey.NewSigner(n.store, vault)
	ours = func(int) error {
		_, err := signer.Sign(ctx, n.instance, key, "at+jwt", map[string]any{
			"iss": "https://id.example.com", "sub": "100548030284955649", "iat": 1795620896, "nbf": 1795620896, "exp": 1795664096, "amr": []string{"pwd"},
			"auth_time": 1795620896, "acr": "urn:gatehouse:acr:1fa", "sid": "100548030469505025", "jti": "IJLQ4VXPFHT6U2GIJLQ4VXPFHT", "client_id": "100548030167580673",
			"aud": []string{"100548030167580673", "100548030100406273"}, "scope": "openid profile email",
		})
		return err
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	sum := sha256.Sum256([]byte("a token"))
	return ours, func(int) error {
		_, _, err := ecdsa.Sign(rand.Reader, private, sum[:])
		return err
	}, err
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
	return posted(at+"/oauth/v2/introspect", url.Values{"token": {r.access}}.Encode(), r.basic)
}

// posted is a form that a client sends, which proves who it is.
func posted(at, form, basic string) (*http.Request, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, at, strings.NewReader(form))
	if err == nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", "Basic "+basic)
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
