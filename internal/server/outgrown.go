package server

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// lookEvery is how often a node looks whether it still fits the database, which is one small read
// however many call, and lookFor how long a look may take.
const lookEvery, lookFor = time.Second, 5 * time.Second

var errOutgrown = fault.Unavailable("SERVER-outgrown", "A newer version has changed the database, and this one cannot use it any more. Start the newer version on this node.")

// watchSchema looks, until ctx ends, whether a newer version has taken a step of the schema that this
// one does not survive. From then on calls are refused, and stop ends what the node does by itself:
// what it read might mean something else by now, and what it wrote would be wrong.
func (s *Server) watchSchema(ctx context.Context, stop func()) {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		look, cancel := context.WithTimeout(ctx, lookFor)
		step, err := s.Store.DB().OutgrownBy(look)
		cancel()
		if err != nil || step == "" { // While the database is away, it refuses by itself.
			continue
		}
		s.outgrown.Store(true)
		slog.ErrorContext(ctx, "a newer version has changed the database, and this one cannot use it any more: calls are refused until the newer version is started on this node", "migration", step)
		stop()
		return
	}
}

// unlessOutgrown refuses every call of a node that does not fit the database any more.
func (s *Server) unlessOutgrown(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.outgrown.Load() {
			refuse(w, r, http.StatusServiceUnavailable, errOutgrown)
			return
		}
		next.ServeHTTP(w, r)
	})
}
