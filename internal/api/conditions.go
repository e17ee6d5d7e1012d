package api

import (
	"time"

	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/user"
)

// The limits of conditions that hold others.
const (
	maxNesting = 10  // levels, the outermost included
	maxIDs     = 500 // in one condition
)

// Group is a condition that holds others, of which all, some or none are to be
// met. The zero value is a condition that holds none.
type Group[Q any] struct {
	join func(...database.Filter) database.Filter
	of   []Q
}

// Every is met where all of the conditions are.
func Every[Q any](of []Q) Group[Q] { return Group[Q]{join: database.AllOf, of: of} }

// Some is met where one of the conditions is.
func Some[Q any](of []Q) Group[Q] { return Group[Q]{join: database.AnyOf, of: of} }

// None is met where the condition is not.
func None[Q any](of Q) Group[Q] {
	return Group[Q]{join: func(f ...database.Filter) database.Filter { return database.Not(f[0]) }, of: []Q{of}}
}

// NestedFilters makes filters of the conditions of a list request, which may hold
// others: 50 altogether, in 10 levels at most.
func NestedFilters[Q any](of []Q, group func(Q) Group[Q], filter func(Q) (database.Filter, error)) ([]database.Filter, error) {
	left := maxFilters
	var level func(of []Q, levels int) ([]database.Filter, error)
	level = func(of []Q, levels int) ([]database.Filter, error) {
		switch left -= len(of); {
		case left < 0:
			return nil, errFilters
		case levels == 0:
			return nil, errNesting
		}
		return Filters(of, func(q Q) (database.Filter, error) {
			g := group(q)
			if g.join == nil {
				return filter(q)
			}
			parts, err := level(g.of, levels-1)
			if err != nil {
				return nil, err
			}
			return g.join(parts...), nil
		})
	}
	return level(of, maxNesting)
}

var errNesting = fault.Invalid("LIST-nesting", "Filters can be nested %d levels deep at most.", maxNesting)

// TimeFilter is a condition on a time. Ends that never come are after every time.
func TimeFilter(of func(database.TimeMethod, time.Time) database.Filter, f *filterpb.TimestampFilter) (database.Filter, error) {
	if f.GetTimestamp() == nil || f.GetTimestamp().CheckValid() != nil {
		return nil, fault.Invalid("LIST-time", "A filter on a time needs a timestamp.")
	}
	return of(database.TimeMethod(f.GetMethod()), f.GetTimestamp().AsTime()), nil
}

// InIDs is a condition that an id is one of several.
func InIDs(filter func(...string) database.Filter, ids []string) (database.Filter, error) {
	if len(ids) > maxIDs {
		return nil, fault.Invalid("LIST-ids", "A filter can name %d ids at most.", maxIDs)
	}
	return filter(ids...), nil
}

// UserKind is the kind of users of a type, in any version of the contract.
func UserKind[T ~int32](t T) string {
	return map[T]string{1: user.KindHuman, 2: user.KindMachine}[t]
}
