package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	"connectrpc.com/grpcreflect/v2"
	"google.golang.org/protobuf/proto"

	"github.com/gatehouse/gatehouse/internal/flow"
)

// The limits of a request, in bytes.
const (
	maxMessage = 4 << 20
	maxQuery   = 16 << 10
)

// callTimeout bounds the work on one call.
const callTimeout = 10 * time.Second

// Server answers every method of the contract in every protocol.
type Server struct {
	// Observe, where it is set before the first call, is told of every call that
	// was answered, and of its error.
	Observe  func(*Call, error)
	gate     *flow.Gate
	timeout  time.Duration
	handlers map[string]*handler
	routes   *router
	rpc      http.Handler // gRPC, gRPC-Web, Connect
}

// Service is the functions of one service of the contract.
type Service struct {
	Name string // such as "zitadel.management.v1.ManagementService"
	RPCs []RPC
}

// New makes a server of the given services. Methods of the contract that none of
// them has answer UNIMPLEMENTED.
func New(gate *flow.Gate, services ...Service) (*Server, error) {
	s := &Server{gate: gate, timeout: callTimeout, handlers: map[string]*handler{}, routes: newRouter()}
	contract, err := Contract()
	if err != nil {
		return nil, err
	}
	for _, m := range contract {
		s.handlers[m.Procedure] = &handler{Method: m}
		for _, r := range m.Routes {
			if err := s.routes.add(m, r); err != nil {
				return nil, err
			}
		}
	}
	for _, service := range services {
		for i := range service.RPCs {
			if err := s.bind(service.Name, &service.RPCs[i]); err != nil {
				return nil, err
			}
		}
	}
	dispatcher := connect.NewServer()
	for _, m := range contract {
		dispatcher.Register(s.connectMethod(s.handlers[m.Procedure]))
	}
	registerHealth(dispatcher)
	grpcreflect.Register(dispatcher)
	mux := http.NewServeMux()
	connecthttp.Mount(mux, dispatcher,
		connecthttp.WithReadMaxBytes(maxMessage),
		connecthttp.WithCompressMinBytes(1<<10),
		connecthttp.WithCodecs(&connectproto.BinaryCodec{
			UnmarshalOptions: proto.UnmarshalOptions{RecursionLimit: maxDepth},
		}, jsonCodec{}))
	s.rpc = mux
	return s, nil
}

func (s *Server) bind(service string, rpc *RPC) error {
	procedure := "/" + service + "/" + rpc.name
	h := s.handlers[procedure]
	switch {
	case h == nil:
		return fmt.Errorf("%s is not in the contract", procedure)
	case h.rpc != nil:
		return fmt.Errorf("%s is registered twice", procedure)
	}
	if rpc.shape != nil {
		if err := rpc.shape(rpc, h.Descriptor); err != nil {
			return err
		}
	}
	if h.Descriptor.Input().FullName() != rpc.message().ProtoReflect().Descriptor().FullName() ||
		h.Descriptor.Output().FullName() != rpc.result.ProtoReflect().Descriptor().FullName() {
		return fmt.Errorf("%s is registered with another request or response", procedure)
	}
	h.rpc = rpc
	return nil
}

// Built reports for every method of the contract whether it has a function.
func (s *Server) Built() map[string]bool {
	out := make(map[string]bool, len(s.handlers))
	for p, h := range s.handlers {
		out[p] = h.rpc != nil
	}
	return out
}

// ServeHTTP sends a request to its protocol: paths of the form
// /package.Service/Method are RPCs, everything else is REST.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if isRPC(r.URL.Path) {
		s.serveRPC(w, r)
		return
	}
	s.serveREST(w, r)
}

func asError[E error](err error, target *E) bool { return errors.As(err, target) }
