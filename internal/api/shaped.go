package api

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Fields are what a response tells, by the names of its fields in the contract.
// A response without a field of that name does without it.
type Fields map[protoreflect.Name]any

// Shaped makes an RPC of the named method from a function that knows its
// messages by their shape: R is what the request must offer, Fields are what the
// response is made of. It is for methods that differ in nothing but the names of
// their messages; those the contract knows. A request that does not offer R
// refuses to be registered.
func Shaped[R any](name string, fn func(context.Context, R) (Fields, error)) RPC {
	return RPC{name: name, shape: func(rpc *RPC, m protoreflect.MethodDescriptor) error {
		in, err := protoregistry.GlobalTypes.FindMessageByName(m.Input().FullName())
		if err != nil {
			return fmt.Errorf("%s: %w", m.FullName(), err)
		}
		out, err := protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName())
		if err != nil {
			return fmt.Errorf("%s: %w", m.FullName(), err)
		}
		if _, ok := in.Zero().Interface().(R); !ok {
			return fmt.Errorf("%s lacks what the function of %s asks for", m.Input().FullName(), name)
		}
		rpc.message = func() proto.Message { return in.New().Interface() }
		rpc.result = out.Zero().Interface()
		rpc.run = func(ctx context.Context, req proto.Message) (proto.Message, error) {
			fields, err := fn(ctx, req.(R)) //nolint:forcetypeassert // held against the contract above
			if err != nil {
				return nil, err
			}
			res := out.New()
			fields.into(res)
			return res.Interface(), nil
		}
		return nil
	}}
}

func (f Fields) into(m protoreflect.Message) {
	for name, value := range f {
		field := m.Descriptor().Fields().ByName(name)
		if field == nil {
			continue
		}
		if message, ok := value.(proto.Message); ok {
			value = message.ProtoReflect()
		}
		m.Set(field, protoreflect.ValueOf(value))
	}
}
