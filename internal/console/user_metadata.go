package console

import (
	"encoding/base64"
	"net/url"
	"strconv"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	changepb "github.com/gatehouse/gatehouse/gen/zitadel/change/v1"
	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	mgmtpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
)

const atMetadata = atUser + "/metadata"

// userMetadataPages are what applications keep with a user, and what happened to them.
func userMetadataPages() (out []page) {
	out = append(out, list[*userv2.ListUserMetadataResponse]{
		path: atMetadata, permission: userRead, title: "metadata", help: "user-metadata-help", empty: "user-metadata-empty", columns: []string{"key", "value", "changed"},
		ask: func(v *visit, _ string) proto.Message {
			return &userv2.ListUserMetadataRequest{UserId: v.userID(), Pagination: &filterpb.PaginationRequest{Limit: pageSize, Asc: true}}
		},
		rows: metadataRows, of: atHand,
		add: []entry{{atMetadata + "/set", "metadata-set", userWrite}},
		bulk: []bulk{{name: "remove", permission: userWrite, help: "metadata-remove-help", danger: true, request: func(v *visit, key string) proto.Message {
			return &userv2.DeleteUserMetadataRequest{UserId: v.userID(), Keys: []string{key}}
		}}},
	}.pages()...)
	out = append(out, form{
		path: atMetadata + "/set", permission: userWrite, title: "metadata-set", help: "metadata-set-help", load: loadMetadata,
		fields: []field{{path: "key", text: "key", required: true}, {path: "value", text: "value", kind: "area", required: true}},
		then:   backTo(atMetadata, "saved"), crumbs: inUser,
	}.pages()...)
	return append(out, view{path: atUser + "/history", permission: userRead, read: readHistory}.pages()...)
}

func metadataRows(v *visit, res *userv2.ListUserMetadataResponse) (out []row, total uint64) {
	for _, m := range res.GetMetadata() {
		r := row{ID: m.GetKey(), Cells: []cell{{Text: m.GetKey()}, {Text: string(m.GetValue())}, {Text: when(m.GetChangeDate())}}}
		switch {
		case !utf8.Valid(m.GetValue()): // What is no text can be seen here, and set by programs.
			r.Cells[1] = cell{Text: base64.StdEncoding.EncodeToString(m.GetValue()), Quiet: v.Texts.T("base64")}
		case v.can[userWrite]:
			r.Link = v.at(atMetadata) + "/set?" + url.Values{"key": {m.GetKey()}}.Encode()
		}
		out = append(out, r)
	}
	return out, res.GetPagination().GetTotalResult()
}

// loadMetadata gives the value that the key of the address has.
func loadMetadata(v *visit) (proto.Message, error) {
	req := &mgmtpb.SetUserMetadataRequest{Id: v.userID(), Key: v.R.URL.Query().Get("key")}
	if req.GetKey() == "" {
		return req, nil
	}
	res, err := call[*mgmtpb.GetUserMetadataResponse](v, &mgmtpb.GetUserMetadataRequest{Id: v.userID(), Key: req.GetKey()})
	req.Value = res.GetMetadata().GetValue()
	return req, err
}

// readHistory is what happened to a user, the newest first.
func readHistory(v *visit) (viewed, error) {
	out, err := atHand(v)
	if err != nil {
		return viewed{}, err
	}
	after, _ := strconv.ParseUint(v.R.URL.Query().Get("before"), 10, 63) // What is no number begins at the newest.
	const most = 50
	res, err := call[*mgmtpb.ListUserChangesResponse](v, &mgmtpb.ListUserChangesRequest{UserId: v.userID(), Query: &changepb.ChangeQuery{Limit: most, Sequence: after}})
	if err != nil {
		return viewed{}, err
	}
	p := part{Help: v.Texts.T("user-history-help"), Empty: v.Texts.T("nothing-found"), Timeline: true}
	for _, c := range res.GetResult() {
		p.Rows = append(p.Rows, viewRow{row: row{Cells: []cell{changeCell(v, c)}}})
	}
	if n := len(res.GetResult()); n == most {
		p.Older = "?" + url.Values{"before": {strconv.FormatUint(res.GetResult()[n-1].GetSequence(), 10)}}.Encode()
	}
	out.Parts = []part{p}
	return out, nil
}

// changeCell is an event in words: what happened, and beneath it when and who did it.
func changeCell(v *visit, c *changepb.Change) cell {
	who := c.GetEditorDisplayName()
	if who == "" {
		who = v.Texts.Or("editor-"+c.GetEditorId(), c.GetEditorId())
	}
	return cell{Text: v.Texts.Or("event-"+c.GetEventType().GetKey(), c.GetEventType().GetKey()), Quiet: when(c.GetChangeDate()) + " · " + who}
}
