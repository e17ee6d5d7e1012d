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
	"github.com/gatehouse/gatehouse/internal/testkit/crowd"
	"github.com/gatehouse/gatehouse/internal/testkit/testdb"
)

const orgs = 100

// crowds are the servers with the crowd, which takes a while to fill in: one for each
// engine, shared by all limits until the end.
var (
	crowds = map[string]*node{}
	shared = &lab{}
)

// gathered gives the server of an engine.
func gathered(engine string) (*node, error) {
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

// addPeople fills in the crowd.
func (n *node) addPeople() error {
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
	return crowd.Fill(context.Background(), n.store.DB(), n.instance, homes, 0, *people)
}

// inCrowd is a limit of how many milliseconds a call takes, the median of some, where $id
// and $name are those of one of the crowd.
func inCrowd(engine string, times int, method, path, body string) func(*lab) (float64, error) {
	return func(*lab) (float64, error) {
		n, err := gathered(engine)
		if err != nil {
			return 0, err
		}
		id, name := crowd.One(*people)
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

func search(sort, query string) func(*lab) (float64, error) { return searchOn("SQLite", sort, query) }

func searchOn(engine, sort, query string) func(*lab) (float64, error) {
	return inCrowd(engine, 100, http.MethodPost, "/v2/users", `{"query":{"limit":20,"asc":true},"sortingColumn":"`+sort+`","queries":[`+query+`]}`)
}

var peopleLimits = []limit{
	{"one of the crowd by id", "ms", 5, inCrowd("SQLite", 100, http.MethodGet, "/v2/users/$id", "")},
	{"one of the crowd by login name", "ms", 5, search("USER_FIELD_NAME_UNSPECIFIED", `{"loginNameQuery":{"loginName":"$name"}}`)},
	{"one of the crowd by email address", "ms", 5, search("USER_FIELD_NAME_UNSPECIFIED", `{"emailQuery":{"emailAddress":"$name@example.com"}}`)},
	{"the first page of the whole crowd, SQLite", "ms", 5, search("USER_FIELD_NAME_CREATION_DATE", "")},
	{"the first page of the whole crowd, PostgreSQL", "ms", 5, searchOn("PostgreSQL", "USER_FIELD_NAME_CREATION_DATE", "")},
	{"a search of the crowd by names, sorted by names", "ms", 5, search("USER_FIELD_NAME_USER_NAME", `{"userNameQuery":{"userName":"user1000","method":3}}`)},
	{"a search of the crowd by names, sorted by age", "ms", 5, search("USER_FIELD_NAME_CREATION_DATE", `{"userNameQuery":{"userName":"user1000","method":3}}`)},
	{"preview of a removal for the crowd, SQLite", "ms", 1000, preview("SQLite", `{"removeSecondFactors":[1]}`)},
	{"preview of a demand for the crowd, SQLite", "ms", 1000, preview("SQLite", `{"forceMfa":true}`)},
	{"preview of a removal for the crowd, PostgreSQL", "ms", 1000, preview("PostgreSQL", `{"removeSecondFactors":[1]}`)},
	{"preview of a demand for the crowd, PostgreSQL", "ms", 1000, preview("PostgreSQL", `{"forceMfa":true}`)},
}
