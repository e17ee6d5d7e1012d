package server

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// served sends a request through the guard, as a server does.
func served(a *admission, h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	res := httptest.NewRecorder()
	e := watch(res, r)
	defer e.end()
	a.guard(h).ServeHTTP(e, r)
	return res
}

// TestAdmission: no more calls run than there are turns, who waits gets one in order, or is
// sent away after a second, in the form that they read.
func TestAdmission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &admission{most: 2}
		running, most := 0, 0
		var mu sync.Mutex
		count := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			running += by
			most = max(most, running)
		}
		work := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			count(1)
			time.Sleep(600 * time.Millisecond)
			count(-1)
		})
		codes := make([]int, 6)
		var calls sync.WaitGroup
		for i := range codes {
			calls.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond)
				codes[i] = served(a, work, httptest.NewRequest(http.MethodGet, "/", nil)).Code
			})
		}
		calls.Wait()
		if want := [6]int{200, 200, 200, 200, 429, 429}; [6]int(codes) != want || most != 2 {
			t.Errorf("%v, want %v; %d at once", codes, want, most)
		}
		block := make(chan struct{})
		for range 2 {
			calls.Go(func() {
				served(a, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-block }), httptest.NewRequest(http.MethodGet, "/", nil))
			})
		}
		synctest.Wait()
		page := httptest.NewRequest(http.MethodGet, "/", nil)
		page.Header.Set("Accept", "text/html,*/*")
		for _, r := range []*http.Request{page, httptest.NewRequest(http.MethodGet, "/", nil)} {
			res := served(a, work, r)
			if isText := strings.HasPrefix(res.Header().Get("Content-Type"), "text/plain"); res.Code != 429 || res.Header().Get("Retry-After") != "1" || isText != (r == page) {
				t.Errorf("%d %v", res.Code, res.Header())
			}
		}
		gone, leave := context.WithCancel(context.Background())
		leave()
		if begun := time.Now(); served(a, work, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(gone)).Code != 429 || time.Since(begun) != 0 {
			t.Error("who left waits")
		}
		if res := served(a, http.NotFoundHandler(), httptest.NewRequest(http.MethodPost, "/grpc.health.v1.Health/Check", nil)); res.Code != 404 {
			t.Errorf("health: %d", res.Code)
		}
		close(block)
		calls.Wait()
		if a.running != 0 || a.inside != 0 || a.queue.Len() != 0 {
			t.Errorf("left: %+v", a)
		}
	})
}

// TestSlowCallsHaveNoTurn: who does not send the rest of a call, or does not take its reply,
// keeps nobody from being served.
func TestSlowCallsHaveNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &admission{most: 1}
		sent, body := io.Pipe()
		taken := make(chan struct{})
		var calls sync.WaitGroup
		calls.Go(func() {
			served(a, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.ReadAll(r.Body) }), httptest.NewRequest(http.MethodPost, "/", sent))
		})
		calls.Go(func() {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			e := watch(stuck{httptest.NewRecorder(), taken}, r)
			defer e.end()
			a.guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("x")) })).ServeHTTP(e, r)
		})
		synctest.Wait()
		for range 3 {
			if res := served(a, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), httptest.NewRequest(http.MethodGet, "/", nil)); res.Code != 200 {
				t.Errorf("an honest call: %d", res.Code)
			}
		}
		close(taken)
		_ = body.Close()
		calls.Wait()
		if a.running != 0 || a.inside != 0 {
			t.Errorf("left: %+v", a)
		}
	})
}

// stuck takes nothing of a reply for a while.
type stuck struct {
	http.ResponseWriter
	taken chan struct{}
}

func (s stuck) Write(p []byte) (int, error) {
	<-s.taken
	return len(p), nil
}
