package admin

import (
	"context"
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
		api.Unary("ListViews", h.listViews),
		api.Unary("ListFailedEvents", listFailedEvents),
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
	return &pb.ListAggregateTypesResponse{AggregateTypes: api.Each(eventstore.AggregateTypes(), api.AggregateType)}, nil
}

// listViews shows the tables that events are folded into. An event is folded when
// it is written, so all tables are at the position of the newest one.
func (h *Handlers) listViews(ctx context.Context, _ *pb.ListViewsRequest) (*pb.ListViewsResponse, error) {
	var newest []eventstore.Event
	if err := h.store.Read(ctx, eventstore.Filter{Instance: scope(ctx).Instance, Limit: 1}.Search(&newest)); err != nil {
		return nil, err
	}
	view := pb.View{Database: h.store.DB().Dialect().String()}
	for _, e := range newest {
		view.ProcessedSequence, view.EventTimestamp = e.Position, timestamppb.New(e.Created)
		view.LastSuccessfulSpoolerRun = view.GetEventTimestamp()
	}
	return &pb.ListViewsResponse{Result: api.Each(eventstore.Tables(), func(t eventstore.Table) *pb.View {
		return &pb.View{
			Database: view.GetDatabase(), ViewName: t.Name, ProcessedSequence: view.GetProcessedSequence(),
			EventTimestamp: view.GetEventTimestamp(), LastSuccessfulSpoolerRun: view.GetLastSuccessfulSpoolerRun(),
		}
	})}, nil
}

// listFailedEvents is always empty: an event that cannot be folded is not written.
func listFailedEvents(context.Context, *pb.ListFailedEventsRequest) (*pb.ListFailedEventsResponse, error) {
	return &pb.ListFailedEventsResponse{}, nil
}
