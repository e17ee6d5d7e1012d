//go:build linux

package chaos

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

var restarts = flag.Int("restarts", 2, "how often TestStopUnderLoad stops and starts the server")

// TestStopUnderLoad stops the server in order, again and again, while clients write. Those
// that heed what they are told, over HTTP/1.1 by "Connection: close" and over HTTP/2 by
// GOAWAY, lose no call.
func TestStopUnderLoad(t *testing.T) {
	t.Parallel()
	h := anyHome(t).with(t, "limits: {drain_delay: 700ms}\n")
	at := port(t)
	n := h.start(t, "--listen", "localhost:"+at)
	var wg sync.WaitGroup
	var served, waited, dropped atomic.Int64
	end := make(chan struct{})
	for w := range 12 {
		wg.Go(func() {
			c := &caller{node: node{url: n.url, token: n.token, client: clientOf(w%2 == 1)}, name: fmt.Sprint("key", w), two: w%2 == 1}
			for {
				select {
				case <-end:
					return
				default:
				}
				switch status, err := c.write(); {
				case status == http.StatusOK:
					served.Add(1)
				case errors.Is(err, syscall.ECONNREFUSED): // Nothing was sent: there is nobody.
					waited.Add(1)
					time.Sleep(5 * time.Millisecond)
				default:
					dropped.Add(1)
					t.Errorf("after %d calls: %d %v", c.written, status, err)
				}
			}
		})
	}
	var stops []time.Duration
	for range *restarts {
		time.Sleep(300 * time.Millisecond)
		began := time.Now()
		n.stop(t)
		stops = append(stops, time.Since(began))
		n = h.start(t, "--listen", "localhost:"+at)
	}
	time.Sleep(200 * time.Millisecond)
	close(end)
	wg.Wait()
	t.Logf("%d restarts: %d calls served, %d dropped, %d came while nobody listened; a stop took %s", *restarts, served.Load(), dropped.Load(), waited.Load(), spread(stops))
}

// clientOf makes a client with one connection.
func clientOf(two bool) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!two)
	protocols.SetUnencryptedHTTP2(two)
	return &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, Protocols: protocols, MaxConnsPerHost: 1,
	}}
}

// caller counts up a value.
type caller struct {
	node
	name    string
	two     bool // speaks HTTP/2
	written int
}

// write makes a call. Who is told that the connection ends makes no other one before the
// server says that it is ready.
func (c *caller) write() (status int, err error) {
	req, err := http.NewRequest(http.MethodPost, c.url+"/management/v1/metadata/"+c.name, strings.NewReader(`{"value":"`+encode(c.written)+`"}`))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	res, err := c.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	c.written++
	if res.Close || c.two && c.written%10 == 0 { // HTTP/2 tells the connection, and not who calls.
		c.await()
	}
	return res.StatusCode, nil
}

// await waits until the server is ready, as a balancer does.
func (c *caller) await() {
	for range 5000 {
		res, err := http.Get(c.url + "/debug/ready")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}
