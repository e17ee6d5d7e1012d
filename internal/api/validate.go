package api

import (
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"buf.build/gen/go/bufbuild/protovalidate/protocolbuffers/go/buf/validate"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// The contract states its limits as buf.validate rules. This file evaluates the
// rules that the contract uses; a rule it does not know fails the build's tests
// and, at run time, the call.

// rule checks one thing of a message and says what is wrong, or nothing.
type rule func(m protoreflect.Message) (field string, problem *fault.Phrase)

var rulesOf sync.Map // protoreflect.FullName -> []rule

// validate checks a request against the contract's limits.
func validateMessage(m proto.Message) error {
	field, problem, err := check(m.ProtoReflect())
	if err != nil {
		return err
	}
	if problem != nil {
		return fault.Invalid("", "%s %s.", field, problem).With(fault.WrongField{Path: field})
	}
	return nil
}

func check(m protoreflect.Message) (field string, problem *fault.Phrase, err error) {
	rules, err := rulesFor(m.Descriptor())
	if err != nil {
		return "", nil, err
	}
	for _, r := range rules {
		if field, problem := r(m); problem != nil {
			return field, problem, nil
		}
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Kind() == protoreflect.StringKind && holdsNUL(f, v):
			problem = fault.Say("holds the character U+0000, which no text here can have")
		case f.IsMap():
			if f.MapValue().Message() != nil {
				v.Map().Range(func(_ protoreflect.MapKey, e protoreflect.Value) bool {
					field, problem, err = check(e.Message())
					return problem == nil && err == nil
				})
			}
		case f.Message() == nil || f.Message().ParentFile().Path() == "google/protobuf/struct.proto":
		case f.IsList():
			for i := 0; i < v.List().Len() && problem == nil && err == nil; i++ {
				field, problem, err = check(v.List().Get(i).Message())
				field = fmt.Sprintf("%s[%d].%s", f.JSONName(), i, field)
			}
			return problem == nil && err == nil
		default:
			field, problem, err = check(v.Message())
		}
		if problem != nil {
			field = strings.TrimSuffix(f.JSONName()+"."+field, ".")
		}
		return problem == nil && err == nil
	})
	return field, problem, err
}

// holdsNUL finds the one character that a database cannot keep.
func holdsNUL(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
	if !f.IsList() {
		return strings.ContainsRune(v.String(), 0)
	}
	for i := range v.List().Len() {
		if strings.ContainsRune(v.List().Get(i).String(), 0) {
			return true
		}
	}
	return false
}

func rulesFor(d protoreflect.MessageDescriptor) ([]rule, error) {
	if known, ok := rulesOf.Load(d.FullName()); ok {
		return known.([]rule), nil //nolint:forcetypeassert // only rules are stored
	}
	rules, err := compile(d)
	if err == nil {
		rulesOf.Store(d.FullName(), rules)
	}
	return rules, err
}

func compile(d protoreflect.MessageDescriptor) ([]rule, error) {
	var out []rule
	for i := range d.Oneofs().Len() {
		o := d.Oneofs().Get(i)
		r, _ := proto.GetExtension(o.Options(), validate.E_Oneof).(*validate.OneofRules)
		if r.GetRequired() {
			out = append(out, func(m protoreflect.Message) (string, *fault.Phrase) {
				if m.WhichOneof(o) == nil {
					return string(o.Name()), fault.Say("needs one of its fields")
				}
				return "", nil
			})
		}
	}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if !proto.HasExtension(f.Options(), validate.E_Field) {
			continue
		}
		r, _ := proto.GetExtension(f.Options(), validate.E_Field).(*validate.FieldRules)
		values, err := compileField(f, r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.FullName(), err)
		}
		out = append(out, fieldRule(f, r, values))
	}
	return out, nil
}

// fieldRule decides whether a field's value is looked at, and looks at it.
func fieldRule(f protoreflect.FieldDescriptor, r *validate.FieldRules, values []func(protoreflect.Value) *fault.Phrase) rule {
	return func(m protoreflect.Message) (string, *fault.Phrase) {
		name := f.JSONName()
		if !m.Has(f) {
			switch {
			case r.GetRequired():
				return name, fault.Say("is required")
			case f.HasPresence() || r.GetIgnore() != validate.Ignore_IGNORE_UNSPECIFIED:
				return "", nil
			}
		}
		v := m.Get(f)
		for _, check := range values {
			if problem := check(v); problem != nil {
				return name, problem
			}
		}
		return "", nil
	}
}

// compileField turns the rules of a field into checks of its value.
func compileField(f protoreflect.FieldDescriptor, r *validate.FieldRules) ([]func(protoreflect.Value) *fault.Phrase, error) {
	if list := r.GetRepeated(); list != nil {
		return compileList(f, list)
	}
	return compileScalar(f, r)
}

func compileList(f protoreflect.FieldDescriptor, r *validate.RepeatedRules) ([]func(protoreflect.Value) *fault.Phrase, error) {
	var out []func(protoreflect.Value) *fault.Phrase
	var unknown error
	eachRule(r, func(name protoreflect.Name) {
		switch name {
		case "min_items":
			out = append(out, func(v protoreflect.Value) *fault.Phrase {
				return unless(uint64(v.List().Len()) >= r.GetMinItems(), "needs at least %d entries", r.GetMinItems()) //nolint:gosec // a length
			})
		case "max_items":
			out = append(out, func(v protoreflect.Value) *fault.Phrase {
				return unless(uint64(v.List().Len()) <= r.GetMaxItems(), "has more than %d entries", r.GetMaxItems()) //nolint:gosec // a length
			})
		case "unique":
			out = append(out, func(v protoreflect.Value) *fault.Phrase {
				seen := map[any]bool{}
				for i := range v.List().Len() {
					k := v.List().Get(i).Interface()
					if seen[k] {
						return fault.Say("has an entry twice")
					}
					seen[k] = true
				}
				return nil
			})
		case "items":
			items, err := compileScalar(f, r.GetItems())
			if err != nil {
				unknown = err
			}
			out = append(out, func(v protoreflect.Value) *fault.Phrase {
				for i := range v.List().Len() {
					for _, check := range items {
						if p := check(v.List().Get(i)); p != nil {
							return fault.Say("entry %d %s", i, p)
						}
					}
				}
				return nil
			})
		default:
			unknown = fmt.Errorf("rule repeated.%s is not supported", name)
		}
	})
	return out, unknown
}

// eachRule names the rules that are set.
func eachRule(m proto.Message, fn func(protoreflect.Name)) {
	if m == nil {
		return
	}
	m.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
		fn(f.Name())
		return true
	})
}

func unless(fine bool, problem string, args ...any) *fault.Phrase {
	if fine {
		return nil
	}
	return fault.Say(problem, args...)
}

type valueCheck = func(protoreflect.Value) *fault.Phrase

func compileScalar(f protoreflect.FieldDescriptor, r *validate.FieldRules) ([]valueCheck, error) {
	var out []valueCheck
	var unknown error
	add := func(c valueCheck) { out = append(out, c) }
	compileWith := func(kind string, rules proto.Message, known map[protoreflect.Name]valueCheck) {
		eachRule(rules, func(name protoreflect.Name) {
			c, ok := known[name]
			if !ok {
				unknown = fmt.Errorf("rule %s.%s is not supported", kind, name)
				return
			}
			add(c)
		})
	}
	switch t := r.GetType().(type) {
	case nil:
	case *validate.FieldRules_String_:
		compileWith("string", t.String_, stringChecks(t.String_))
	case *validate.FieldRules_Bytes:
		compileWith("bytes", t.Bytes, map[protoreflect.Name]valueCheck{
			"min_len": func(v protoreflect.Value) *fault.Phrase {
				return unless(uint64(len(v.Bytes())) >= t.Bytes.GetMinLen(), "is shorter than %d bytes", t.Bytes.GetMinLen())
			},
			"max_len": func(v protoreflect.Value) *fault.Phrase {
				return unless(uint64(len(v.Bytes())) <= t.Bytes.GetMaxLen(), "is longer than %d bytes", t.Bytes.GetMaxLen())
			},
		})
	case *validate.FieldRules_Enum:
		compileWith("enum", t.Enum, map[protoreflect.Name]valueCheck{
			"defined_only": func(v protoreflect.Value) *fault.Phrase {
				return unless(f.Enum().Values().ByNumber(v.Enum()) != nil, "has no value %d", v.Enum())
			},
			"not_in": func(v protoreflect.Value) *fault.Phrase {
				for _, n := range t.Enum.GetNotIn() {
					if int32(v.Enum()) == n {
						return fault.Say("must be given")
					}
				}
				return nil
			},
		})
	case *validate.FieldRules_Bool:
		compileWith("bool", t.Bool, map[protoreflect.Name]valueCheck{
			"const": func(v protoreflect.Value) *fault.Phrase {
				return unless(v.Bool() == t.Bool.GetConst(), "must be %t", t.Bool.GetConst())
			},
		})
	case *validate.FieldRules_Uint64:
		compileWith("uint64", t.Uint64, map[protoreflect.Name]valueCheck{
			"gt": func(v protoreflect.Value) *fault.Phrase {
				return unless(v.Uint() > t.Uint64.GetGt(), "must be more than %d", t.Uint64.GetGt())
			},
		})
	case *validate.FieldRules_Uint32:
		compileWith("uint32", t.Uint32, map[protoreflect.Name]valueCheck{
			"gt": func(v protoreflect.Value) *fault.Phrase {
				return unless(v.Uint() > uint64(t.Uint32.GetGt()), "must be more than %d", t.Uint32.GetGt())
			},
		})
	case *validate.FieldRules_Int32:
		compileWith("int32", t.Int32, map[protoreflect.Name]valueCheck{
			"gte": func(v protoreflect.Value) *fault.Phrase {
				return unless(v.Int() >= int64(t.Int32.GetGte()), "must be at least %d", t.Int32.GetGte())
			},
			"lte": func(v protoreflect.Value) *fault.Phrase {
				return unless(v.Int() <= int64(t.Int32.GetLte()), "must be at most %d", t.Int32.GetLte())
			},
		})
	case *validate.FieldRules_Duration:
		compileWith("duration", t.Duration, durationChecks(t.Duration))
	default:
		unknown = fmt.Errorf("rules of type %T are not supported", t)
	}
	return out, unknown
}

func stringChecks(r *validate.StringRules) map[protoreflect.Name]valueCheck {
	length := func(v protoreflect.Value) uint64 { return uint64(utf8.RuneCountInString(v.String())) } //nolint:gosec // a length
	checks := map[protoreflect.Name]valueCheck{
		"min_len": func(v protoreflect.Value) *fault.Phrase {
			return unless(length(v) >= r.GetMinLen(), "needs at least %d characters", r.GetMinLen())
		},
		"max_len": func(v protoreflect.Value) *fault.Phrase {
			return unless(length(v) <= r.GetMaxLen(), "has more than %d characters", r.GetMaxLen())
		},
		"len": func(v protoreflect.Value) *fault.Phrase {
			return unless(length(v) == r.GetLen(), "needs exactly %d characters", r.GetLen())
		},
		"max_bytes": func(v protoreflect.Value) *fault.Phrase {
			return unless(uint64(len(v.String())) <= r.GetMaxBytes(), "is longer than %d bytes", r.GetMaxBytes())
		},
		"prefix": func(v protoreflect.Value) *fault.Phrase {
			return unless(strings.HasPrefix(v.String(), r.GetPrefix()), "must start with %q", r.GetPrefix())
		},
		"email": func(v protoreflect.Value) *fault.Phrase {
			a, err := mail.ParseAddress(v.String())
			return unless(err == nil && a.Name == "" && a.Address == v.String(), "must be an e-mail address")
		},
		"uri_ref": func(v protoreflect.Value) *fault.Phrase {
			_, err := url.Parse(v.String())
			return unless(err == nil, "must be a URI or a path")
		},
	}
	if r.HasPattern() {
		pattern := regexp.MustCompile(r.GetPattern())
		checks["pattern"] = func(v protoreflect.Value) *fault.Phrase {
			return unless(pattern.MatchString(v.String()), "must match %s", r.GetPattern())
		}
	}
	return checks
}

func durationChecks(r *validate.DurationRules) map[protoreflect.Name]valueCheck {
	of := func(v protoreflect.Value) time.Duration {
		if d, ok := v.Message().Interface().(*durationpb.Duration); ok {
			return d.AsDuration()
		}
		return 0
	}
	return map[protoreflect.Name]valueCheck{
		"gt": func(v protoreflect.Value) *fault.Phrase {
			return unless(of(v) > r.GetGt().AsDuration(), "must be longer than %s", r.GetGt().AsDuration())
		},
		"gte": func(v protoreflect.Value) *fault.Phrase {
			return unless(of(v) >= r.GetGte().AsDuration(), "must be at least %s", r.GetGte().AsDuration())
		},
		"lte": func(v protoreflect.Value) *fault.Phrase {
			return unless(of(v) <= r.GetLte().AsDuration(), "must be at most %s", r.GetLte().AsDuration())
		},
		"const": func(v protoreflect.Value) *fault.Phrase {
			return unless(of(v) == r.GetConst().AsDuration(), "must be %s", r.GetConst().AsDuration())
		},
	}
}
