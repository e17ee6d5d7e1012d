package account

import (
	"strconv"
	"strings"

	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	changepb "github.com/gatehouse/gatehouse/gen/zitadel/change/v1"
)

func historyPages() []page { return []page{{path: "history", get: showHistory}} }

// historyPage is what the page shows: what happened, the newest first.
type historyPage struct {
	Days []day
	Next uint64 // the number from which the next page goes on; 0: there is none
}

type day struct {
	Date   string
	Events []happened
}

// happened is something that was done to the account.
type happened struct {
	Time, Text, Code string
	By               string // who did it, where it was not the visitor
	Bad              bool   // it failed
}

// perPage is how many events a page shows.
const perPage = 50

// showHistory shows what happened to the account.
func showHistory(v *visit) error {
	from, _ := strconv.ParseUint(v.R.URL.Query().Get("from"), 10, 64) // What is no number begins at the newest.
	res, err := call[*authpb.ListMyUserChangesResponse](v, &authpb.ListMyUserChangesRequest{Query: &changepb.ChangeQuery{Sequence: from, Limit: perPage}})
	if err != nil {
		return err
	}
	var p historyPage
	for _, c := range res.GetResult() {
		date, clock, _ := strings.Cut(when(c.GetChangeDate()), " ")
		if len(p.Days) == 0 || p.Days[len(p.Days)-1].Date != date {
			p.Days = append(p.Days, day{Date: date})
		}
		last := &p.Days[len(p.Days)-1]
		last.Events = append(last.Events, v.happened(c, clock))
	}
	if n := len(res.GetResult()); n == perPage {
		p.Next = res.GetResult()[n-1].GetSequence()
	}
	return v.show("history", v.Texts.T("nav-history"), p)
}

// happened says an event in words, as far as there are any for it.
func (v *visit) happened(c *changepb.Change, clock string) happened {
	code := c.GetEventType().GetKey()
	out := happened{Time: clock, Code: code, Text: v.Texts.T("event-other"), Bad: strings.HasSuffix(code, ".failed")}
	if key := "event-" + code; v.Texts.Has(key) {
		out.Text, out.Code = v.Texts.T(key), ""
	}
	if c.GetEditorId() != v.me.GetId() {
		out.By = c.GetEditorDisplayName()
	}
	return out
}
