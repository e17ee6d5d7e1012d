package admin

import (
	"context"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
)

func (h *Handlers) events() []api.RPC {
	return []api.RPC{
		api.Unary("ListEvents", h.listEvents),
		api.Unary("ListEventTypes", h.listEventTypes),
		api.Unary("ListAggregateTypes", h.listAggregateTypes),
	}
}

func (h *Handlers) listEvents(ctx context.Context, r *pb.ListEventsRequest) (*pb.ListEventsResponse, error) {
	limit, err := api.EventLimit(r.GetLimit())
	if err != nil {
		return nil, err
	}
	from := r.GetFrom()
	if from == nil {
		from = r.GetCreationDate() //nolint:staticcheck // older clients send it
	}
	entries, err := flow.History(ctx, h.store, eventstore.Filter{
		Instance: scope(ctx).Instance, AggregateTypes: r.GetAggregateTypes(), AggregateID: r.GetAggregateId(),
		Owner: r.GetResourceOwner(), Creator: r.GetEditorUserId(), Types: r.GetEventTypes(),
		AfterSequence: r.GetSequence(), AfterTime: moment(from),
		Since: moment(r.GetRange().GetSince()), Until: moment(r.GetRange().GetUntil()),
		Asc: r.GetAsc(), Limit: limit,
	})
	res := &pb.ListEventsResponse{}
	for _, e := range entries {
		event, eerr := api.Event(e)
		if eerr != nil {
			return nil, eerr
		}
		res.Events = append(res.Events, event)
	}
	return res, err
}

// moment is the time that a timestamp names; the zero time for none.
func moment(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

func (h *Handlers) listEventTypes(context.Context, *pb.ListEventTypesRequest) (*pb.ListEventTypesResponse, error) {
	return &pb.ListEventTypesResponse{EventTypes: api.Each(eventstore.Kinds(), api.EventType)}, nil
}

func (h *Handlers) listAggregateTypes(context.Context, *pb.ListAggregateTypesRequest) (*pb.ListAggregateTypesResponse, error) {
	var types []string
	for _, kind := range eventstore.Kinds() { // An event's name begins with its aggregate's type.
		name, _, _ := strings.Cut(kind, ".")
		types = append(types, name)
	}
	return &pb.ListAggregateTypesResponse{AggregateTypes: api.Each(slices.Compact(types), api.AggregateType)}, nil
}
