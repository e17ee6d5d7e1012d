package api

import (
	"context"

	"connectrpc.com/connect/v2"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// registerHealth serves gRPC's health protocol: a process that answers is
// serving, unless it drains.
func (s *Server) registerHealth() {
	const service = "/grpc.health.v1.Health/"
	s.dispatcher.Register(connect.Method{
		Spec: connect.Spec{StreamType: connect.StreamTypeUnary, Procedure: service + "Check", Schema: healthMethod("Check")},
		Handler: func(_ context.Context, _ connect.Spec, stream connect.ServerStream) error {
			if err := stream.Receive(&grpc_health_v1.HealthCheckRequest{}); err != nil {
				return err
			}
			return stream.Send(s.health())
		},
	}, connect.Method{
		Spec: connect.Spec{StreamType: connect.StreamTypeServer, Procedure: service + "Watch", Schema: healthMethod("Watch")},
		Handler: func(ctx context.Context, _ connect.Spec, stream connect.ServerStream) error {
			if err := stream.Receive(&grpc_health_v1.HealthCheckRequest{}); err != nil {
				return err
			}
			if err := stream.Send(s.health()); err != nil || s.Draining() {
				return err
			}
			select {
			case <-ctx.Done():
				return nil
			case <-s.drain: // The stream ends with the news, or it would hold up the end.
				return stream.Send(s.health())
			}
		},
	})
}

func (s *Server) health() *grpc_health_v1.HealthCheckResponse {
	if s.Draining() {
		return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_NOT_SERVING}
	}
	return &grpc_health_v1.HealthCheckResponse{Status: grpc_health_v1.HealthCheckResponse_SERVING}
}

func healthMethod(name protoreflect.Name) protoreflect.MethodDescriptor {
	return grpc_health_v1.File_grpc_health_v1_health_proto.Services().ByName("Health").Methods().ByName(name)
}
