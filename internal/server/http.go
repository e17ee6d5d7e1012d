package server

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// Limits bound what a connection and a call may cost. Zero stands for a default.
type Limits struct {
	HeaderBytes, BodyBytes, JSONBytes, Connections            int
	ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	CallTimeout                                               time.Duration
	// DrainDelay is how long a server that is to stop still takes requests while
	// it says that it is not ready; DrainTimeout bounds how long it then waits for
	// those that run.
	DrainDelay, DrainTimeout time.Duration
}

// maxStreams is how many calls a connection of HTTP/2 makes at once.
const maxStreams = 100

// newHTTP makes the server of one port: HTTP/1.1 and HTTP/2, with TLS or without.
func newHTTP(h http.Handler, l Limits) *http.Server {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	open := &connections{most: cmp.Or(l.Connections, 4096)}
	return &http.Server{
		Handler: h, Protocols: protocols, ConnContext: open.open, ConnState: open.changed,
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: maxStreams},
		MaxHeaderBytes:    cmp.Or(l.HeaderBytes, 32<<10),
		ReadHeaderTimeout: cmp.Or(l.ReadHeaderTimeout, 5*time.Second),
		ReadTimeout:       cmp.Or(l.ReadTimeout, 10*time.Second),
		WriteTimeout:      cmp.Or(l.WriteTimeout, 30*time.Second),
		IdleTimeout:       cmp.Or(l.IdleTimeout, 2*time.Minute),
		// What a broken connection says is worth a line only to who looks for it.
		ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
}

// drain stops srv in order: first nobody is sent here any more, then nobody is let
// in, then what runs ends, within the time for it.
func (s *Server) drain(ctx context.Context, srv *http.Server) error {
	s.API.Drain()
	time.Sleep(s.limits.DrainDelay)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cmp.Or(s.limits.DrainTimeout, 10*time.Second))
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		_ = srv.Close()
		return fmt.Errorf("drain: %w", err)
	}
	return nil
}

var errDraining = fault.Unavailable("SERVER-drain", "The server is about to stop.")

// ready reports whether requests should be sent here.
func (s *Server) ready(ctx context.Context) error {
	if s.API.Draining() {
		return errDraining
	}
	if s.outgrown.Load() {
		return errOutgrown
	}
	return s.Store.DB().Ping(ctx)
}

// secure adds TLS to a listener, where it is configured.
func (s *Server) secure(l net.Listener) net.Listener {
	if s.tls == nil {
		return l
	}
	return tls.NewListener(l, s.tls)
}

// ServeOperator answers with h on a listener that only the operator reaches,
// until ctx ends.
func ServeOperator(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		WriteTimeout: 5 * time.Minute, // A profile takes as long as it is asked to.
		ErrorLog:     slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("operator: %w", err)
	}
	return nil
}
