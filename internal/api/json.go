package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// maxDepth bounds the nesting of a JSON or binary message.
const maxDepth = 64

var (
	strictJSON = protojson.UnmarshalOptions{RecursionLimit: maxDepth}
	writeJSON  = protojson.MarshalOptions{}
)

// jsonCodec is JSON for Connect and REST: unknown fields are ignored, an unknown
// name of an enum value is refused and never read as zero.
type jsonCodec struct{ limit func(proto.Message) int }

var _ connect.Codec = jsonCodec{}

func (jsonCodec) Name() string { return connect.CodecNameJSON }

func (jsonCodec) MarshalWrite(_ context.Context, dst io.Writer, msg any) error {
	m, ok := msg.(proto.Message)
	if !ok {
		return fmt.Errorf("api: %T is no message", msg)
	}
	data, err := writeJSON.Marshal(m)
	if err != nil {
		return fmt.Errorf("api: %w", err)
	}
	_, err = dst.Write(data)
	return err
}

func (c jsonCodec) UnmarshalRead(_ context.Context, src io.Reader, msg any) error {
	m, ok := msg.(proto.Message)
	if !ok {
		return fmt.Errorf("api: %T is no message", msg)
	}
	limit := c.limit(m)
	data, err := io.ReadAll(io.LimitReader(src, int64(limit)+1))
	switch {
	case err != nil:
		return err
	case len(data) > limit:
		return errTooBig(limit)
	}
	return readJSON(data, m)
}

// readJSON decodes data into m. An empty body is an empty message.
func readJSON(data []byte, m proto.Message) error {
	data = bytes.TrimSpace(data)
	if len(data) == 0 {
		return nil
	}
	err := strictJSON.Unmarshal(data, m)
	if err == nil {
		return nil
	}
	// Slow path: either a field is unknown, which is fine, or a value is wrong.
	if depth(data) > maxDepth {
		return badJSON(fault.Say("it has more than %d levels", maxDepth))
	}
	if !utf8.Valid(data) { // encoding/json would put something else in its place.
		return badJSON(fault.Say("it has invalid UTF-8"))
	}
	var tree any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if d.Decode(&tree) != nil || d.More() {
		return badJSON(err)
	}
	if err := prune(tree, m.ProtoReflect().Descriptor()); err != nil {
		return err
	}
	pruned, merr := json.Marshal(tree)
	if merr != nil {
		return badJSON(merr)
	}
	proto.Reset(m)
	if err := strictJSON.Unmarshal(pruned, m); err != nil {
		return badJSON(err)
	}
	return nil
}

// badJSON gives the reason, which is a phrase or an error of the parser.
func badJSON(reason any) error {
	return fault.Invalid("", "The request is not the JSON that this call takes: %s.", reason)
}

// depth counts the deepest nesting without building anything.
func depth(data []byte) int {
	level, deepest, quoted := 0, 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			level++
			deepest = max(deepest, level)
		case c == '}' || c == ']':
			level--
		}
	}
	return deepest
}

// prune drops the keys of a JSON object that its message does not have.
func prune(tree any, d protoreflect.MessageDescriptor) error {
	object, ok := tree.(map[string]any)
	if !ok || d.ParentFile().Package() == "google.protobuf" {
		return nil // Well-known types have forms of their own.
	}
	for key, value := range object {
		f := d.Fields().ByJSONName(key)
		if f == nil {
			f = d.Fields().ByTextName(key)
		}
		if f == nil {
			delete(object, key)
			continue
		}
		if err := pruneField(value, f); err != nil {
			return err
		}
	}
	return nil
}

func pruneField(value any, f protoreflect.FieldDescriptor) error {
	element := f
	values := []any{value}
	switch v := value.(type) {
	case []any:
		if f.IsList() {
			values = v
		}
	case map[string]any:
		if f.IsMap() {
			element = f.MapValue()
			values = values[:0]
			for _, e := range v {
				values = append(values, e)
			}
		}
	}
	for _, v := range values {
		switch {
		case element.Message() != nil:
			if err := prune(v, element.Message()); err != nil {
				return err
			}
		case element.Enum() != nil:
			if name, ok := v.(string); ok && element.Enum().Values().ByName(protoreflect.Name(name)) == nil {
				return fault.Invalid("", "%s has no value %q.", f.JSONName(), name)
			}
		}
	}
	return nil
}

// textTree puts a value given as text, from a path or a query, into a JSON tree
// at the field path, in the form that the field's type has in JSON. It reports
// false for fields that the message does not have.
func textTree(tree map[string]any, d protoreflect.MessageDescriptor, path []string, values []string) bool {
	f := d.Fields().ByJSONName(path[0])
	if f == nil {
		f = d.Fields().ByTextName(path[0])
	}
	if f == nil || f.IsMap() {
		return false
	}
	key := string(f.Name())
	if len(path) > 1 {
		if f.Message() == nil || f.IsList() {
			return false
		}
		sub, _ := tree[key].(map[string]any)
		if sub == nil {
			sub = map[string]any{}
		}
		if !textTree(sub, f.Message(), path[1:], values) {
			return false
		}
		tree[key] = sub
		return true
	}
	if f.IsList() {
		list, _ := tree[key].([]any)
		for _, v := range values {
			list = append(list, textValue(f, v))
		}
		tree[key] = list
		return true
	}
	tree[key] = textValue(f, values[len(values)-1])
	return true
}

// textValue turns text into what protojson reads for the field. What does not
// fit stays text and is refused there.
func textValue(f protoreflect.FieldDescriptor, text string) any {
	switch f.Kind() {
	case protoreflect.BoolKind:
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	case protoreflect.EnumKind:
		if _, err := strconv.Atoi(text); err == nil {
			return json.Number(text)
		}
	case protoreflect.MessageKind:
		if m := f.Message(); m.ParentFile().Path() == "google/protobuf/wrappers.proto" {
			return textValue(m.Fields().ByName("value"), text)
		}
	default: // protojson reads numbers from text.
	}
	return text
}
