//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/metadata"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/testkit/program"
)

// limit is one quantity that must stay below a bound.
type limit struct {
	name string
	unit string
	most float64
	read func(*lab) (float64, error)
}

var limits = []limit{
	{"binary, stripped", "MB", 60, binarySize},
	{"first start to ready", "ms", 1000, firstStart},
	{"next start to ready, 100,000 events", "ms", 300, nextStart},
	{"resident memory when idle", "MB", 60, idleMemory},
	{"list of 10,000 orgs, filtered, sorted, page of 20", "ms", 5, listPage},
	{"its last page by key / its first page", "", 1.5, lastPage},
}

// binary builds the program as it ships, once.
func binary(l *lab) (string, error) {
	dir, err := folder(l)
	if err != nil {
		return "", err
	}
	path, err := filepath.Abs(filepath.Join(dir, "gatehouse"))
	if err != nil {
		return "", err
	}
	return path, program.Build(path)
}

func binarySize(l *lab) (float64, error) {
	path, err := binary(l)
	if err != nil {
		return 0, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return float64(info.Size()) / 1e6, nil
}

// launch starts the program and gives the milliseconds until it said where it is and answered
// there.
func launch(l *lab, path, data string) (*program.Server, float64, error) {
	start := time.Now()
	p, err := program.Start(path, data)
	if err != nil {
		return nil, 0, err
	}
	l.after(p.Stop)
	for time.Since(start) < 10*time.Second {
		res, err := client.Get(p.URL + "/debug/ready")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return p, float64(time.Since(start).Microseconds()) / 1000, nil
			}
		}
		time.Sleep(time.Millisecond)
	}
	return nil, 0, errors.New("the program does not answer")
}

// starts gives the median time to ready of several starts, each on the folder
// that fresh gives.
func starts(l *lab, fresh func(i int) (string, error)) (float64, error) {
	path, err := binary(l)
	if err != nil {
		return 0, err
	}
	var took []float64
	for i := range rounds {
		data, err := fresh(i)
		if err != nil {
			return 0, err
		}
		p, ms, err := launch(l, path, data)
		if err != nil {
			return 0, err
		}
		p.Stop()
		took = append(took, ms)
	}
	slices.Sort(took)
	return took[rounds/2], nil
}

func firstStart(l *lab) (float64, error) {
	dir, err := folder(l)
	if err != nil {
		return 0, err
	}
	return starts(l, func(i int) (string, error) { return filepath.Join(dir, strconv.Itoa(i)), nil })
}

func nextStart(l *lab) (float64, error) {
	dir, err := folder(l)
	if err != nil {
		return 0, err
	}
	if err := fill(dir, 1000, 100); err != nil {
		return 0, err
	}
	return starts(l, func(int) (string, error) { return dir, nil })
}

// fill makes a data folder with an instance of orgs organizations, and for each
// of them entries more events.
func fill(dir string, orgs, entries int) error {
	l := &lab{}
	defer l.close()
	n, err := startOn(l, database.Config{URL: filepath.Join(dir, "gatehouse.db")})
	if err != nil {
		return err
	}
	return n.addOrgs(orgs, entries)
}

func (n *node) addOrgs(orgs, entries int) error {
	values := make([]metadata.Entry, entries)
	for i := range values {
		values[i] = metadata.Entry{Key: fmt.Sprintf("key %d", i), Value: []byte("value")}
	}
	for done := 0; done < orgs; {
		err := n.store.Write(authz.AsSystem(context.Background(), n.instance), func(tx *eventstore.Tx) error {
			for i := done; i < min(done+100, orgs); i++ {
				id := tx.NewID()
				if _, err := org.Add(tx, n.instance, id, fmt.Sprintf("Org %05d", i)); err != nil {
					return err
				}
				if _, err := metadata.Set(tx, metadata.OfOrg(n.instance, id), values...); entries > 0 && err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		done += 100
	}
	return nil
}

// idleMemory is the resident memory of a program that has answered calls before
// and has nothing to do now.
func idleMemory(l *lab) (float64, error) {
	path, err := binary(l)
	if err != nil {
		return 0, err
	}
	dir, err := folder(l)
	if err != nil {
		return 0, err
	}
	p, _, err := launch(l, path, dir)
	if err != nil {
		return 0, err
	}
	token, err := os.ReadFile(filepath.Join(dir, "admin.token"))
	if err != nil {
		return 0, err
	}
	n := &node{url: p.URL, token: strings.TrimSpace(string(token))}
	if _, err := rate(1, time.Second, n.read); err != nil {
		return 0, err
	}
	time.Sleep(45 * time.Second) // Until the server has seen that nobody calls.
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errSkip, err)
	}
	_, after, _ := strings.Cut(string(status), "VmRSS:")
	kb, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	return kb / 1000, err
}

const (
	listPath = "/v2/organizations/_search"
	listBody = `{"query":{"limit":20,"asc":true},"sortingColumn":"ORGANIZATION_FIELD_NAME_NAME",
		"queries":[{"nameQuery":{"name":"org","method":"TEXT_QUERY_METHOD_STARTS_WITH_IGNORE_CASE"}}]}`
)

func manyOrgs(l *lab) (*node, error) {
	dir, err := folder(l)
	if err != nil {
		return nil, err
	}
	n, err := startOn(l, database.Config{URL: filepath.Join(dir, "bench.db")})
	if err != nil {
		return nil, err
	}
	return n, n.addOrgs(10_000, 0)
}

// list asks for the page behind a token and gives the token of the next one,
// and the milliseconds that it took.
func (n *node) list(page string) (next string, ms float64, err error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, n.url+listPath, strings.NewReader(listBody))
	if err != nil {
		return "", 0, err
	}
	req.Header.Set("Authorization", "Bearer "+n.token)
	req.Header.Set("X-Gatehouse-Page", page)
	start := time.Now()
	res, err := client.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("list: %d %s", res.StatusCode, body)
	}
	return res.Header.Get("X-Gatehouse-Next-Page"), float64(time.Since(start).Microseconds()) / 1000, err
}

// median asks for one page often.
func (n *node) median(page string) (float64, error) {
	var took []float64
	for range 200 {
		_, ms, err := n.list(page)
		if err != nil {
			return 0, err
		}
		took = append(took, ms)
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

func listPage(l *lab) (float64, error) {
	n, err := manyOrgs(l)
	if err != nil {
		return 0, err
	}
	return n.median("")
}

func lastPage(l *lab) (float64, error) {
	n, err := manyOrgs(l)
	if err != nil {
		return 0, err
	}
	last := ""
	for {
		next, _, err := n.list(last)
		if err != nil {
			return 0, err
		}
		if next == "" {
			break
		}
		last = next
	}
	there, err := n.median(last)
	if err != nil {
		return 0, err
	}
	here, err := n.median("")
	return there / here, err
}
