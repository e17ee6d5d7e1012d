package console

import (
	"encoding/base64"
	"net/url"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	mgmtpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	metadatav1 "github.com/gatehouse/gatehouse/gen/zitadel/metadata/v1"
	metadatapb "github.com/gatehouse/gatehouse/gen/zitadel/metadata/v2"
	orgpb "github.com/gatehouse/gatehouse/gen/zitadel/org/v2"
	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
)

// keeper is something that applications keep values with: a user or an organization. All
// of them have the same pages.
type keeper struct {
	path, read, write string // permissions
	name              string // begins the keys of the texts that differ
	of                func(v *visit) (viewed, error)
	crumbs            func(v *visit) []crumb
	list              func(v *visit, p *filterpb.PaginationRequest) proto.Message
	get               func(v *visit, key string) proto.Message
	set               func(v *visit, key string) proto.Message
	remove            func(v *visit, keys []string) proto.Message
}

var keepers = []keeper{
	{
		path: atUser + "/metadata", read: userRead, write: userWrite, name: "user", of: atHand, crumbs: inUser,
		list: func(v *visit, p *filterpb.PaginationRequest) proto.Message {
			return &userv2.ListUserMetadataRequest{UserId: v.userID(), Pagination: p}
		},
		get: func(v *visit, key string) proto.Message {
			return &mgmtpb.GetUserMetadataRequest{Id: v.userID(), Key: key}
		},
		set: func(v *visit, key string) proto.Message {
			return &mgmtpb.SetUserMetadataRequest{Id: v.userID(), Key: key}
		},
		remove: func(v *visit, keys []string) proto.Message {
			return &userv2.DeleteUserMetadataRequest{UserId: v.userID(), Keys: keys}
		},
	},
	{
		path: atOrg + "/metadata", read: orgRead, write: orgWrite, name: "org", of: orgAtHand, crumbs: inOrg,
		list: func(v *visit, p *filterpb.PaginationRequest) proto.Message {
			return &orgpb.ListOrganizationMetadataRequest{OrganizationId: v.org, Pagination: p}
		},
		get: func(_ *visit, key string) proto.Message { return &mgmtpb.GetOrgMetadataRequest{Key: key} },
		set: func(_ *visit, key string) proto.Message { return &mgmtpb.SetOrgMetadataRequest{Key: key} },
		remove: func(v *visit, keys []string) proto.Message {
			return &orgpb.DeleteOrganizationMetadataRequest{OrganizationId: v.org, Keys: keys}
		},
	},
}

// entriesOf is an answer that lists metadata.
type entriesOf interface {
	proto.Message
	GetMetadata() []*metadatapb.Metadata
	GetPagination() *filterpb.PaginationResponse
}

// metadataPages are what applications keep with users and organizations.
func metadataPages() (out []page) {
	for _, k := range keepers {
		out = append(out, k.pages()...)
	}
	return out
}

func (k keeper) pages() []page {
	out := list[entriesOf]{
		path: k.path, permission: k.read, title: "metadata", help: k.name + "-metadata-help", empty: k.name + "-metadata-empty", columns: []string{"key", "value", "changed"},
		ask: func(v *visit, _ string) proto.Message {
			return k.list(v, &filterpb.PaginationRequest{Limit: pageSize, Asc: true})
		},
		rows: k.rows, of: k.of,
		add: []entry{{k.path + "/set", "metadata-set", k.write}},
		bulk: []bulk{{name: "remove", permission: k.write, help: "metadata-remove-help", danger: true, request: func(v *visit, key string) proto.Message {
			return k.remove(v, []string{key})
		}}},
	}.pages()
	return append(out, form{
		path: k.path + "/set", permission: k.write, title: "metadata-set", help: "metadata-set-help", load: k.load,
		fields: []field{{path: "key", text: "key", required: true}, {path: "value", text: "value", kind: "area", required: true}},
		then:   backTo(k.path, "saved"), crumbs: k.crumbs,
	}.pages()...)
}

// maxShown is how many characters of a value a list shows.
const maxShown = 200

func (k keeper) rows(v *visit, res entriesOf) (out []row, total uint64) {
	for _, m := range res.GetMetadata() {
		r := row{ID: m.GetKey(), Cells: []cell{{Text: m.GetKey()}, {Text: short(string(m.GetValue()))}, {Text: when(m.GetChangeDate())}}}
		switch {
		case !utf8.Valid(m.GetValue()): // What is no text can be seen here, and set by programs.
			r.Cells[1] = cell{Text: short(base64.StdEncoding.EncodeToString(m.GetValue())), Quiet: v.Texts.T("base64")}
		case v.can[k.write]:
			r.Link = v.at(k.path) + "/set?" + url.Values{"key": {m.GetKey()}}.Encode()
		}
		out = append(out, r)
	}
	return out, res.GetPagination().GetTotalResult()
}

// short is the beginning of a text that may be long.
func short(s string) string {
	runes := []rune(s)
	if len(runes) <= maxShown {
		return s
	}
	return string(runes[:maxShown]) + "…"
}

// load gives the value that the key of the address has.
func (k keeper) load(v *visit) (proto.Message, error) {
	key := v.R.URL.Query().Get("key")
	req := k.set(v, key)
	if key == "" {
		return req, nil
	}
	res, err := call[interface {
		proto.Message
		GetMetadata() *metadatav1.Metadata
	}](v, k.get(v, key))
	if err != nil {
		return nil, err
	}
	return carry(res.GetMetadata(), req), nil
}
