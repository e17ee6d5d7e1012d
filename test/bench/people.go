//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

// The crowd, of as many as people says. Of ten, three have an authenticator app, two a
// security key, of which one has both, and one a passkey; one of five has a live session,
// with the password and all that they have proved.
const (
	mostPeople = 1_000_000 // for more there are no names
	chunk      = 20_000
	orgs       = 100
)

// crowds are the servers with the crowd, which takes a while to fill in: one for each
// engine, shared by all limits until the end.
var (
	crowds = map[string]*node{}
	shared = &lab{}
)

// crowd gives the server of an engine.
func crowd(engine string) (*node, error) {
	if n := crowds[engine]; n != nil {
		return n, nil
	}
	config := database.Config{}
	if engine == "PostgreSQL" {
		url, err := testdb.StartPostgres()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errSkip, err)
		}
		config.URL = url
	} else {
		dir, err := folder(shared)
		if err != nil {
			return nil, err
		}
		config.URL = filepath.Join(dir, "crowd.db")
	}
	n, err := startOn(shared, config)
	if err == nil {
		err = n.addOrgs(orgs, 0)
	}
	if err == nil {
		err = n.addPeople()
	}
	if err != nil {
		return nil, err
	}
	crowds[engine] = n
	return n, nil
}

// The texts of the crowd: i counts the people, and names are in another order than ids.
const (
	numbers = "WITH RECURSIVE n(i) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
	idSQL   = "CAST(900000000000000000 + i AS TEXT)"
	nameSQL = "'user' || CAST(1000000 + i * 7919 % 1000003 AS TEXT)"
	setSQL  = "CASE i % 10 WHEN 0 THEN 1 WHEN 1 THEN 1 WHEN 2 THEN 3 WHEN 3 THEN 2 WHEN 4 THEN 4 ELSE 0 END"
)

// addPeople fills in the crowd without events: nobody verifies this database.
func (n *node) addPeople() error {
	now := time.Now().UnixMicro()
	var homes []string
	err := n.store.Read(context.Background(), database.From("org_id", "orgs").Where("instance_id = ?", n.instance).Order("org_id").
		Rows(func(scan database.Scan) error {
			var org string
			err := scan(&org)
			homes = append(homes, org)
			return err
		}))
	if err != nil {
		return err
	}
	for from := 0; from < *people; from += chunk {
		org := homes[from/chunk%len(homes)]
		if err := n.store.DB().Write(context.Background(), func(tx *database.Tx) error {
			for _, fill := range []struct {
				text string
				args []any
			}{
				{`INSERT INTO users (instance_id, user_id, org_id, kind, state, user_name, user_name_lower, created, changed, sequence)
					SELECT ?, ` + idSQL + `, ?, 'human', 1, ` + nameSQL + `, ` + nameSQL + `, ?, ?, 1 FROM n`, []any{n.instance, org, now, now}},
				{`INSERT INTO humans (instance_id, user_id, first_name, first_name_lower, last_name, last_name_lower, nick_name, nick_name_lower, display_name,
					display_name_lower, preferred_language, gender, email, email_lower, email_verified, phone, phone_verified, password_hash,
					password_change_required, password_changed, mfa_init_skipped, invitation)
					SELECT ?, ` + idSQL + `, 'Ada', 'ada', ` + nameSQL + `, ` + nameSQL + `, '', '', 'Ada ' || ` + nameSQL + `, 'ada ' || ` + nameSQL + `, 'en', 0,
					` + nameSQL + ` || '@example.com', ` + nameSQL + ` || '@example.com', 1, '', 0, 'x', 0, ?, 0, '' FROM n`, []any{n.instance, now}},
				{`INSERT INTO user_factor_sets (instance_id, user_id, org_id, factors) SELECT ?, ` + idSQL + `, ?, ` + setSQL + ` FROM n WHERE ` + setSQL + ` <> 0`, []any{n.instance, org}},
				{`INSERT INTO sessions (instance_id, session_id, creator, token_hash, fingerprint, user_agent, user_id, user_org, user_since, user_checked,
					password_checked, webauthn_checked, webauthn_verified, totp_checked, sms_checked, email_checked, recovery_checked, expires, weakened, ended,
					created, changed, sequence)
					SELECT ?, ` + idSQL + `, '', 'hash' || ` + idSQL + `, '', '{"ip":"192.0.2.1","description":"a browser of some length, on a machine"}', ` + idSQL + `, ?, ?, ?,
					?, CASE WHEN i % 10 IN (3, 4) THEN CAST(? AS BIGINT) ELSE 0 END, CASE WHEN i % 10 = 4 THEN 1 ELSE 0 END, CASE WHEN i % 10 < 3 THEN CAST(? AS BIGINT) ELSE 0 END, 0, 0, 0, 0, 0, 0,
					?, ?, 1 FROM n WHERE i / 10 % 5 = 0`, []any{n.instance, org, now, now, now, now, now, now, now}},
			} {
				tx.Exec(database.Statement{SQL: numbers + fill.text, Args: append([]any{from, min(from+chunk, *people) - 1}, fill.args...)})
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return n.store.DB().Write(context.Background(), func(tx *database.Tx) error {
		if tx.Dialect() == database.PostgreSQL { // It counts its rows by itself, but only once in a while.
			tx.Exec(database.Statement{SQL: "ANALYZE"})
		}
		return nil
	})
}

// some gives the id and the name of one of the crowd.
func some() (id, name string) {
	i := *people/2 + 1
	return fmt.Sprint(900_000_000_000_000_000 + i), fmt.Sprintf("user%d", 1_000_000+i*7919%1_000_003)
}

// inCrowd is a limit of how many milliseconds a call takes, the median of some, where $id
// and $name are those of one of the crowd.
func inCrowd(engine string, times int, method, path, body string) func(*lab) (float64, error) {
	return func(*lab) (float64, error) {
		n, err := crowd(engine)
		if err != nil {
			return 0, err
		}
		id, name := some()
		fill := strings.NewReplacer("$id", id, "$name", name)
		var took []float64
		for range times {
			start := time.Now()
			if _, err := n.send(method, fill.Replace(path), "", fill.Replace(body)); err != nil {
				return 0, err
			}
			took = append(took, float64(time.Since(start).Microseconds())/1000)
		}
		slices.Sort(took)
		return took[len(took)/2], nil
	}
}

func preview(engine, change string) func(*lab) (float64, error) {
	return inCrowd(engine, 5, http.MethodPost, "/gatehouse/v1/policies/login/_preview", `{"limit":100,"change":`+change+`}`)
}

func search(sort, query string) func(*lab) (float64, error) {
	return inCrowd("SQLite", 100, http.MethodPost, "/v2/users", `{"query":{"limit":20,"asc":true},"sortingColumn":"`+sort+`","queries":[`+query+`]}`)
}

var peopleLimits = []limit{
	{"one of the crowd by id", "ms", 5, inCrowd("SQLite", 100, http.MethodGet, "/v2/users/$id", "")},
	{"one of the crowd by login name", "ms", 5, search("USER_FIELD_NAME_UNSPECIFIED", `{"loginNameQuery":{"loginName":"$name"}}`)},
	{"one of the crowd by email address", "ms", 5, search("USER_FIELD_NAME_UNSPECIFIED", `{"emailQuery":{"emailAddress":"$name@example.com"}}`)},
	{"a search of the crowd by names, sorted by names", "ms", 5, search("USER_FIELD_NAME_USER_NAME", `{"userNameQuery":{"userName":"user1000","method":3}}`)},
	{"a search of the crowd by names, sorted by age", "ms", 5, search("USER_FIELD_NAME_CREATION_DATE", `{"userNameQuery":{"userName":"user1000","method":3}}`)},
	{"preview of a removal for the crowd, SQLite", "ms", 1000, preview("SQLite", `{"removeSecondFactors":[1]}`)},
	{"preview of a demand for the crowd, SQLite", "ms", 1000, preview("SQLite", `{"forceMfa":true}`)},
	{"preview of a removal for the crowd, PostgreSQL", "ms", 1000, preview("PostgreSQL", `{"removeSecondFactors":[1]}`)},
	{"preview of a demand for the crowd, PostgreSQL", "ms", 1000, preview("PostgreSQL", `{"forceMfa":true}`)},
}
