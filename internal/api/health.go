package api

import (
	"context"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// registerHealth serves gRPC's health protocol: a process that answers is
// serving, and one that drains does not take new connections.
func registerHealth(s *connect.Server) {
	const service = "/grpc.health.v1.Health/"
	s.Register(connect.Method{
		Spec: connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: service + "Check", Schema: healthMethod("Check")},
		Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
			if err := stream.Receive(&grpc_health_v1.HealthCheckRequest{}); err != nil {
				return err
			}
			return stream.Send(serving)
		},
	}, connect.Method{
		Spec: connect.Spec{StreamType: connect.StreamTypeServer, Procedure: service + "Watch", Schema: healthMethod("Watch")},
		Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
			if err := stream.Receive(&grpc_health_v1.HealthCheckRequest{}); err != nil {
				return err
			}
			if err := stream.Send(serving); err != nil {
				return err
			}
			<-ctx.Done()
			return nil
		},
	})
}

var serving = &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}

func healthMethod(name protoreflect.Name) protoreflect.MethodDescriptor {
	return grpc_health_v1.File_grpc_health_v1_health_proto.Services().ByName("Health").Methods().ByName(name)
}
