package api

import (
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	changepb "github.com/gatehouse/gatehouse/gen/zitadel/change/v1"
	eventpb "github.com/gatehouse/gatehouse/gen/zitadel/event/v1"
	messagepb "github.com/gatehouse/gatehouse/gen/zitadel/v1"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
)

// EventLimit is how many events a request asks for: a default where it does not
// say, and an error where it is more than a page may hold.
func EventLimit(asked uint32) (uint64, error) {
	if asked > eventstore.MaxEvents {
		return 0, fault.Invalid("LIST-limit", "Ask for %d results at most.", eventstore.MaxEvents)
	}
	if asked == 0 {
		return defaultLimit, nil
	}
	return uint64(asked), nil
}

// Event is an event with its payload, secrets left out.
func Event(e flow.Entry) (*eventpb.Event, error) {
	visible, err := e.Visible()
	if err != nil {
		return nil, err
	}
	payload, err := structpb.NewStruct(visible)
	if err != nil {
		return nil, err
	}
	return &eventpb.Event{
		Editor:       &eventpb.Editor{UserId: e.Creator, DisplayName: e.Editor.DisplayName()},
		Aggregate:    &eventpb.Aggregate{Id: e.ID, Type: AggregateType(e.Aggregate.Type), ResourceOwner: e.Owner},
		Sequence:     e.Sequence,
		CreationDate: timestamppb.New(e.Created),
		Payload:      payload,
		Type:         EventType(e.Type),
	}, nil
}

// EventType is the name of a sort of events.
func EventType(name string) *eventpb.EventType {
	return &eventpb.EventType{Type: name, Localized: untranslated(name)}
}

// AggregateType is the name of a sort of aggregates.
func AggregateType(name string) *eventpb.AggregateType {
	return &eventpb.AggregateType{Type: name, Localized: untranslated(name)}
}

func untranslated(name string) *messagepb.LocalizedMessage {
	return &messagepb.LocalizedMessage{Key: name, LocalizedMessage: name}
}

// Change is an event in the short form of a change history.
func Change(e flow.Entry) *changepb.Change {
	return &changepb.Change{
		ChangeDate: timestamppb.New(e.Created), EventType: untranslated(e.Type), Sequence: e.Sequence,
		EditorId: e.Creator, EditorDisplayName: e.Editor.DisplayName(), EditorPreferredLoginName: e.Editor.LoginName,
		ResourceOwnerId: e.Owner,
	}
}

// Changes is the filter for a page of an aggregate's change history.
func Changes(a eventstore.Aggregate, q *changepb.ChangeQuery) (eventstore.Filter, error) {
	limit, err := EventLimit(q.GetLimit())
	return eventstore.Filter{
		Instance: a.Instance, AggregateTypes: []string{a.Type}, AggregateID: a.ID, Owner: a.Owner,
		AfterSequence: q.GetSequence(), Asc: q.GetAsc(), Limit: limit,
	}, err
}
