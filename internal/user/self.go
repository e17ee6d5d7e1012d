package user

import (
	"context"
	"strings"

	"github.com/gatehouse/gatehouse/internal/authz"
)

// writeOrSelf is the permission user.write, for what users may do to themselves without it.
const writeOrSelf = "self or user.write"

// IsSelf reports whether the caller is the user. Nobody is a user by their id who
// comes from the configuration.
func IsSelf(ctx context.Context, id string) bool {
	c := authz.From(ctx)
	return c != nil && !c.System && !c.SystemUser && c.UserID == id
}

// allow refuses unless the caller has the permission in the user's organization,
// or needs none. Without a permission, the proof that comes along decides.
func allow(ctx context.Context, permission, org, id string) error {
	needed, free := strings.CutPrefix(permission, "self or ")
	if permission == "" || free && IsSelf(ctx, id) {
		return nil
	}
	return authz.Require(ctx, needed, org)
}

// MayEdit refuses who may change nothing of the user.
func MayEdit(ctx context.Context, org, id string) error {
	return allow(ctx, writeOrSelf, org, id)
}

// sure refuses users who change how they prove themselves, or where they are reached,
// and have not just proved who they are. What others do to them is not held against
// it.
func sure(ctx context.Context, id string) error {
	if !IsSelf(ctx, id) {
		return nil
	}
	return authz.RequireSure(ctx)
}
