//go:build unix

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/process"
	"github.com/gatehouse/gatehouse/internal/server"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

var figures = []figure{
	{"GET login policy, SQLite / bare handler", 0.40, 0, 16, policyOverBare},
	{"introspection, SQLite / bare handler", 0.30, 0, 16, over(introspection)},
	{"userinfo, SQLite / bare handler", 0.30, 0, 16, over(userinfo)},
	{"discovery, SQLite / bare handler", 0.70, 0, 16, over(document("/.well-known/openid-configuration"))},
	{"keys, SQLite / bare handler", 0.70, 0, 16, over(document("/oauth/v2/keys"))},
	{"GET login policy, PostgreSQL / pgx alone", 0.60, 0, 16, policyOverPgx},
	{"factor add and remove, SQLite / event insert", 0.40, 0, clients, factorsOverInsert},
	{"client credentials, SQLite / event insert", 0.25, 0, clients, credentialsOverInsert},
	{"JWT access token (ES256) / its signature", 0.50, 0, 2, jwtOverSignature},
	// Sharing an fsync pays where one takes milliseconds, as on most disks.
	{"factor add and remove, SQLite / one fsync", 30, 300, 64, factorsOverFsync},
	{"event insert, SQLite / bare handler", 0, 0, 16, insertOverBare},
	{"session with its user, SQLite / event insert", 0.30, 0, 16, sessionsOverInsert},
	{"session with a password, SQLite / hash alone", 0.90, 0, 2 * process.Cores, passwordsOverHash},
	{"human users, SQLite / event insert", 0.30, 0, 16, humansOverInsert},
}

// clients share one server where writes are measured.
const clients = 64

const policyPath = "/management/v1/policies/login"

// node is a server under test with the token of its owner.
type node struct {
	url, token, instance string
	orgs                 []string
	store                *eventstore.Store
	db                   *database.DB
}

// send sends one request and fails on anything but success.
func (n *node) send(method, path, org, body string) ([]byte, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, n.url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+n.token)
	if org != "" {
		req.Header.Set("X-Zitadel-Orgid", org)
	}
	return answer(req)
}

var client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 128}}

func answer(req *http.Request) ([]byte, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("%s %s: %d %s", req.Method, req.URL.Path, res.StatusCode, data)
	}
	return data, err
}

func folder(l *lab) (string, error) {
	dir, err := os.MkdirTemp(*place, "bench-data-")
	l.after(func() { _ = os.RemoveAll(dir) })
	return dir, err
}

func startOn(l *lab, c database.Config) (*node, error) {
	ctx := context.Background()
	db, err := database.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	l.after(func() { _ = db.Close() })
	if _, err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	s, err := server.New(db, server.Options{})
	if err != nil {
		return nil, err
	}
	created, err := flow.Setup(ctx, s.Store, nil, "Bench", "127.0.0.1", nil)
	if err != nil {
		return nil, err
	}
	url, err := serve(l, s)
	return &node{url: url, token: created.Token, instance: created.InstanceID, store: s.Store, db: db}, err
}

// serve answers with h on a port of its own until the lab closes.
func serve(l *lab, h http.Handler) (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Second}
	go func() { _ = srv.Serve(listener) }()
	l.after(func() { _ = srv.Close() })
	return "http://" + listener.Addr().String(), nil
}

// read gets the login policy.
func (n *node) read(int) error {
	_, err := n.send(http.MethodGet, policyPath, "", "")
	return err
}

func policyOverBare(l *lab) (ours, floor func(int) error, err error) {
	dir, err := folder(l)
	if err != nil {
		return nil, nil, err
	}
	n, err := startOn(l, database.Config{URL: filepath.Join(dir, "bench.db")})
	if err != nil {
		return nil, nil, err
	}
	body, err := n.send(http.MethodGet, policyPath, "", "")
	if err != nil {
		return nil, nil, err
	}
	bare, err := n.bare(l, body)
	return n.read, bare.read, err
}

// bare is a handler that answers everything with body.
func (n *node) bare(l *lab, body []byte) (*node, error) {
	url, err := serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	return &node{url: url, token: n.token}, err
}

// policyOverPgx holds a request on PostgreSQL against a bare handler that makes
// two point selects with the driver alone: as many as a request makes.
func policyOverPgx(l *lab) (ours, floor func(int) error, err error) {
	url, err := testdb.StartPostgres()
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errSkip, err)
	}
	n, err := startOn(l, database.Config{URL: url, MaxConns: 16})
	if err != nil {
		return nil, nil, err
	}
	pool, err := pgxpool.New(context.Background(), url+"&pool_max_conns=16")
	if err != nil {
		return nil, nil, err
	}
	l.after(pool.Close)
	body, err := n.send(http.MethodGet, policyPath, "", "")
	if err != nil {
		return nil, nil, err
	}
	address, err := serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 2 {
			var document string
			if err := pool.QueryRow(r.Context(), "SELECT document FROM policies WHERE instance_id = $1 AND org_id = '' AND kind = 'policy.login'",
				n.instance).Scan(&document); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	}))
	alone := &node{url: address, token: n.token}
	return n.read, alone.read, err
}

// factors makes a server where every client has an organization of its own with
// a login policy, so that clients share the database and nothing else.
func factors(l *lab) (func(int) error, error) {
	dir, err := folder(l)
	if err != nil {
		return nil, err
	}
	n, err := startOn(l, database.Config{URL: filepath.Join(dir, "bench.db")})
	if err != nil {
		return nil, err
	}
	ctx := authz.AsSystem(context.Background(), n.instance)
	for i := range clients {
		err := n.store.Write(ctx, func(tx *eventstore.Tx) error {
			scope := policy.Scope{Instance: n.instance, Org: tx.NewID()}
			n.orgs = append(n.orgs[:i], scope.Org)
			if _, err := org.Add(tx, n.instance, scope.Org, fmt.Sprintf("org %d", i)); err != nil {
				return err
			}
			_, err := policy.AddLogin(tx, scope, policy.LoginPolicy{SecondFactors: []policy.SecondFactor{policy.U2F}})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	there := make([]bool, clients)
	return func(client int) error {
		var err error
		if there[client] {
			_, err = n.send(http.MethodDelete, policyPath+"/second_factors/1", n.orgs[client], "")
		} else {
			_, err = n.send(http.MethodPost, policyPath+"/second_factors", n.orgs[client], `{"type":1}`)
		}
		there[client] = !there[client]
		return err
	}, nil
}

// factorsOverInsert holds a change against the insert of one event.
func factorsOverInsert(l *lab) (ours, floor func(int) error, err error) {
	if ours, err = factors(l); err == nil {
		floor, err = insert(l)
	}
	return ours, floor, err
}

// insertOverBare is what it takes that a write is on the disk before it is answered.
func insertOverBare(l *lab) (ours, floor func(int) error, err error) {
	if ours, err = insert(l); err != nil {
		return nil, nil, err
	}
	bare, err := (&node{}).bare(l, nil)
	return ours, bare.post("/", `{"type":1}`), err
}

// insert is a bare handler that inserts one row like that of an event, with its indexes,
// through the same group commit.
func insert(l *lab) (func(int) error, error) {
	dir, err := folder(l)
	if err != nil {
		return nil, err
	}
	raw, err := database.Open(context.Background(), database.Config{URL: filepath.Join(dir, "raw.db")})
	if err != nil {
		return nil, err
	}
	l.after(func() { _ = raw.Close() })
	if _, err := raw.Migrate(context.Background()); err != nil {
		return nil, err
	}
	var sequences [clients]atomic.Int64
	hash := strings.Repeat("0", 64)
	url, err := serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client, err := strconv.Atoi(r.URL.Query().Get("client"))
		if err == nil {
			id := fmt.Sprintf("1004967534254484%02d", client)
			err = raw.Write(r.Context(), func(tx *database.Tx) error {
				tx.Exec(database.Statement{
					SQL: `INSERT INTO events (instance_id, aggregate_type, aggregate_id, sequence, type, owner, creator, created, payload, digest, hash)
						VALUES ('100496753425448000', 'org', ?, ?, 'org.policy.login.secondfactor.added', ?, '100496753425448001', 0, '{"mfaType":1}', ?, ?)`,
					Args: []any{id, sequences[client].Add(1), id, hash, hash},
				})
				return nil
			})
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	alone := &node{url: url}
	return func(client int) error {
		_, err := alone.send(http.MethodPost, "/?client="+strconv.Itoa(client), "", `{"type":1}`)
		return err
	}, err
}

func factorsOverFsync(l *lab) (ours, floor func(int) error, err error) {
	ours, err = factors(l)
	if err != nil {
		return nil, nil, err
	}
	dir, err := folder(l)
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Create(filepath.Join(dir, "fsync"))
	if err != nil {
		return nil, nil, err
	}
	l.after(func() { _ = f.Close() })
	var one sync.Mutex // One fsync after the other.
	floor = func(int) error {
		one.Lock()
		defer one.Unlock()
		if _, err := f.WriteString("x"); err != nil {
			return err
		}
		return f.Sync()
	}
	return ours, floor, nil
}
