package api

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	objectv2 "github.com/gatehouse/gatehouse/gen/zitadel/object/v2"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// How many rows a list returns where the caller does not say, and at most.
const (
	defaultLimit = 100
	maxLimit     = 1000
)

// maxPageToken bounds a page token, in bytes: two texts of 200 characters fit.
const maxPageToken = 4 << 10

// PageOf is the page that a list request asks for, in any version of the
// contract. Beside the contract's offset, which a database has to count up to,
// a client can page by key: a full page comes with a token in the header
// X-Gatehouse-Next-Page, which the same request with it in X-Gatehouse-Page
// goes on from.
func PageOf(ctx context.Context, q interface {
	GetOffset() uint64
	GetLimit() uint32
	GetAsc() bool
},
) (database.Page, error) {
	p := database.Page{Offset: q.GetOffset(), Limit: uint64(q.GetLimit()), Asc: q.GetAsc(), Cursor: &callOf(ctx).cursor}
	p.Cursor.After = callOf(ctx).Header.Get(headerPage)
	if p.Limit == 0 {
		p.Limit = defaultLimit
	}
	switch {
	case p.Limit > maxLimit:
		return p, fault.Invalid("LIST-limit", "Ask for %d results at most.", maxLimit)
	case len(p.Cursor.After) > maxPageToken:
		return p, fault.Invalid("LIST-page", "The page token has more than %d bytes.", maxPageToken)
	case p.Offset >= 1<<62:
		return p, fault.Invalid("LIST-offset", "The offset is too large.")
	}
	return p, nil
}

// Each makes messages of rows.
func Each[T any, M any](rows []T, message func(T) M) []M {
	out := make([]M, len(rows))
	for i, r := range rows {
		out[i] = message(r)
	}
	return out
}

// Filters makes filters, in whatever form the list takes them, of the queries of a
// list request.
func Filters[Q, F any](queries []Q, filter func(Q) (F, error)) ([]F, error) {
	if len(queries) > maxFilters {
		return nil, errFilters
	}
	out := make([]F, len(queries))
	for i, q := range queries {
		var err error
		if out[i], err = filter(q); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// maxFilters is the most filters that a list request can have.
const maxFilters = 50

var errFilters = fault.Invalid("LIST-filters", "A list can have %d filters at most.", maxFilters)

// ErrFilter answers a filter that a newer contract may know.
var ErrFilter = fault.Invalid("LIST-filter", "This filter is not known here.")

// ListedV2 is the details of a list in v2's older form.
func ListedV2(total uint64, at time.Time) *objectv2.ListDetails {
	return &objectv2.ListDetails{TotalResult: total, Timestamp: timestamppb.New(at)}
}

// Paginated is the details of a list in v2.
func Paginated(total uint64, p database.Page) *filterpb.PaginationResponse {
	return &filterpb.PaginationResponse{TotalResult: total, AppliedLimit: p.Limit}
}

// ColumnOf gives what a list is sorted by. The contract's enums are open: a number
// that columns does not have is refused.
func ColumnOf[E comparable, C any](columns map[E]C, wanted E) (C, error) {
	c, ok := columns[wanted]
	if !ok {
		return c, fault.Invalid("LIST-column", "The list cannot be sorted by this column.")
	}
	return c, nil
}

// ListOf is what the requests of lists share: the page, the column to sort by and
// the filters, in the terms of the rooms below.
func ListOf[P interface {
	GetOffset() uint64
	GetLimit() uint32
	GetAsc() bool
}, E comparable, C, Q any](ctx context.Context, page P, columns map[E]C, by E, queries []Q, filter func(Q) (database.Filter, error)) (p database.Page, c C, filters []database.Filter, err error) {
	if p, err = PageOf(ctx, page); err != nil {
		return p, c, nil, err
	}
	if c, err = ColumnOf(columns, by); err != nil {
		return p, c, nil, err
	}
	filters, err = Filters(queries, filter)
	return p, c, filters, err
}
