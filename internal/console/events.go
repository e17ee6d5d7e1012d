package console

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminpb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	eventpb "github.com/gatehouse/gatehouse/gen/zitadel/event/v1"
)

const (
	atEvents   = "events"
	eventsRead = "events.read"
)

// eventPages are the log of the instance: who did what, and when.
func eventPages() []page {
	return []page{{path: atEvents, permission: eventsRead, get: showEvents}}
}

// eventsPage is what the page shows.
type eventsPage struct {
	Types   []option // that events can have, to choose from
	Kinds   []option // of objects
	Given   map[string]string
	Line    timeline
	Filters bool // something is looked for
}

// eventsAtOnce is how many events a page shows.
const eventsAtOnce = 50

// eventFilters are the parameters of the page, and what they are called.
var eventFilters = []string{"type", "kind", "object", "editor", "org", "since", "until"}

// showEvents shows the log, the newest first. A page goes on from the time of the last
// event of the one before, without as many events of that time as were shown: those of
// one change have the same.
func showEvents(v *visit) error {
	q := v.R.URL.Query()
	p := eventsPage{Given: map[string]string{}, Line: timeline{Texts: v.Texts}}
	for _, name := range eventFilters {
		p.Given[name] = strings.TrimSpace(q.Get(name))
		p.Filters = p.Filters || p.Given[name] != ""
	}
	req, skip, err := askEvents(p.Given, q)
	if err != nil {
		return err
	}
	res, err := call[*adminpb.ListEventsResponse](v, req)
	if err != nil {
		return err
	}
	events := res.GetEvents()
	full := len(events) == int(req.GetLimit())
	events = events[min(skip, len(events)):]
	for _, e := range events {
		p.Line.Events = append(p.Line.Events, v.logged(e))
	}
	if full && len(events) > 0 {
		last := events[len(events)-1].GetCreationDate().AsTime()
		seen := 0
		for _, e := range slices.Backward(res.GetEvents()) {
			if e.GetCreationDate().AsTime().Equal(last) {
				seen++
			}
		}
		q.Set("before", last.Format(time.RFC3339Nano))
		q.Set("seen", strconv.Itoa(seen))
		p.Line.Older = "?" + q.Encode()
	}
	if err := v.eventChoices(&p); err != nil {
		return err
	}
	v.show(http.StatusOK, "events", frame{Title: v.Texts.T("events"), More: p})
	return nil
}

// maxSeen bounds how many events of one time a page passes over.
const maxSeen = 500

// askEvents makes the request of the filters, and says how many events to pass over.
func askEvents(given map[string]string, q url.Values) (req *adminpb.ListEventsRequest, skip int, err error) {
	req = &adminpb.ListEventsRequest{AggregateId: given["object"], EditorUserId: given["editor"], ResourceOwner: given["org"], Limit: eventsAtOnce}
	if t := given["type"]; t != "" {
		req.EventTypes = []string{t}
	}
	if k := given["kind"]; k != "" {
		req.AggregateTypes = []string{k}
	}
	period := &adminpb.ListEventsRequestCreationDateRange{}
	for name, into := range map[string]**timestamppb.Timestamp{"since": &period.Since, "until": &period.Until} {
		if given[name] == "" {
			continue
		}
		at, err := time.Parse(timeForm, given[name])
		if err != nil {
			return nil, 0, errTime
		}
		*into = timestamppb.New(at)
	}
	if before, err := time.Parse(time.RFC3339Nano, q.Get("before")); err == nil {
		period.Until = timestamppb.New(before)
		seen, err := strconv.ParseUint(q.Get("seen"), 10, 16)
		if err == nil {
			skip = int(min(seen, maxSeen))
			req.Limit += uint32(skip)
		}
	}
	if period.GetSince() != nil || period.GetUntil() != nil {
		req.CreationDateFilter = &adminpb.ListEventsRequest_Range{Range: period}
	}
	return req, skip, nil
}

// logged is an event in words, with the ways to others like it.
func (v *visit) logged(e *eventpb.Event) happened {
	kind, id := e.GetAggregate().GetType().GetType(), e.GetAggregate().GetId()
	out := happened{
		When: e.GetCreationDate().AsTime().UTC().Format(eventTime), Type: e.GetType().GetType(), Text: v.event(e.GetType().GetType()),
		Who:     crumb{URL: "?" + url.Values{"editor": {e.GetEditor().GetUserId()}}.Encode(), Text: v.editor(e.GetEditor().GetUserId(), e.GetEditor().GetDisplayName())},
		What:    crumb{URL: "?" + url.Values{"object": {id}, "kind": {kind}}.Encode(), Text: v.Texts.Or("kind-"+kind, kind) + " " + id},
		Details: v.details(e),
	}
	if len(e.GetPayload().GetFields()) > 0 {
		out.Payload = protojson.MarshalOptions{Multiline: true, Indent: "  "}.Format(e.GetPayload())
	}
	return out
}

// eventChoices are what there is to choose from.
func (v *visit) eventChoices(p *eventsPage) error {
	types, err := call[*adminpb.ListEventTypesResponse](v, &adminpb.ListEventTypesRequest{})
	if err != nil {
		return err
	}
	for _, t := range types.GetEventTypes() {
		p.Types = append(p.Types, option{Value: t.GetType(), Text: v.event(t.GetType())})
	}
	kinds, err := call[*adminpb.ListAggregateTypesResponse](v, &adminpb.ListAggregateTypesRequest{})
	p.Kinds = []option{{Text: v.Texts.T("kind-any")}}
	for _, k := range kinds.GetAggregateTypes() {
		p.Kinds = append(p.Kinds, option{Value: k.GetType(), Text: v.Texts.Or("kind-"+k.GetType(), k.GetType()), Chosen: k.GetType() == p.Given["kind"]})
	}
	return err
}
