package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

// NewInstance is what a new instance starts with: a first organization and in it
// a machine user who owns the instance.
type NewInstance struct {
	Name, Domain, OrgName, OwnerName string
	// Keep, where it is not nil, puts the owner's token where it is safe, before
	// anything is made: a token that cannot be kept must not be.
	Keep func(token string) error
}

// Created is a new instance and the token of its owner, which is shown once.
type Created struct {
	InstanceID, OrgID, OwnerID, Token string
}

// Setup makes an instance with all that it needs to be administered.
func Setup(ctx context.Context, store *eventstore.Store, n NewInstance) (Created, error) {
	var out Created
	token, hash := user.NewToken()
	if n.Keep != nil {
		if err := n.Keep(token); err != nil {
			return out, err
		}
	}
	err := store.Write(authz.AsSystem(ctx, ""), func(tx *eventstore.Tx) error {
		out = Created{InstanceID: tx.NewID(), OrgID: tx.NewID(), OwnerID: tx.NewID(), Token: token}
		scope := eventstore.Scope{Instance: out.InstanceID}
		if _, err := instance.Add(tx, out.InstanceID, n.Name, n.Domain); err != nil {
			return err
		}
		if err := policy.SetDefaults(tx, out.InstanceID); err != nil {
			return err
		}
		if _, err := addOrg(tx, out.InstanceID, out.OrgID, n.OrgName); err != nil {
			return err
		}
		if _, err := instance.SetDefaultOrg(tx, out.InstanceID, out.OrgID); err != nil {
			return err
		}
		owner := user.Machine{UserName: n.OwnerName, Name: n.OwnerName, Description: "The first administrator."}
		if _, err := user.AddMachine(tx, out.InstanceID, out.OrgID, out.OwnerID, owner); err != nil {
			return err
		}
		if _, _, err := user.AddPAT(tx, out.InstanceID, out.OrgID, out.OwnerID, hash, time.Time{}); err != nil {
			return err
		}
		_, err := member.Add(tx, scope, out.OwnerID, []string{authz.InstanceOwner})
		return err
	})
	return out, err
}
