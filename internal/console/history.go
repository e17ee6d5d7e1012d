package console

import (
	"net/url"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	changepb "github.com/gatehouse/gatehouse/gen/zitadel/change/v1"
	mgmtpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	"github.com/gatehouse/gatehouse/internal/web"
)

// timeline is what happened, the newest first: all that is in the log, or what happened to
// one thing.
type timeline struct {
	web.Texts
	Events []happened
	Older  string // the address of the next page; empty: this is all
}

// happened is an event as a timeline shows it.
type happened struct {
	When, Text, Type string
	Who, What        crumb  // who did it, and to what; without a text: the page says it
	Details          []fact // their Text is in words already
	Payload          string // JSON
}

// history is the page of what happened to one thing, for whoever may see the thing.
type history struct {
	path, permission string
	name             string // begins the key of the help
	of               func(v *visit) (viewed, error)
	ask              func(v *visit, q *changepb.ChangeQuery) proto.Message
	// kind and id are the thing in the log, where those who may read all of it see more.
	kind string
	id   func(v *visit) string
}

// historyPages are what happened to organizations, projects, applications and users.
func historyPages() (out []page) {
	for _, h := range []history{
		{
			path: atOrg + "/history", permission: orgRead, name: "org", of: orgAtHand, kind: "org", id: func(v *visit) string { return v.org },
			ask: func(_ *visit, q *changepb.ChangeQuery) proto.Message { return &mgmtpb.ListOrgChangesRequest{Query: q} },
		},
		{
			path: atProject + "/history", permission: projectRead, name: "project", of: projectAtHand, kind: "project", id: (*visit).projectID,
			ask: func(v *visit, q *changepb.ChangeQuery) proto.Message {
				return &mgmtpb.ListProjectChangesRequest{ProjectId: v.projectID(), Query: q}
			},
		},
		{
			path: atApp + "/history", permission: appRead, name: "app", of: appAtHand, kind: "project", id: (*visit).projectID,
			ask: func(v *visit, q *changepb.ChangeQuery) proto.Message {
				return &mgmtpb.ListAppChangesRequest{ProjectId: v.projectID(), AppId: v.R.PathValue("app"), Query: q}
			},
		},
		{
			path: atUser + "/history", permission: userRead, name: "user", of: atHand, kind: "user", id: (*visit).userID,
			ask: func(v *visit, q *changepb.ChangeQuery) proto.Message {
				return &mgmtpb.ListUserChangesRequest{UserId: v.userID(), Query: q}
			},
		},
	} {
		out = append(out, view{path: h.path, permission: h.permission, read: h.read}.pages()...)
	}
	return out
}

func (h history) read(v *visit) (viewed, error) {
	out, err := h.of(v)
	if err != nil {
		return viewed{}, err
	}
	before, _ := strconv.ParseUint(v.R.URL.Query().Get("before"), 10, 63) // What is no number begins at the newest.
	res, err := call[interface {
		proto.Message
		GetResult() []*changepb.Change
	}](v, h.ask(v, &changepb.ChangeQuery{Limit: eventsAtOnce, Sequence: before}))
	if err != nil {
		return viewed{}, err
	}
	line := &timeline{Texts: v.Texts}
	for _, c := range res.GetResult() {
		line.Events = append(line.Events, v.change(c))
	}
	if n := len(res.GetResult()); n == eventsAtOnce {
		line.Older = "?" + url.Values{"before": {strconv.FormatUint(res.GetResult()[n-1].GetSequence(), 10)}}.Encode()
	}
	out.Facts, out.Parts, out.Line, out.Help = nil, nil, line, v.Texts.T(h.name+"-history-help")
	out.Actions = []entry{{atEvents + "?" + url.Values{"kind": {h.kind}, "object": {h.id(v)}}.Encode(), "history-log", eventsRead}}
	return out, nil
}

// change is an entry of a change history in words.
func (v *visit) change(c *changepb.Change) happened {
	return happened{
		When: c.GetChangeDate().AsTime().UTC().Format(eventTime), Text: v.event(c.GetEventType().GetKey()),
		Who: crumb{Text: v.editor(c.GetEditorId(), c.GetEditorDisplayName())},
	}
}

// eventTime is how a timeline writes a time: to the second, in UTC.
const eventTime = time.DateOnly + " 15:04:05"

// event is a type of events in words.
func (v *visit) event(name string) string { return v.Texts.Or("event-"+name, name) }

// editor is who did something: by name, where that is a user who still exists.
func (v *visit) editor(id, name string) string {
	if name != "" {
		return name
	}
	return v.Texts.Or("editor-"+id, id)
}
