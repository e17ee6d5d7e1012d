package console

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// field is a field of a request that a form asks for. What it looks like follows from its
// type in the contract: a switch for a bool, a choice for an enum, a time for a timestamp. A
// oneof of bools and of messages that need no values is a choice among its members.
type field struct {
	path string // names with dots, through the messages of the request, to a field or a oneof
	text string // key of the label; empty: "f-" and the last name of path
	help string // key; empty: none
	// kind is the type of the input of a text: "email", "password", "url", "color"; "area"
	// for several lines. Empty: a line.
	kind     string
	required bool
	// options are the values to choose from, of a text or of a list of texts, and which
	// members of a oneof there are to choose from, where it is not all of them.
	options func(v *visit) ([]option, error)
	// heading is the key of what stands above the field; empty: nothing.
	heading string
	hint    string // what an empty line shows, such as what holds without it
	// blank says by a blank that a text is gone, where the contract takes no empty one.
	blank bool
	auto  string // the autocomplete token (WCAG 2.2, success criterion 1.3.5); empty: off
}

// input is what a page shows of a field.
type input struct {
	Name, Label, Help, Heading string
	Kind                       string // "line", "area", "switch", "choice", "choices"
	Type, Auto                 string // of a line
	Value, Hint                string
	On, Required               bool
	Options                    []option
}

// target is the field or the oneof in a request, and the message that it is in.
type target struct {
	in protoreflect.Message
	fd protoreflect.FieldDescriptor
	of protoreflect.OneofDescriptor // in the place of fd
}

// find follows the path. The messages on the way are made where make says so; else what
// is not there is an empty one.
func (f field) find(m protoreflect.Message, create bool) target {
	names := strings.Split(f.path, ".")
	for _, name := range names[:len(names)-1] {
		fd := m.Descriptor().Fields().ByName(protoreflect.Name(name))
		if create {
			m = m.Mutable(fd).Message()
		} else {
			m = m.Get(fd).Message()
		}
	}
	last := protoreflect.Name(names[len(names)-1])
	t := target{m, m.Descriptor().Fields().ByName(last), m.Descriptor().Oneofs().ByName(last)}
	if t.fd == nil && t.of == nil {
		panic("console: " + string(m.Descriptor().FullName()) + " has no " + f.path)
	}
	return t
}

const (
	durationName  = "google.protobuf.Duration"
	timestampName = "google.protobuf.Timestamp"
	timeForm      = "2006-01-02T15:04"
)

func (f field) label() string {
	if f.text != "" {
		return f.text
	}
	return "f-" + f.path[strings.LastIndex(f.path, ".")+1:]
}

// json is the path of the field as the contract has it in JSON.
func (f field) json() string {
	words := strings.Split(f.path, "_")
	for i := 1; i < len(words); i++ {
		words[i] = capital(words[i])
	}
	return strings.Join(words, "")
}

// input is the field with its value in a request.
func (f field) input(v *visit, m protoreflect.Message) input {
	t := f.find(m, false)
	in := input{Name: f.path, Label: v.Texts.T(f.label()), Kind: "line", Type: f.kind, Auto: f.auto, Hint: f.hint, Required: f.required}
	if in.Type == "" {
		in.Type = "text"
	}
	if in.Auto == "" {
		in.Auto = "off"
	}
	if f.help != "" {
		in.Help = v.Texts.T(f.help)
	}
	if f.heading != "" {
		in.Heading = v.Texts.T(f.heading)
	}
	if t.of != nil {
		in.Kind, in.Options = "choice", f.members(v, t)
		return in
	}
	value := t.in.Get(t.fd)
	switch kind := t.fd.Kind(); {
	case t.fd.IsList():
		f.many(v, &in, t, value.List())
	case f.options != nil:
		in.Kind = "choice"
		in.Options = f.chosen(v, func(s string) bool { return s == value.String() })
	case kind == protoreflect.BoolKind:
		in.Kind, in.On = "switch", value.Bool()
	case kind == protoreflect.EnumKind:
		in.Kind = "choice"
		in.Options = enumOptions(v, t.fd.Enum(), func(n protoreflect.EnumNumber) bool { return n == value.Enum() })
	case kind == protoreflect.MessageKind:
		in.Value = textOf(value.Message())
		if t.fd.Message().FullName() == timestampName {
			in.Type = "datetime-local"
		}
	case kind == protoreflect.StringKind, kind == protoreflect.BytesKind:
		if in.Value = value.String(); kind == protoreflect.BytesKind {
			in.Value = string(value.Bytes())
		}
		if f.kind == "area" {
			in.Kind = "area"
		}
	default:
		in.Type, in.Value = "number", value.String()
	}
	return in
}

// many is the input of a list: of enums or among options a set of switches, of texts a
// line each.
func (f field) many(v *visit, in *input, t target, list protoreflect.List) {
	has := map[string]bool{}
	var lines []string
	for i := range list.Len() {
		has[list.Get(i).String()] = true
		lines = append(lines, list.Get(i).String())
	}
	switch {
	case t.fd.Kind() == protoreflect.EnumKind:
		in.Kind = "choices"
		in.Options = enumOptions(v, t.fd.Enum(), func(n protoreflect.EnumNumber) bool { return has[strconv.Itoa(int(n))] })
	case f.options != nil:
		in.Kind = "choices"
		in.Options = f.chosen(v, func(s string) bool { return has[s] })
	default:
		in.Kind, in.Value = "area", strings.Join(lines, "\n")
	}
}

// members are those of a oneof. Their texts have the keys label-name.
func (f field) members(v *visit, t target) (out []option) {
	which := ""
	if fd := t.in.WhichOneof(t.of); fd != nil {
		which = string(fd.Name())
	}
	if f.options != nil {
		return f.chosen(v, func(s string) bool { return s == which })
	}
	for i := range t.of.Fields().Len() {
		name := string(t.of.Fields().Get(i).Name())
		out = append(out, f.member(v, name, which))
	}
	return out
}

func (f field) member(v *visit, name, which string) option {
	return option{Value: name, Text: v.Texts.T(f.label() + "-" + name), Chosen: name == which}
}

func (f field) chosen(v *visit, is func(string) bool) []option {
	out, err := f.options(v)
	if err != nil { // The call that follows says why; without options there is no choice.
		return nil
	}
	out = slices.Clone(out)
	for i := range out {
		out[i].Chosen = is(out[i].Value)
	}
	return out
}

// enumOptions are the values of an enum that mean something.
func enumOptions(v *visit, e protoreflect.EnumDescriptor, is func(protoreflect.EnumNumber) bool) (out []option) {
	for i := range e.Values().Len() {
		value := e.Values().Get(i)
		if value.Number() == 0 && strings.HasSuffix(string(value.Name()), "UNSPECIFIED") {
			if is(0) { // Nothing is chosen, and need not be.
				out = append(out, option{Value: "0", Text: "–", Chosen: true})
			}
			continue
		}
		out = append(out, option{Value: strconv.Itoa(int(value.Number())), Text: v.Texts.T(string(value.Name())), Chosen: is(value.Number())})
	}
	return out
}

// textOf is the text of a duration or a time, as the field takes it back.
func textOf(m protoreflect.Message) string {
	if !m.IsValid() {
		return ""
	}
	switch x := m.Interface().(type) {
	case *durationpb.Duration:
		return durationText(x.AsDuration())
	case *timestamppb.Timestamp:
		return x.AsTime().UTC().Format(timeForm)
	}
	return ""
}

// durationText writes whole days, hours and minutes as people do, such as "10d" or "1h30m".
func durationText(d time.Duration) string {
	const day = 24 * time.Hour
	if d > 0 && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	s := d.String()
	s = strings.TrimSuffix(s, "m0s")
	if s != d.String() {
		s += "m"
	}
	if trimmed, ok := strings.CutSuffix(s, "h0m"); ok {
		s = trimmed + "h"
	}
	return s
}

var (
	errDuration = fault.Invalid("CONSOLE-duration", "Write a duration as a number with a unit, such as 10d, 12h, 30m or 45s.")
	errTime     = fault.Invalid("CONSOLE-time", "Write a time as year, month, day, hour and minute, such as 2026-01-31T12:00.")
	errMember   = fault.Invalid("CONSOLE-choice", "Choose one of the values that are offered.")
	errNumber   = fault.Invalid("CONSOLE-number", "Write a whole number that is not negative.")
)

func parseDuration(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, errDuration
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, errDuration
	}
	return d, nil
}

// take puts what was typed into the request. A text that is empty is not said, unless the
// request came with one: then it is said to be empty.
func (f field) take(m protoreflect.Message, form url.Values) error {
	typed := form.Get(f.path)
	if f.kind != "password" {
		typed = strings.TrimSpace(typed)
	}
	t := f.find(m, false)
	if !t.in.IsValid() && typed == "" { // A message of which nothing is said stays away.
		return nil
	}
	t = f.find(m, true)
	if t.of != nil {
		return t.choose(typed)
	}
	if t.fd.IsList() {
		return f.takeMany(t, form[f.path])
	}
	if typed == "" && t.fd.Kind() != protoreflect.BoolKind {
		if t.fd.HasPresence() && t.fd.Kind() == protoreflect.StringKind && t.in.Has(t.fd) {
			gone := ""
			if f.blank {
				gone = " "
			}
			t.in.Set(t.fd, protoreflect.ValueOfString(gone))
			return nil
		}
		t.in.Clear(t.fd)
		return nil
	}
	value, err := t.parse(typed)
	if err == nil {
		t.in.Set(t.fd, value)
	}
	return err
}

// choose sets the member of a oneof.
func (t target) choose(name string) error {
	fd := t.of.Fields().ByName(protoreflect.Name(name))
	switch {
	case fd == nil:
		return errMember
	case fd.Kind() == protoreflect.BoolKind:
		t.in.Set(fd, protoreflect.ValueOfBool(true))
	default:
		t.in.Mutable(fd)
	}
	return nil
}

func (f field) takeMany(t target, typed []string) error {
	t.in.Clear(t.fd)
	list := t.in.Mutable(t.fd).List()
	if t.fd.Kind() != protoreflect.EnumKind && f.options == nil {
		typed = strings.Split(strings.Join(typed, "\n"), "\n")
	}
	for _, s := range typed {
		if s = strings.TrimSpace(s); s == "" {
			continue
		}
		value, err := t.parse(s)
		if err != nil {
			return err
		}
		list.Append(value)
	}
	return nil
}

// parse is the value of what was typed.
func (t target) parse(typed string) (value protoreflect.Value, err error) {
	switch kind := t.fd.Kind(); kind {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(typed == "true"), nil
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(typed), nil
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(typed)), nil
	case protoreflect.EnumKind:
		n, err := strconv.ParseInt(typed, 10, 32)
		if err != nil {
			return value, errNumber
		}
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)), nil
	case protoreflect.MessageKind:
		return t.parseMessage(typed)
	case protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind:
		n, err := strconv.ParseUint(typed, 10, 31)
		if err != nil {
			return value, errNumber
		}
		return numberOf(kind, n), nil
	default:
		panic("console: no input for " + string(t.fd.FullName()))
	}
}

// numberOf is a number of 31 bits as the field's type has it.
func numberOf(kind protoreflect.Kind, n uint64) protoreflect.Value {
	switch kind { //nolint:exhaustive // the others are no numbers
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(n)) //nolint:gosec // 31 bits
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(int64(n)) //nolint:gosec // 31 bits
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(n)) //nolint:gosec // 31 bits
	}
	return protoreflect.ValueOfUint64(n)
}

func (t target) parseMessage(typed string) (value protoreflect.Value, err error) {
	var m proto.Message
	switch t.fd.Message().FullName() {
	case durationName:
		d, err := parseDuration(typed)
		if err != nil {
			return value, err
		}
		m = durationpb.New(d)
	case timestampName:
		at, err := time.Parse(timeForm, typed)
		if err != nil {
			return value, errTime
		}
		m = timestamppb.New(at)
	default:
		panic("console: no input for " + string(t.fd.FullName()))
	}
	return protoreflect.ValueOfMessage(m.ProtoReflect()), nil
}
