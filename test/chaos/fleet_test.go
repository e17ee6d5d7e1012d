//go:build linux

package chaos

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fleet is nodes behind a balancer: it asks each of them whether it is ready, and sends calls to
// those that are.
type fleet struct {
	home  home
	nodes []*node
	ports []string
	ready []atomic.Bool
	turn  atomic.Int64
	out   *http.Transport
	// front is the balancer, to call like a node.
	front *node
}

var errNobody = errors.New("no node is ready")

// newFleet starts so many nodes of a home.
func newFleet(t *testing.T, h home, nodes int) *fleet {
	t.Helper()
	f := &fleet{home: h.with(t, "limits: {drain_delay: 700ms}\n"), nodes: make([]*node, nodes), ports: make([]string, nodes), ready: make([]atomic.Bool, nodes)}
	f.out = &http.Transport{DialContext: (&net.Dialer{Timeout: 2 * time.Second}).DialContext, MaxIdleConnsPerHost: 64}
	t.Cleanup(f.out.CloseIdleConnections)
	var watching sync.WaitGroup
	end := make(chan struct{})
	for i := range nodes {
		f.ports[i] = port(t)
		f.start(t, i)
		watching.Go(func() { f.watch(i, end) })
	}
	server := httptest.NewServer(&httputil.ReverseProxy{
		Transport: f,
		Rewrite:   func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.Host = "http", r.In.Host },
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			status := http.StatusBadGateway
			if errors.Is(err, errNobody) {
				status = http.StatusServiceUnavailable
			}
			http.Error(w, "balancer: "+err.Error(), status)
		},
	})
	_, at, _ := net.SplitHostPort(server.Listener.Addr().String())
	f.front = &node{url: "http://localhost:" + at, token: f.nodes[0].token, client: newClient()}
	t.Cleanup(func() {
		f.front.client.CloseIdleConnections()
		server.Close()
		close(end)
		watching.Wait()
	})
	return f
}

func (f *fleet) start(t *testing.T, i int) {
	t.Helper()
	f.nodes[i] = f.home.start(t, "--external-url", "http://localhost", "--listen", "localhost:"+f.ports[i])
	f.ready[i].Store(true)
}

// replace stops a node in order, and starts one of the home's program in its place.
func (f *fleet) replace(t *testing.T, i int) {
	t.Helper()
	f.nodes[i].stop(t)
	f.nodes[i].sound(t)
	f.start(t, i)
}

// watch asks a node again and again whether it is ready.
func (f *fleet) watch(i int, end chan struct{}) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		select {
		case <-end:
			return
		case <-time.After(50 * time.Millisecond):
		}
		res, err := client.Get("http://localhost:" + f.ports[i] + "/debug/ready")
		if err == nil {
			_ = res.Body.Close()
		}
		f.ready[i].Store(err == nil && res.StatusCode == http.StatusOK)
	}
}

// RoundTrip sends a call to a node whose turn it is. Where there is no connection to it, nothing
// was sent, and the next one gets it.
func (f *fleet) RoundTrip(req *http.Request) (*http.Response, error) {
	body := cmp.Or(req.Body, io.ReadCloser(http.NoBody))
	defer body.Close()
	err := errNobody
	for range 2 * len(f.nodes) {
		i := int(f.turn.Add(1)) % len(f.nodes)
		if !f.ready[i].Load() {
			continue
		}
		req.URL.Host, req.Body = "localhost:"+f.ports[i], io.NopCloser(body)
		var res *http.Response
		if res, err = f.out.RoundTrip(req); err == nil {
			return res, nil
		}
		if failed := (&net.OpError{}); !errors.As(err, &failed) || failed.Op != "dial" {
			return nil, err
		}
	}
	return nil, err
}

// readers are clients that only read.
type readers struct {
	served atomic.Int64
	mu     sync.Mutex
	failed []string
	end    chan struct{}
	wg     sync.WaitGroup
}

// read has so many clients read until halt.
func (n *node) read(clients int) *readers {
	r := &readers{end: make(chan struct{})}
	for c := range clients {
		r.wg.Go(func() {
			for i := c; ; i++ {
				select {
				case <-r.end:
					return
				default:
				}
				do := []string{"GET /management/v1/orgs/me", "GET /auth/v1/users/me", "POST /management/v1/users/_search", "GET /oauth/v2/keys"}[i%4]
				got := n.call(do, "")
				r.served.Add(1)
				if !got.ok() {
					r.mu.Lock()
					r.failed = append(r.failed, do+": "+got.String())
					r.mu.Unlock()
				}
			}
		})
	}
	return r
}

func (r *readers) halt() {
	close(r.end)
	r.wg.Wait()
}
