//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit/crowd"
)

// calls are what is looked at while the crowd grows: $id and $name are those of one of it.
var calls = []struct {
	name string
	request
}{
	{"user by id", request{method: http.MethodGet, path: "/v2/users/$id"}},
	{"user by login name", searched(`{"loginNameQuery":{"loginName":"$name"}}`)},
	{"user by e-mail address", searched(`{"emailQuery":{"emailAddress":"$name@example.com"}}`)},
	{"first page of a search by names", searched(`{"userNameQuery":{"userName":"user1000","method":3}}`)},
	{"first page of everybody", searched("")},
	{"first page of a search by login names", searched(`{"loginNameQuery":{"loginName":"user1000","method":3}}`)},
	{"locked users", searched(`{"stateQuery":{"state":4}}`)},
	{"first page by display names", request{method: http.MethodPost, path: "/v2/users", body: `{"query":{"limit":20,"asc":true},"sortingColumn":"USER_FIELD_NAME_DISPLAY_NAME"}`}},
	{"session, with its user", request{method: http.MethodPost, path: sessionsPath, body: `{"checks":{"user":{"userId":"$id"}}}`}},
	{"login policy, read", request{method: http.MethodGet, path: "/management/v1/policies/login"}},
	{"newest events", logged("")},
	{"newest events of a user", logged(`,"aggregateId":"$id"`)},
	{"newest events of a rare kind", logged(`,"eventTypes":["user.locked"]`)},
	{"newest events by one of a thousand", logged(`,"editorUserId":"900000000000001000"`)},
	{"preview of a removal", previewed(`{"removeSecondFactors":[1]}`)},
	{"preview of a demand", previewed(`{"forceMfa":true}`)},
}

func searched(query string) request {
	return request{method: http.MethodPost, path: "/v2/users", body: `{"query":{"limit":20,"asc":true},"sortingColumn":"USER_FIELD_NAME_USER_NAME","queries":[` + query + `]}`}
}

func logged(conditions string) request {
	return request{method: http.MethodPost, path: "/admin/v1/events/_search", body: `{"limit":20` + conditions + `}`}
}

func previewed(change string) request {
	return request{method: http.MethodPost, path: "/gatehouse/v1/policies/login/_preview", body: `{"limit":100,"change":` + change + `}`}
}

// grow makes a site and looks how its calls do with ever more people.
func grow(w io.Writer, file, name string, postgresql bool) (err error) {
	s, err := open(file, postgresql, 1)
	if err != nil {
		return err
	}
	defer s.close()
	instance, orgs, err := s.homes()
	if err != nil {
		return err
	}
	db, err := database.Open(context.Background(), s.config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var head, rule strings.Builder
	rows := make([]string, len(calls))
	for from, to := 0, 1000; to <= min(*people, crowd.Most); from, to = to, 10*to {
		if err := crowd.Fill(context.Background(), db, instance, orgs, from, to); err != nil {
			return err
		}
		fmt.Fprintf(&head, " %d users |", to)
		rule.WriteString("--:|")
		id, name := crowd.One(to)
		fill := strings.NewReplacer("$id", id, "$name", name)
		for i, call := range calls {
			call.path, call.body = fill.Replace(call.path), fill.Replace(call.body)
			took, err := s.median(call.request)
			if err != nil {
				return fmt.Errorf("%s: %w", call.name, err)
			}
			rows[i] += " " + millis(took) + " |"
		}
	}
	fmt.Fprintf(w, "\n| %s |%s\n|---|%s\n", name, &head, &rule)
	for i, call := range calls {
		fmt.Fprintf(w, "| %s |%s\n", call.name, rows[i])
	}
	return nil
}

// homes makes organizations for the crowd.
func (s *site) homes() (instance string, orgs []string, err error) {
	for i := range 50 {
		var made struct{ ID string }
		if err := s.send(0, request{method: http.MethodPost, path: "/management/v1/orgs", body: fmt.Sprintf(`{"name":"Org %d"}`, i)}, &made); err != nil {
			return "", nil, err
		}
		orgs = append(orgs, made.ID)
	}
	var found struct{ Instance struct{ ID string } }
	err = s.send(0, request{method: http.MethodGet, path: "/admin/v1/instances/me"}, &found)
	return found.Instance.ID, orgs, err
}

// median is how long a call takes in the middle: of up to 100, within a few seconds.
func (s *site) median(r request) (time.Duration, error) {
	var took []time.Duration
	for start := time.Now(); len(took) < 3 || len(took) < 100 && time.Since(start) < 2**span; {
		begin := time.Now()
		if err := s.send(0, r, nil); err != nil {
			return 0, err
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
