package telemetry

import (
	"context"
	"log/slog"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/database"
)

func (t *Telemetry) startTracing(p sdk.SpanProcessor, sample float64) {
	t.provider = sdk.NewTracerProvider(sdk.WithSpanProcessor(p),
		sdk.WithResource(resource.NewSchemaless(attribute.String("service.name", "gatehouse"))),
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(sample))))
	t.tracer = t.provider.Tracer("gatehouse")
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { slog.Warn("traces were not sent", "error", err) }))
}

// beginSpan goes on with the trace of a trusted proxy, or starts one.
func (t *Telemetry) beginSpan(ctx context.Context, c *api.Call) context.Context {
	if c.Trusted {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(c.Header))
	}
	ctx, _ = t.tracer.Start(ctx, "call", trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(c.Started)) //nolint:spancheck // endSpan ends it
	return ctx
}

func endSpan(ctx context.Context, c *api.Call) {
	span := trace.SpanFromContext(ctx)
	if span.IsRecording() {
		span.SetName(nameOf(c))
		span.SetAttributes(
			attribute.String("rpc.system", c.Protocol), attribute.String("rpc.code", c.Code()),
			attribute.String("gatehouse.request_id", c.RequestID), attribute.String("gatehouse.instance", c.Instance.ID))
		if code := c.Code(); code == "internal" || code == "unavailable" {
			span.SetStatus(codes.Error, code)
		}
	}
	span.End(trace.WithTimestamp(c.Started.Add(c.Took)))
}

func (t *Telemetry) tripSpan(ctx context.Context, trip database.Trip) {
	if !trace.SpanFromContext(ctx).IsRecording() {
		return
	}
	_, span := t.tracer.Start(ctx, "database "+trip.Kind, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(trip.Start))
	if trip.Err != nil {
		span.SetStatus(codes.Error, "failed")
	}
	span.End(trace.WithTimestamp(trip.Start.Add(trip.Took)))
}
