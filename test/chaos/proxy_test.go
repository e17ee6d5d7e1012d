//go:build linux

package chaos

import (
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy stands between nodes and PostgreSQL, and does to their connections what networks do.
type proxy struct {
	listener net.Listener
	dial     func() (net.Conn, error)
	// delay is added to each way of what passes.
	delay atomic.Int64

	mu    sync.Mutex
	open  map[net.Conn]bool
	cut   bool          // whoever connects is refused
	still chan struct{} // nothing passes before it closes; nil: all does
}

// newProxy starts a proxy in front of what dial reaches.
func newProxy(t *testing.T, dial func() (net.Conn, error)) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, dial: dial, open: map[net.Conn]bool{}}
	go p.accept()
	t.Cleanup(func() {
		_ = l.Close()
		p.sever()
		p.mend()
	})
	return p
}

// url names the database behind the proxy.
func (p *proxy) url() string {
	return "postgres://gatehouse@" + p.listener.Addr().String() + "/postgres?sslmode=disable"
}

func (p *proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.serve(client)
	}
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	p.mu.Lock()
	cut := p.cut
	p.mu.Unlock()
	if cut {
		return
	}
	server, err := p.dial()
	if err != nil {
		return
	}
	defer server.Close()
	p.mu.Lock()
	p.open[client], p.open[server] = true, true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.pass(server, client) })
	both.Go(func() { p.pass(client, server) })
	both.Wait()
	p.mu.Lock()
	delete(p.open, client)
	delete(p.open, server)
	p.mu.Unlock()
}

// pass copies until one side ends, and then ends the other.
func (p *proxy) pass(to, from net.Conn) {
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			time.Sleep(time.Duration(p.delay.Load()))
			p.mu.Lock()
			still := p.still
			p.mu.Unlock()
			if still != nil {
				<-still
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// sever ends all connections and takes no others, until mend.
func (p *proxy) sever() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = true
	for c := range p.open {
		_ = c.Close()
	}
}

// freeze lets nothing pass, and breaks no connection, until mend.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.still == nil {
		p.still = make(chan struct{})
	}
}

// mend ends sever, freeze and the delay.
func (p *proxy) mend() {
	p.delay.Store(0)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = false
	if p.still != nil {
		close(p.still)
		p.still = nil
	}
}
