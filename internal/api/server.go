package api

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"connectrpc.com/connect/v2"
	"connectrpc.com/connect/v2/connecthttp"
	"connectrpc.com/connect/v2/connectproto"
	"connectrpc.com/grpcreflect/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
)

// maxQuery bounds the query of a URL, in bytes.
const maxQuery = 16 << 10

// Limits bound what one call may cost. Zero stands for 4 MiB, 1 MiB and ten seconds.
type Limits struct {
	BodyBytes int
	// JSONBytes bounds a message in JSON. That of an import may be as large as any.
	JSONBytes   int
	CallTimeout time.Duration
}

// Server answers every method of the contract in every protocol.
type Server struct {
	// Observe, where it is set before the first call, is told of every call that
	// was answered, and of its error.
	Observe func(*Call, error)
	// External is the URL of the installation, with whose scheme and port clients reach
	// the server. It is set before the first call.
	External   *url.URL
	gate       *flow.Gate
	limits     Limits
	handlers   map[string]*handler
	requests   map[protoreflect.FullName]*handler // by the request
	routes     *router
	dispatcher *connect.Server
	rpc        http.Handler // gRPC, gRPC-Web, Connect
	drain      chan struct{}
	drainOnce  sync.Once
}

// Service is the functions of one service of the contract.
type Service struct {
	Name string // such as "zitadel.management.v1.ManagementService"
	RPCs []RPC
}

// New makes a server of the given services. Methods of the contract that none of
// them has answer UNIMPLEMENTED.
func New(gate *flow.Gate, services ...Service) (*Server, error) {
	s := &Server{
		gate: gate, External: &url.URL{}, handlers: map[string]*handler{}, requests: map[protoreflect.FullName]*handler{},
		routes: newRouter(), dispatcher: connect.NewServer(), drain: make(chan struct{}),
	}
	contract, err := Contract()
	if err != nil {
		return nil, err
	}
	for _, m := range contract {
		h := &handler{Method: m}
		s.handlers[m.Procedure], s.requests[m.Descriptor.Input().FullName()] = h, h
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
	for _, m := range contract {
		s.dispatcher.Register(s.connectMethod(s.handlers[m.Procedure]))
	}
	s.registerHealth()
	grpcreflect.Register(s.dispatcher)
	s.Limit(Limits{})
	return s, nil
}

// Limit sets the limits. It must be called before the first call.
func (s *Server) Limit(l Limits) {
	s.limits = Limits{BodyBytes: cmp.Or(l.BodyBytes, 4<<20), JSONBytes: cmp.Or(l.JSONBytes, 1<<20), CallTimeout: cmp.Or(l.CallTimeout, 10*time.Second)}
	mux := http.NewServeMux()
	connecthttp.Mount(mux, s.dispatcher,
		connecthttp.WithReadMaxBytes(s.limits.BodyBytes),
		connecthttp.WithCompressMinBytes(1<<10),
		connecthttp.WithCodecs(&connectproto.BinaryCodec{
			UnmarshalOptions: proto.UnmarshalOptions{RecursionLimit: maxDepth},
		}, jsonCodec{s.maxJSON}))
	s.rpc = mux
}

// maxJSON is how large a request may be in JSON.
func (s *Server) maxJSON(m proto.Message) int {
	if h := s.requests[m.ProtoReflect().Descriptor().FullName()]; h != nil && h.rpc != nil && h.rpc.do != nil {
		return s.limits.BodyBytes
	}
	return min(s.limits.JSONBytes, s.limits.BodyBytes)
}

func errTooBig(limit int) error {
	return fault.Exhausted("", "The request is larger than %d bytes.", limit)
}

// Drain tells those who ask for the server's health to send no new calls. It
// goes on answering.
func (s *Server) Drain() { s.drainOnce.Do(func() { close(s.drain) }) }

// Draining reports whether Drain was called.
func (s *Server) Draining() bool {
	select {
	case <-s.drain:
		return true
	default:
		return false
	}
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
	if rpc.do != nil {
		*rpc.do = s.do
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
