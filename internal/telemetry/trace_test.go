package telemetry

import (
	"net/http"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/database"
)

// TestTraces: a round trip belongs to its call, and a call to the trace of a
// trusted proxy, but to nobody else's.
func TestTraces(t *testing.T) {
	t.Parallel()
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	for _, trusted := range []bool{true, false} {
		spans := tracetest.NewInMemoryExporter()
		tel := &Telemetry{}
		tel.startTracing(sdk.NewSimpleSpanProcessor(spans), 1)
		c := &api.Call{Trusted: trusted, Started: time.Now(), Took: time.Second, Header: http.Header{"Traceparent": {"00-" + theirs + "-b7ad6b7169203331-01"}}}
		ctx := tel.Begin(t.Context(), c)
		tel.Trip(ctx, database.Trip{Kind: "read", Start: c.Started, Took: time.Millisecond})
		tel.Trip(t.Context(), database.Trip{Kind: "read", Start: c.Started}) // Of no call.
		tel.End(ctx, c)
		got := spans.GetSpans()
		if len(got) != 2 {
			t.Fatalf("%d spans, want 2", len(got))
		}
		trip, call := got[0], got[1]
		if trip.Parent.SpanID() != call.SpanContext.SpanID() || trip.Name != "database read" {
			t.Errorf("the round trip %q has the parent %v", trip.Name, trip.Parent)
		}
		if call.EndTime.Sub(call.StartTime) != time.Second {
			t.Errorf("the call took %s", call.EndTime.Sub(call.StartTime))
		}
		if joined := call.SpanContext.TraceID().String() == theirs; joined != trusted {
			t.Errorf("trusted %v: the call joins the caller's trace: %v", trusted, joined)
		}
	}
}

// TestOff: what is not asked for does not exist.
func TestOff(t *testing.T) {
	t.Parallel()
	tel, err := New(t.Context(), Options{})
	if tel != nil || err != nil {
		t.Errorf("%v %v", tel, err)
	}
	tel.WatchPool(nil)
	if err := tel.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestTracesURL: a collector's URL stands for its path of traces.
func TestTracesURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"http://localhost:4318": "http://localhost:4318/v1/traces", "https://otel.example/": "https://otel.example/v1/traces",
		"https://otel.example/api/traces": "https://otel.example/api/traces",
	} {
		if got := tracesURL(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
