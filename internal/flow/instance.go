package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/job"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// jobPurge is the job that deletes the rows of an instance that was removed.
const jobPurge = "instance.purge"

type purge struct {
	InstanceID string    `json:"instanceId"`
	Removed    time.Time `json:"removed"`
}

// lastCall is how long after a removal there may be writes for what is gone: by
// calls that were let in before.
const lastCall = time.Minute

// RemoveInstance ends an instance at once and leaves its rows to a job.
func RemoveInstance(tx *eventstore.Tx, id string) (eventstore.Details, error) {
	d, err := instance.Remove(tx, id)
	if err != nil {
		return d, err
	}
	// The job is the installation's: the instance's own go with it.
	return d, tx.Job("", jobPurge, purge{InstanceID: id, Removed: tx.Now()}, tx.Now())
}

// Work is the work for each kind of job that the verbs of this package record.
// The vault seals what people are told.
func Work(store *eventstore.Store, v *crypto.Vault) map[string]job.Work {
	return map[string]job.Work{
		jobPurge: purgeInstance(store), jobUsers: endUsers(store), jobRotate: rotateKeys(store, v), jobFollow: followGrants(store),
		jobClaim: claimRest(store, v), jobNames: settleNames(store),
		jobSessions: endMoreSessions(store), jobLifetime: endByLifetime(store), jobErase: erase(store), jobForgotten: sendForgotten(store, v), jobRegister: register(store, v),
	}
}

// purgeInstance is the work of jobPurge.
func purgeInstance(store *eventstore.Store) job.Work {
	return func(ctx context.Context, j job.Job) (time.Time, error) {
		var p purge
		if err := j.Into(&p); err != nil {
			return time.Time{}, err
		}
		done, err := store.Purge(ctx, p.InstanceID)
		last := p.Removed.Add(lastCall)
		switch {
		case err != nil:
			return time.Time{}, err
		case !done:
			return store.Now(), nil
		case store.Now().Before(last): // What is written until then goes in one more run.
			return last, nil
		}
		return time.Time{}, nil
	}
}

// maxBulk is the most instances whose limits one call can set.
const maxBulk = 1000

// InstanceLimits are limits to set for an instance.
type InstanceLimits struct {
	InstanceID string
	policy.LimitsDoc
}

// SetLimits sets limits of instances, in the order of the list.
func SetLimits(tx *eventstore.Tx, list ...InstanceLimits) ([]eventstore.Details, error) {
	if len(list) == 0 || len(list) > maxBulk {
		return nil, fault.Invalid("LIMITS-bulk", "Set the limits of 1 to %d instances at a time.", maxBulk)
	}
	var out []eventstore.Details
	for _, l := range list {
		if err := authz.RequireAt(tx.Context(), l.InstanceID, "system.limits.write", "system.limits.write"); err != nil {
			return nil, err
		}
		if err := instance.Hold(tx, l.InstanceID); err != nil {
			return nil, err
		}
		d, err := policy.SetLimits(tx, l.InstanceID, l.LimitsDoc)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

// ResetLimits takes back the limits of an instance.
func ResetLimits(tx *eventstore.Tx, id string) (eventstore.Details, error) {
	if err := authz.RequireAt(tx.Context(), id, "system.limits.delete", "system.limits.delete"); err != nil {
		return eventstore.Details{}, err
	}
	if err := instance.Hold(tx, id); err != nil {
		return eventstore.Details{}, err
	}
	return policy.ResetLimits(tx, id)
}

// SetFeatures sets features of any instance.
func SetFeatures(tx *eventstore.Tx, id string, list ...policy.FeatureChange) (eventstore.Details, error) {
	if err := authz.RequireAt(tx.Context(), id, "iam.feature.write", "system.feature.write"); err != nil {
		return eventstore.Details{}, err
	}
	if err := instance.Hold(tx, id); err != nil {
		return eventstore.Details{}, err
	}
	return policy.SetInstanceFeatures(tx, id, list...)
}
