package policy

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// FeatureSource says on which level a feature's value was set.
type FeatureSource int32

// The sources, numbered as on the wire.
const (
	FeatureBuiltIn      FeatureSource = 0
	FeatureFromSystem   FeatureSource = 2
	FeatureFromInstance FeatureSource = 3
)

// Feature is a switch with a value of type T. An instance's value stands before
// the system's, and the system's before the built-in one.
type Feature[T any] struct {
	name             string
	builtin          T
	check            func(T) error
	instance, system *eventstore.Kind[featureValue[T]]
}

// FeatureChange is a value for one feature. Feature.To makes it; nil changes nothing.
type FeatureChange func(tx *eventstore.Tx, s Scope, now featureValues) (Details, error)

// Features are the values that are set for an instance and for the system.
type Features struct {
	instance, system featureValues
	own              bool // what is not set has no value
	// Details are those of the level that was read.
	Details Details
}

type featureValue[T any] struct {
	Value T `json:"Value"`
}

// featureValues is the document: what is set on one level, by the feature's name.
type featureValues map[string]json.RawMessage

// features is the row of a level. The system's has no instance.
var features = &Kind[featureValues]{
	name: "feature", title: fault.Say("set of features"), elsewhere: "system.feature.",
	access: func(s Scope, verb string) (permission, org string) {
		if s.Instance == "" {
			return "system.feature." + verb, ""
		}
		return "iam.feature." + verb, ""
	},
	stream: func(s Scope) eventstore.Aggregate {
		id := s.Instance
		if id == "" {
			id = "SYSTEM"
		}
		return eventstore.Aggregate{Instance: s.Instance, Type: "feature", ID: id, Owner: id}
	},
}

// instanceFeature declares a feature that instances alone can set. check, if not
// nil, says what is wrong with a value.
func instanceFeature[T any](name string, builtin T, check func(T) error) *Feature[T] {
	f := &Feature[T]{name: name, builtin: builtin, check: check}
	f.instance = eventstore.Declare("feature.instance."+name+".set", f.fold)
	return f
}

// feature declares a feature that the system can set too.
func feature[T any](name string, builtin T, check func(T) error) *Feature[T] {
	f := instanceFeature(name, builtin, check)
	f.system = eventstore.Declare("feature.system."+name+".set", f.fold)
	return f
}

var (
	instanceFeaturesReset = eventstore.Declare("feature.instance.reset", foldFeaturesReset)
	systemFeaturesReset   = eventstore.Declare("feature.system.reset", foldFeaturesReset)
)

func (f *Feature[T]) fold(e *eventstore.Fold, v featureValue[T]) error {
	raw, err := json.Marshal(v.Value)
	if err != nil {
		return err
	}
	return features.upsert(e, func(doc *featureValues) error {
		if *doc == nil {
			*doc = featureValues{}
		}
		(*doc)[f.name] = raw
		return nil
	})
}

// foldFeaturesReset keeps the empty row, which tells when the reset was.
func foldFeaturesReset(e *eventstore.Fold, _ eventstore.None) error {
	return features.alter(e, func(doc *featureValues) error {
		*doc = featureValues{}
		return nil
	})
}

// To is the change that gives the feature a value; nil leaves it as it is.
func (f *Feature[T]) To(value *T) FeatureChange {
	if value == nil {
		return nil
	}
	return func(tx *eventstore.Tx, s Scope, now featureValues) (Details, error) {
		event := f.instance
		if s.Instance == "" {
			event = f.system
		}
		if event == nil {
			return Details{}, fault.Invalid("FEATURE-level", "The feature %s can be set for an instance only.", f.name)
		}
		if f.check != nil {
			if err := f.check(*value); err != nil {
				return Details{}, err
			}
		}
		raw, err := json.Marshal(*value)
		if err != nil || bytes.Equal(raw, now[f.name]) {
			return Details{}, err
		}
		return event.Emit(tx, features.aggregate(s), featureValue[T]{*value})
	}
}

// In gives the feature's value among fs, and where it comes from. ok is false
// where it has none, which happens only among an instance's own.
func (f *Feature[T]) In(fs Features) (value T, source FeatureSource, ok bool) {
	if raw, ok := fs.instance[f.name]; ok && json.Unmarshal(raw, &value) == nil {
		return value, FeatureFromInstance, true
	}
	if raw, ok := fs.system[f.name]; ok && json.Unmarshal(raw, &value) == nil {
		return value, FeatureFromSystem, true
	}
	return f.builtin, FeatureBuiltIn, !fs.own
}

// Own leaves out what the instance inherits.
func (fs Features) Own() Features {
	return Features{instance: fs.instance, own: true, Details: fs.Details}
}

// RetiredFeature is the change that a value for a feature makes which is always
// on by now: none, but a request that names only such features is a valid one.
func RetiredFeature[T any](value *T) FeatureChange {
	if value == nil {
		return nil
	}
	return func(*eventstore.Tx, Scope, featureValues) (Details, error) { return Details{}, nil }
}

// SetInstanceFeatures changes features of an instance. At least one must be
// given; those that have their value already are fine.
func SetInstanceFeatures(tx *eventstore.Tx, instance string, list ...FeatureChange) (Details, error) {
	return setFeatures(tx, Scope{Instance: instance}, list)
}

// SetSystemFeatures is SetInstanceFeatures for what instances inherit.
func SetSystemFeatures(tx *eventstore.Tx, list ...FeatureChange) (Details, error) {
	return setFeatures(tx, Scope{}, list)
}

func setFeatures(tx *eventstore.Tx, s Scope, list []FeatureChange) (Details, error) {
	r, err := features.lock(tx, s, "write")
	if err != nil {
		return Details{}, err
	}
	out, given := features.details(r, s), false
	for _, change := range list {
		if change == nil {
			continue
		}
		given = true
		d, err := change(tx, s, r.doc)
		if err != nil {
			return Details{}, err
		}
		if d.Sequence > 0 {
			out = d
		}
	}
	if !given {
		return Details{}, fault.Invalid("FEATURE-none", "Name at least one feature.")
	}
	return out, nil
}

// ResetInstanceFeatures takes back what the instance set, so that it inherits
// every feature.
func ResetInstanceFeatures(tx *eventstore.Tx, instance string) (Details, error) {
	return resetFeatures(tx, Scope{Instance: instance}, instanceFeaturesReset)
}

// ResetSystemFeatures takes back what was set for the system.
func ResetSystemFeatures(tx *eventstore.Tx) (Details, error) {
	return resetFeatures(tx, Scope{}, systemFeaturesReset)
}

func resetFeatures(tx *eventstore.Tx, s Scope, event *eventstore.Kind[eventstore.None]) (Details, error) {
	r, err := features.lock(tx, s, "delete")
	if err != nil {
		return Details{}, err
	}
	if len(r.doc) == 0 {
		return features.details(r, s), nil
	}
	return event.Emit(tx, features.aggregate(s), eventstore.None{})
}

// InstanceFeatures reads what holds in an instance.
func InstanceFeatures(ctx context.Context, store database.Reader, instance string) (Features, error) {
	var own, system row[featureValues]
	s := Scope{Instance: instance}
	err := store.Read(ctx, features.query(s, &own), features.query(Scope{}, &system))
	return Features{instance: own.doc, system: system.doc, Details: features.details(&own, s)}, err
}

// SystemFeatures reads what holds where an instance sets nothing.
func SystemFeatures(ctx context.Context, store database.Reader) (Features, error) {
	var system row[featureValues]
	err := store.Read(ctx, features.query(Scope{}, &system))
	return Features{system: system.doc, Details: features.details(&system, Scope{})}, err
}
