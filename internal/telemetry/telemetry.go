// Package telemetry measures: Prometheus metrics of the calls and of the
// database, and OpenTelemetry traces of them. A nil Telemetry measures nothing
// and costs nothing.
//
// It may import api and database, for what they tell their observers.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/pprof"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/database"
)

// Options say what is measured. The zero value is nothing.
type Options struct {
	Metrics bool
	// Endpoint is the URL of a collector that takes OTLP over HTTP; empty: none.
	Endpoint string
	// Sample is the share of calls that are traced.
	Sample float64
}

// Telemetry is what measures. Its methods may be called on nil.
type Telemetry struct {
	registry *prometheus.Registry
	calls    *prometheus.HistogramVec
	trips    *prometheus.HistogramVec
	group    prometheus.Histogram
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// New starts what o asks for; nil where that is nothing.
func New(ctx context.Context, o Options) (*Telemetry, error) {
	if !o.Metrics && o.Endpoint == "" {
		return nil, nil
	}
	t := &Telemetry{}
	if o.Metrics {
		t.measure()
	}
	if o.Endpoint != "" {
		exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(tracesURL(o.Endpoint)))
		if err != nil {
			return nil, fmt.Errorf("tracing: %w", err)
		}
		t.startTracing(sdk.NewBatchSpanProcessor(exporter), o.Sample)
	}
	return t, nil
}

// tracesURL is where a collector takes traces, unless its URL says otherwise.
func tracesURL(endpoint string) string {
	if u, err := url.Parse(endpoint); err == nil && strings.Trim(u.Path, "/") == "" {
		return u.JoinPath("v1", "traces").String()
	}
	return endpoint
}

// The buckets of durations, in seconds.
var buckets = []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10}

func (t *Telemetry) measure() {
	t.registry = prometheus.NewRegistry()
	t.calls = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gatehouse_call_duration_seconds", Help: "Calls of the API, by how long they took.", Buckets: buckets,
	}, []string{"procedure", "protocol", "code"})
	t.trips = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "gatehouse_database_duration_seconds", Help: "Round trips to the database, by how long they took.", Buckets: buckets,
	}, []string{"kind", "result"})
	t.group = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "gatehouse_database_commit_writes", Help: "Transactions that shared a commit.", Buckets: prometheus.ExponentialBuckets(1, 2, 9),
	})
	t.registry.MustRegister(t.calls, t.trips, t.group, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), collectors.NewBuildInfoCollector())
}

// WatchPool adds the state of the database's connections to the metrics.
func (t *Telemetry) WatchPool(db *database.DB) {
	if t == nil || t.registry == nil {
		return
	}
	t.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gatehouse_database_connections_used", Help: "Connections that are at work: readers, on the embedded database.",
		}, func() float64 { return float64(db.Pool().Used) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "gatehouse_database_connections_max", Help: "The most connections that there can be.",
		}, func() float64 { return float64(db.Pool().Max) }))
}

// Handler serves /metrics and /debug/pprof/. It asks for no token: it belongs on
// a listener that only the operator reaches.
func (t *Telemetry) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	return mux
}

// Close sends what is left to send.
func (t *Telemetry) Close(ctx context.Context) error {
	if t == nil || t.provider == nil {
		return nil
	}
	return errors.Join(t.provider.ForceFlush(ctx), t.provider.Shutdown(ctx))
}

// Begin starts the trace of a call.
func (t *Telemetry) Begin(ctx context.Context, c *api.Call) context.Context {
	if t.tracer == nil {
		return ctx
	}
	return t.beginSpan(ctx, c)
}

// End counts a call and ends its trace.
func (t *Telemetry) End(ctx context.Context, c *api.Call) {
	if t.calls != nil {
		t.calls.WithLabelValues(nameOf(c), c.Protocol, c.Code()).Observe(c.Took.Seconds())
	}
	if t.tracer != nil {
		endSpan(ctx, c)
	}
}

// Trip counts a round trip and adds it to the trace of the call that made it.
func (t *Telemetry) Trip(ctx context.Context, trip database.Trip) {
	if t.trips != nil {
		t.trips.WithLabelValues(trip.Kind, result(trip.Err)).Observe(trip.Took.Seconds())
		if trip.Writes > 0 {
			t.group.Observe(float64(trip.Writes))
		}
	}
	if t.tracer != nil {
		t.tripSpan(ctx, trip)
	}
}

// nameOf is the procedure; requests outside the contract share a name, so that
// callers cannot make up new ones.
func nameOf(c *api.Call) string {
	if c.Procedure == "" {
		return "none"
	}
	return c.Procedure
}

func result(err error) string {
	if err != nil {
		return "error"
	}
	return "ok"
}
