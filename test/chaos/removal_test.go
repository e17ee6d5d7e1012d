//go:build linux

package chaos

import (
	"flag"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	removals = flag.Int("removals", 40, "how often TestRemovedFactorEverywhere removes a factor")
	rounds   = flag.Int("rounds", 3, "how often the other tests of three nodes do what they do")
)

// TestRemovedFactorEverywhere removes a factor on one node while another one is paused, cut
// off, silent or slow: after the answer no node lets in who had proved it.
func TestRemovedFactorEverywhere(t *testing.T) {
	t.Parallel()
	x := newTrio(t)
	proved := x.login(t, `,"totp":{"code":"`+x.code(t)+`"}`)
	me := func(n *node) string { return letIn(n.as(proved.token, "GET /auth/v1/users/me", "", "")) }
	a, b, c, link := x.nodes[0], x.nodes[1], x.nodes[2], x.proxies[1]
	outcomes := map[string]int{}
	for round := range *removals {
		how := []string{"fine", "paused", "fine", "cut off", "fine", "slow", "fine", "fine", "fine", "silent"}[round%10]
		if how == "silent" && round%(*removals/4+1) != 9 { // It takes seconds.
			how = "slow"
		}
		catchUp()
		for _, n := range x.nodes {
			if got := me(n); got != "let in" {
				t.Fatalf("round %d: before: %s", round, got)
			}
		}
		switch how {
		case "paused":
			b.pause()
		case "cut off":
			link.sever()
		case "slow":
			link.delay.Store(int64(5 * time.Millisecond))
		case "silent":
			link.freeze()
		}
		a.must(t, "DELETE "+factorsPath+"/1", "")
		if got := me(c); got != "refused" {
			t.Fatalf("round %d: the factor was accepted on a node that is fine: %s", round, got)
		}
		during := make(chan string, 1)
		go func() { during <- me(b) }()
		if how == "paused" || how == "silent" { // The request is on its way.
			time.Sleep(10 * time.Millisecond)
		}
		b.resume()
		if how == "cut off" {
			got := <-during
			during <- got
		}
		link.mend()
		got := <-during
		if got != "refused" && (got != "not now" || how != "cut off" && how != "silent") {
			t.Fatalf("round %d: the factor was accepted on a node that is %s: %s", round, how, got)
		}
		outcomes[how+": "+got]++
		for got = me(b); got == "not now"; got = me(b) { // It may just have found its connections broken.
			outcomes[how+", after it: "+got]++
		}
		if got != "refused" {
			t.Fatalf("round %d: the factor was accepted on a node that was %s: %s", round, how, got)
		}
		a.must(t, "POST "+factorsPath, `{"type":1}`)
	}
	x.sound(t)
	t.Logf("%d removals, and the factor was never accepted: %v", *removals, outcomes)
}

// TestEndsEverywhere ends on one node what lets people in, and looks at every node at once.
func TestEndsEverywhere(t *testing.T) {
	t.Parallel()
	x := newTrio(t)
	x.addApp(t)
	a := x.nodes[0]
	robot := a.must(t, "POST /management/v1/users/machine", `{"userName":"robot","name":"robot"}`).get("userId")
	pat := x.token(t, robot)
	const member = "/management/v1/orgs/me/members"
	on := func(what string, want bool, is func(n *node) bool) {
		t.Helper()
		for i, n := range x.nodes {
			if is(n) != want {
				t.Fatalf("%s: node %d", what, i)
			}
		}
	}
	for range *rounds {
		login := x.login(t, `,"recoveryCode":{"code":"`+x.recovery(t)+`"}`)
		tokens := x.redeem(a, x.authCode(t, login))
		access, refresh := tokens.get("access_token"), tokens.get("refresh_token")
		me := func(n *node) bool { return n.as(login.token, "GET /auth/v1/users/me", "", "").ok() }
		counts := func(n *node) bool { return x.counts(t, n, access) }
		catchUp()
		on("a new login", true, me)
		on("a new token", true, counts)

		a.must(t, "POST /v2/users/"+x.ada+"/deactivate", `{}`)
		on("the session of a user that is not active", false, me)
		on("the token of a user that is not active", false, counts)
		on("the refresh token of a user that is not active", false, func(n *node) bool { return x.refresh(n, refresh).ok() })
		a.must(t, "POST /v2/users/"+x.ada+"/reactivate", `{}`)
		on("the session of a user that is active again", true, me)

		if r := a.form("POST /oauth/v2/revoke", "token="+access, x.app.id, x.app.secret); !r.ok() {
			t.Fatal(r)
		}
		on("a token that was revoked", false, counts)
		if r := a.as(login.token, "DELETE /v2/sessions/"+login.id, "", ""); !r.ok() {
			t.Fatal(r)
		}
		on("a session that was ended", false, me)

		reads := func(n *node) bool { return n.as(pat, "GET /management/v1/policies/login", "", "").ok() }
		a.must(t, "POST "+member, `{"userId":"`+robot+`","roles":["ORG_OWNER"]}`)
		on("a new role", true, reads)
		a.must(t, "DELETE "+member+"/"+robot, "")
		on("a role that was taken away", false, reads)
	}
	x.sound(t)
}

// TestReadYourWrites writes on one node and reads on every other at once.
func TestReadYourWrites(t *testing.T) {
	t.Parallel()
	x := newTrio(t)
	var wg sync.WaitGroup
	var reads atomic.Int64
	for w := range 6 {
		wg.Go(func() {
			for i := range *rounds * 20 {
				key, n := fmt.Sprint("key", w), x.nodes[(w+i)%3]
				if r := n.call("POST /management/v1/metadata/"+key, `{"value":"`+encode(i)+`"}`); !r.ok() {
					t.Error(r)
					return
				}
				for _, o := range x.others(n) {
					if r := o.call("GET /management/v1/metadata/"+key, ""); r.get("metadata.value") != encode(i) {
						t.Errorf("write %d of writer %d is not seen: %s", i, w, r)
						return
					}
					reads.Add(1)
				}
			}
		})
	}
	wg.Wait()
	x.sound(t)
	t.Logf("%d reads, and each saw what another node had acknowledged", reads.Load())
}

// TestOnce uses each kind of secret that counts once, many times at once on three nodes.
func TestOnce(t *testing.T) {
	t.Parallel()
	x := newTrio(t)
	x.addApp(t)
	const parallel = 50
	race := func(what string, use func(n *node) reply) reply {
		t.Helper()
		replies := make([]reply, parallel)
		var wg sync.WaitGroup
		begin := make(chan struct{})
		for i := range replies {
			wg.Go(func() {
				<-begin
				replies[i] = use(x.nodes[i%3])
			})
		}
		close(begin)
		wg.Wait()
		var won reply
		wins, others := 0, map[int]int{}
		for _, r := range replies {
			if r.ok() {
				wins, won = wins+1, r
			} else {
				others[r.status]++
			}
			if r.status == 0 || r.status >= 500 {
				t.Errorf("%s: %s", what, r)
			}
		}
		if wins != 1 {
			t.Errorf("%s was used %d times; the others were answered with %v", what, wins, others)
		}
		return won
	}
	for round := range *rounds {
		login := x.login(t, `,"recoveryCode":{"code":"`+x.recovery(t)+`"}`)
		code := x.authCode(t, login)
		race("an authorization code", func(n *node) reply { return x.redeem(n, code) })
		tokens := x.redeem(x.nodes[0], x.authCode(t, login)) // Who uses a code twice loses what it gave.
		race("a refresh token", func(n *node) reply { return x.refresh(n, tokens.get("refresh_token")) })
		recovery := x.recovery(t)
		race("a recovery code", x.check(t, `"recoveryCode":{"code":"`+recovery+`"}`))
		x.unlock()
		if round == 0 || *long { // Each needs half a minute of its own.
			totp := x.code(t)
			race("a code of an authenticator app", x.check(t, `"totp":{"code":"`+totp+`"}`))
			x.unlock()
		}
		reset := x.nodes[0].must(t, "POST /v2/users/"+x.ada+"/password_reset", `{"returnCode":{}}`).get("verificationCode")
		race("a code to reset a password", func(n *node) reply {
			return n.as(x.client, "POST /v2/users/"+x.ada+"/password", `{"newPassword":{"password":"`+adasPassword+`"},"verificationCode":"`+reset+`"}`, "")
		})
		mail := x.nodes[0].must(t, "POST /v2/users/"+x.ada+"/email", fmt.Sprintf(`{"email":"ada%d@example.com","returnCode":{}}`, round)).get("verificationCode")
		race("a code of an address", func(n *node) reply {
			return n.call("POST /v2/users/"+x.ada+"/email/verify", `{"verificationCode":"`+mail+`"}`)
		})
		if t.Failed() {
			return
		}
	}
	x.sound(t)
	t.Logf("%d rounds of each secret, %d at once on 3 nodes: one success each", *rounds, parallel)
}

// check makes a session without a factor, and gives what checks one there.
func (x *trio) check(t *testing.T, factor string) func(n *node) reply {
	t.Helper()
	s := x.login(t, "")
	return func(n *node) reply {
		return n.as(x.client, "PATCH /v2/sessions/"+s.id, `{"checks":{`+factor+`}}`, "")
	}
}

// unlock takes away what wrong tries have cost ada.
func (x *trio) unlock() { x.nodes[0].call("POST /v2/users/"+x.ada+"/unlock", `{}`) }

// TestLostNode kills one of three nodes under load. The others go on as if nothing had
// happened, and who tries another node is served.
func TestLostNode(t *testing.T) {
	t.Parallel()
	x := newTrio(t)
	var wg sync.WaitGroup
	var served, moved, failed atomic.Int64
	end, dead := make(chan struct{}), x.nodes[1]
	for w := range 12 {
		wg.Go(func() {
			for i := w; ; i++ {
				select {
				case <-end:
					return
				default:
				}
				call := func(n *node) reply {
					if i%4 == 0 {
						return n.call(fmt.Sprintf("POST /management/v1/metadata/key%d", w), `{"value":"`+encode(i)+`"}`)
					}
					return n.call("GET /management/v1/policies/login", "")
				}
				n := x.nodes[i%3]
				r := call(n)
				if r.status == 0 && n == dead { // What a load balancer does.
					moved.Add(1)
					r = call(x.nodes[(i+1)%3])
				}
				if r.status != http.StatusOK {
					failed.Add(1)
					t.Errorf("%s", r)
					return
				}
				served.Add(1)
			}
		})
	}
	time.Sleep(300 * time.Millisecond)
	dead.kill()
	time.Sleep(500 * time.Millisecond * time.Duration(*rounds))
	close(end)
	wg.Wait()
	x.sound(t)
	t.Logf("%d calls served, %d of them by another node after the kill, %d failed", served.Load(), moved.Load(), failed.Load())
}
