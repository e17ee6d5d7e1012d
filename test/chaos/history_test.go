//go:build linux

package chaos

import (
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

var (
	histories = flag.Int("histories", 1, "how many histories TestHistories records")
	calls     = flag.Int("calls", 600, "how many calls a history has")
)

// change is what a client asks of the second factors of an organization's login policy.
type change struct {
	org    int
	factor int    // its number
	do     string // add, remove or list
}

// outcome is what it was told: whether the factor was listed before. Of a call that was
// given no answer nothing is known, but that it happened at some time or never.
type outcome struct{ unknown, before bool }

// policyModel is the policy as it would be if calls were made one after the other.
var policyModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := map[change][]porcupine.Operation{}
		for _, op := range history {
			c, _ := op.Input.(change)
			key := change{org: c.org, factor: c.factor}
			parts[key] = append(parts[key], op)
		}
		out := make([][]porcupine.Operation, 0, len(parts))
		for _, part := range parts {
			out = append(out, part)
		}
		return out
	},
	Init: func() any { return false },
	Step: func(state, input, output any) (bool, any) {
		listed, _ := state.(bool)
		c, _ := input.(change)
		told, _ := output.(outcome)
		after := listed
		if c.do != "list" {
			after = c.do == "add"
		}
		return told.unknown || told.before == listed, after
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprint(input, output) },
}

// TestHistories records what clients on three nodes ask and are told while the nodes are
// paused, cut off and slow: it must be explained by an order in which the calls were made
// one after the other.
func TestHistories(t *testing.T) {
	t.Parallel()
	x := newTrio(t)
	const clients, orgs = 12, 3
	var ids [orgs]string
	asked, unknown := 0, 0
	for round := range *histories {
		for i := range ids {
			ids[i] = x.nodes[0].must(t, "POST /management/v1/orgs", fmt.Sprintf(`{"name":"History %d %d"}`, round, i)).get("id")
			catchUp()
			if r := x.nodes[0].as(x.nodes[0].token, "POST /management/v1/policies/login", `{}`, ids[i]); !r.ok() {
				t.Fatal(r)
			}
		}
		catchUp()
		end := make(chan struct{})
		var nemesis, wg sync.WaitGroup
		nemesis.Go(func() { x.trouble(end) })
		var mu sync.Mutex
		var history []porcupine.Operation
		began := time.Now()
		for client := range clients {
			wg.Go(func() {
				for range *calls / clients {
					c := change{rand.N(orgs), 1 + rand.N(3), []string{"add", "remove", "list", "list"}[rand.N(4)]}
					op := porcupine.Operation{ClientId: client, Input: c, Call: int64(time.Since(began))}
					told, err := x.ask(x.nodes[rand.N(3)], ids[c.org], c)
					op.Output, op.Return = told, int64(time.Since(began))
					if err != nil {
						t.Error(err)
						return
					}
					if told.unknown {
						if c.do == "list" {
							continue
						}
						op.Return = math.MaxInt64
					}
					mu.Lock()
					history = append(history, op)
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		close(end)
		nemesis.Wait()
		for _, op := range history {
			if told, _ := op.Output.(outcome); told.unknown {
				unknown++
			}
		}
		asked += len(history)
		if result := porcupine.CheckOperationsTimeout(policyModel, history, time.Minute); result != porcupine.Ok {
			t.Fatalf("history %d of %d calls has no order that explains it: %s", round, len(history), result)
		}
	}
	x.sound(t)
	t.Logf("%d histories of %d calls altogether, %d of them without an answer: each has an order that explains it", *histories, asked, unknown)
}

// ask makes a call of a history.
func (x *trio) ask(n *node, org string, c change) (outcome, error) {
	token, name := x.nodes[0].token, []string{"", "OTP", "U2F", "OTP_EMAIL"}[c.factor]
	var r reply
	contrary := 0
	switch c.do {
	case "list":
		if r = n.as(token, "POST "+factorsPath+"/_search", "{}", org); r.status == http.StatusOK {
			return outcome{before: strings.Contains(string(r.body), `"SECOND_FACTOR_TYPE_`+name+`"`)}, nil
		}
	case "add":
		r, contrary = n.as(token, "POST "+factorsPath, fmt.Sprintf(`{"type":%d}`, c.factor), org), http.StatusConflict
	default:
		r, contrary = n.as(token, fmt.Sprintf("DELETE %s/%d", factorsPath, c.factor), "", org), http.StatusNotFound
	}
	switch r.status {
	case http.StatusOK:
		return outcome{before: c.do == "remove"}, nil
	case contrary:
		if !strings.Contains(string(r.body), "Org-") { // Too many tries at once, perhaps.
			return outcome{unknown: true}, nil
		}
		return outcome{before: c.do == "add"}, nil
	case 0, http.StatusServiceUnavailable, http.StatusGatewayTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return outcome{unknown: true}, nil
	}
	return outcome{}, fmt.Errorf("%v: %s", c, r)
}

// trouble does this and that to the second and the third node until end closes.
func (x *trio) trouble(end chan struct{}) {
	for {
		which := 1 + rand.N(2)
		n, link := x.nodes[which], x.proxies[which]
		switch rand.N(4) {
		case 0:
			n.pause()
		case 1:
			link.sever()
		case 2:
			link.delay.Store(int64(20 * time.Millisecond))
		default:
			link.freeze()
		}
		time.Sleep(50*time.Millisecond + rand.N(100*time.Millisecond))
		n.resume()
		link.mend()
		select {
		case <-end:
			return
		case <-time.After(rand.N(50 * time.Millisecond)):
		}
	}
}
