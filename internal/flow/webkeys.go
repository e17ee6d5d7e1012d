package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/job"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

// jobRotate is the job that lets the web keys of an instance take turns. It goes on
// for as long as the setting is the one that began it.
const jobRotate = "web_key.rotate"

type rotate struct {
	Setting uint64 `json:"setting"` // the sequence of the event that set it
}

// SetKeyRotation says whether the web keys of the caller's instance take turns by
// themselves, and how.
func SetKeyRotation(tx *eventstore.Tx, instance string, s policy.KeyRotationSetting) (eventstore.Details, error) {
	d, err := policy.KeyRotation.Set(tx, instance, func(now *policy.KeyRotationSetting) { *now = s })
	if err == nil && s.Enabled && d.Changed.Equal(tx.Now()) {
		err = tx.Job(instance, jobRotate, rotate{Setting: d.Sequence}, tx.Now())
	}
	return d, err
}

// rotateKeys is the work of jobRotate. One node does it at a time, since a job is one
// node's.
func rotateKeys(store *eventstore.Store, v *crypto.Vault) job.Work {
	return func(ctx context.Context, j job.Job) (again time.Time, err error) {
		var p rotate
		if err := j.Into(&p); err != nil {
			return again, err
		}
		ctx = authz.AsSystem(ctx, j.Instance)
		r, on, err := rotation(ctx, store, j.Instance, p.Setting)
		if err != nil || !on {
			return again, err
		}
		keys, err := webkey.List(ctx, store, j.Instance)
		if err != nil {
			return again, err
		}
		if !keys.Signing() {
			return store.Now(), webkey.Ensure(ctx, store, v, j.Instance)
		}
		var spare *webkey.Pair
		if c := r.Plan(keys, store.Now()).Spare; c != nil {
			made, err := webkey.Make(ctx, *c)
			if err != nil {
				return again, err
			}
			spare = &made
		}
		err = store.Write(ctx, func(tx *eventstore.Tx) error {
			again, err = webkey.Rotate(tx, v, j.Instance, r, spare)
			return err
		})
		return again, err
	}
}

// rotation gives the rotation of an instance, and whether it is on and still the one
// that the event of the sequence set. What a key signed is valid for as long as the
// OIDC settings say, so it is published for as long at least.
func rotation(ctx context.Context, store *eventstore.Store, instance string, setting uint64) (r webkey.Rotation, on bool, err error) {
	s, err := policy.KeyRotation.Resolve(ctx, store, instance)
	if err != nil || !s.Doc.Enabled || s.Details.Sequence != setting {
		return r, false, err
	}
	settings, err := policy.OIDC.Resolve(ctx, store, eventstore.Scope{Instance: instance})
	lifetimes := settings.Doc.Lifetimes()
	return webkey.Rotation{
		Every: s.Doc.Interval,
		Keep:  max(s.Doc.Retention, lifetimes.AccessTokenLifetime, lifetimes.IDTokenLifetime),
	}, true, err
}
