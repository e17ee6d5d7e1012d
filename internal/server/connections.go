package server

import (
	"container/list"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync"
)

// connections bounds how many there are. Where one is too many, the one ends that nothing
// was done on for the longest: who opens many and sends nothing, or little by little,
// ends themselves and not those who send.
type connections struct {
	most  int
	mu    sync.Mutex
	all   map[net.Conn]*connection
	quiet list.List // of *connection; the first is quiet for the longest
}

// connection is one of them. Its zero value, and nil, are that of a request without one.
type connection struct {
	of    *connections
	conn  net.Conn
	busy  int           // requests that something is done for
	quiet *list.Element // in the list; nil: it is busy, or ends
}

type connectionKey struct{}

// open makes the context of a new connection.
func (c *connections) open(ctx context.Context, conn net.Conn) context.Context {
	n := &connection{of: c, conn: conn}
	c.mu.Lock()
	if c.all == nil {
		c.all = map[net.Conn]*connection{}
	}
	c.all[conn] = n
	n.quiet = c.quiet.PushBack(n)
	var tooMany *connection
	if bounded && len(c.all) > c.most {
		tooMany = c.quiet.Front().Value.(*connection) //nolint:forcetypeassert // nothing else is in the list
		tooMany.wake()
	}
	c.mu.Unlock()
	if tooMany != nil {
		cut(tooMany.conn)
	}
	return context.WithValue(ctx, connectionKey{}, n)
}

// cut ends a connection without a farewell, for which it would have to be read.
func cut(conn net.Conn) {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	_ = conn.Close()
}

// changed forgets a connection that has ended.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	if state != http.StateClosed && state != http.StateHijacked {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if n := c.all[conn]; n != nil {
		n.wake()
		delete(c.all, conn)
	}
}

// wake takes the connection out of the list. The lock is held.
func (n *connection) wake() {
	if n.quiet != nil {
		n.of.quiet.Remove(n.quiet)
		n.quiet = nil
	}
}

// work says that something is done for a request of the connection, and rest that it waits
// for the other side, or has ended.
func (n *connection) work() {
	if n == nil {
		return
	}
	n.of.mu.Lock()
	defer n.of.mu.Unlock()
	n.busy++
	n.wake()
}

func (n *connection) rest() {
	if n == nil {
		return
	}
	n.of.mu.Lock()
	defer n.of.mu.Unlock()
	if n.busy--; n.busy == 0 && n.of.all[n.conn] == n {
		n.quiet = n.of.quiet.PushBack(n)
	}
}
