package server

import (
	"container/list"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/process"
)

const (
	// callsPerCore is how many calls run at once: enough that those which wait for the
	// database leave no core idle, and few enough that each ends soon.
	callsPerCore = 512
	// maxQueue is how long a call waits for its turn: who would wait longer is better
	// served by another try, or by another node.
	maxQueue = time.Second
	// maxInside bounds the calls that run, wait, or are still being sent.
	maxInside = 8192
)

var errBusy = fault.Exhausted("SERVER-busy", "The server has more to do than it can. Try again in a moment.")

// admission bounds how many calls run at once. Those above wait in the order in which they
// came, and are refused after a second. A call that waits for who made it, to send the
// rest or to take the reply, has no part in the number: slow clients hold up nobody.
type admission struct {
	most    int
	mu      sync.Mutex
	running int       // may be above most for a while: who had a turn gets it back at once
	inside  int       // calls altogether
	queue   list.List // of chan struct{}, which is closed when the turn has come
}

func newAdmission() *admission { return &admission{most: callsPerCore * process.Cores} }

// enter waits for a turn.
func (a *admission) enter(ctx context.Context) error {
	a.mu.Lock()
	if a.inside >= maxInside {
		a.mu.Unlock()
		return errBusy
	}
	a.inside++
	if a.running < a.most && a.queue.Len() == 0 { // Nearly always.
		a.running++
		a.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	place := a.queue.PushBack(turn)
	a.mu.Unlock()
	patience := time.NewTimer(maxQueue)
	defer patience.Stop()
	select {
	case <-turn:
		return nil
	case <-patience.C:
	case <-ctx.Done():
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-turn: // It came just now.
		return nil
	default:
		a.queue.Remove(place)
		a.inside--
		return errBusy
	}
}

// next gives turns while there are any. The lock is held.
func (a *admission) next() {
	for first := a.queue.Front(); first != nil && a.running < a.most; first = a.queue.Front() {
		a.running++
		close(a.queue.Remove(first).(chan struct{})) //nolint:forcetypeassert // nothing else is in the list
	}
}

// pause gives the turn to others while a call waits for its client, and resume takes it back.
func (a *admission) pause() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
	a.next()
}

func (a *admission) resume() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running++
}

func (a *admission) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running--
	a.inside--
	a.next()
}

// aside are calls that last, or tell whether the server lives: health and reflection of gRPC.
func aside(path string) bool { return strings.HasPrefix(path, "/grpc.") }

// guard lets calls pass in their turn.
func (a *admission) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watched, ok := w.(*exchange)
		if !ok || aside(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		if err := a.enter(r.Context()); err != nil {
			refuse(w, r, http.StatusTooManyRequests, err)
			return
		}
		watched.admit(a)
		defer watched.leave()
		next.ServeHTTP(w, r)
	})
}

// refuse answers a program as REST does, and a browser in words and with the status.
func refuse(w http.ResponseWriter, r *http.Request, status int, err error) {
	if !strings.HasPrefix(r.Header.Get("Accept"), "text/html") {
		api.Refuse(w, r, err)
		return
	}
	w.Header().Set("Retry-After", "1")
	http.Error(w, api.Sentence(api.CallOf(r.Context()).Languages, err), status)
}

// exchange is a request and its reply, which knows when it waits for the client.
type exchange struct {
	http.ResponseWriter
	body       io.ReadCloser
	connection *connection
	mu         sync.Mutex
	turn       *admission // nil: it has none
	waits      int        // reads and writes that run
}

// watch makes an exchange of a request, whose body it takes over.
func watch(w http.ResponseWriter, r *http.Request) *exchange {
	c, _ := r.Context().Value(connectionKey{}).(*connection)
	e := &exchange{ResponseWriter: w, body: r.Body, connection: c}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = struct {
			io.Reader
			io.Closer
		}{e, r.Body}
	}
	c.work()
	return e
}

func (e *exchange) end() { e.connection.rest() }

func (e *exchange) admit(a *admission) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.turn = a
}

func (e *exchange) leave() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.turn.leave()
	e.turn = nil
}

// wait runs what may have to wait for the client.
func (e *exchange) wait(what func()) {
	e.mu.Lock()
	if e.waits++; e.waits == 1 {
		e.connection.rest()
		if bounded && e.turn != nil {
			e.turn.pause()
		}
	}
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.waits--; e.waits == 0 {
			e.connection.work()
			if bounded && e.turn != nil {
				e.turn.resume()
			}
		}
	}()
	what()
}

// Read reads the body.
func (e *exchange) Read(p []byte) (n int, err error) {
	e.wait(func() { n, err = e.body.Read(p) })
	return n, err
}

// Write writes the reply.
func (e *exchange) Write(p []byte) (n int, err error) {
	e.wait(func() { n, err = e.ResponseWriter.Write(p) })
	return n, err
}

// Flush sends what is written.
func (e *exchange) Flush() {
	e.wait(func() { _ = http.NewResponseController(e.ResponseWriter).Flush() })
}

// Unwrap is for http.ResponseController.
func (e *exchange) Unwrap() http.ResponseWriter { return e.ResponseWriter }
