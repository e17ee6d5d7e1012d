package system

import (
	"context"

	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/system/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

func (h *Handlers) debug() []api.RPC {
	return []api.RPC{
		api.Unary("ListViews", h.listViews),
		api.Unary("ListFailedEvents", listFailedEvents),
		api.Unary("RemoveFailedEvent", removeFailedEvent),
	}
}

// listViews shows every table at the last event: they are written together.
func (h *Handlers) listViews(ctx context.Context, _ *pb.ListViewsRequest) (*pb.ListViewsResponse, error) {
	position, at, err := h.store.LastEvent(ctx)
	if err != nil {
		return nil, err
	}
	database := h.store.DB().Dialect().String()
	return &pb.ListViewsResponse{Result: api.Each(eventstore.Tables(), func(t eventstore.Table) *pb.View {
		return &pb.View{
			Database: database, ViewName: t.Name, ProcessedSequence: position,
			EventTimestamp: timestamppb.New(at), LastSuccessfulSpoolerRun: timestamppb.New(at),
		}
	})}, nil
}

// listFailedEvents has nothing to list: an event whose fold fails is not written.
func listFailedEvents(context.Context, *pb.ListFailedEventsRequest) (*pb.ListFailedEventsResponse, error) {
	return &pb.ListFailedEventsResponse{}, nil
}

func removeFailedEvent(context.Context, *pb.RemoveFailedEventRequest) (*pb.RemoveFailedEventResponse, error) {
	return nil, fault.NotFound("EVENT-failed", "There is no such failed event: what cannot be processed is not written.")
}
