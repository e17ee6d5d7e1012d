package api

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"connectrpc.com/connect/v2"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"encoding/json"

	"github.com/gatehouse/gatehouse/internal/fault"
)

var (
	errNoPath    = fault.NotFound("", "There is nothing at this path.")
	errWrongVerb = fault.New(fault.KindUnimplemented, "", "This path has no such method.")
	errBadPath   = fault.Invalid("", "The path has a part that cannot be decoded.")
	errBadQuery  = fault.Invalid("", "The query cannot be decoded.")
)

// serveREST answers a call that came as plain HTTP and JSON.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	end, values, known := s.routes.find(r.Method, r.URL.EscapedPath())
	switch {
	case !known:
		explain(ctx, errNoPath).rest(w)
		return
	case end == nil:
		explain(ctx, errWrongVerb).writeTo(w, connect.CodeUnimplemented, http.StatusMethodNotAllowed)
		return
	}
	res, err := s.serve(ctx, s.handlers[end.method.Procedure], func(m proto.Message) error {
		return s.readREST(w, r, end.route, values, m)
	})
	if err != nil {
		explain(ctx, err).rest(w)
		return
	}
	data, err := writeJSON.Marshal(res)
	if err != nil {
		explain(ctx, err).rest(w)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	callOf(ctx).extras(h)
	w.WriteHeader(end.method.Success)
	_, _ = w.Write(data)
}

// readREST fills m from the body, the query and the path, which has the last word.
func (s *Server) readREST(w http.ResponseWriter, r *http.Request, route Route, values []pathValue, m proto.Message) error {
	if route.Body != "" {
		limit := s.maxJSON(m)
		data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
		if err != nil {
			if _, tooBig := errors.AsType[*http.MaxBytesError](err); tooBig {
				return errTooBig(limit)
			}
			return fault.Invalid("", "The body cannot be read.").Because(err)
		}
		if err := readBody(data, route.Body, m); err != nil {
			return err
		}
	}
	tree := map[string]any{}
	d := m.ProtoReflect().Descriptor()
	if route.Body != "*" && r.URL.RawQuery != "" {
		if len(r.URL.RawQuery) > maxQuery {
			return fault.Invalid("", "The query is longer than %d bytes.", maxQuery)
		}
		query, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return errBadQuery
		}
		for key, vals := range query {
			path := strings.Split(key, ".")
			inPath := slices.ContainsFunc(values, func(v pathValue) bool { return v.name == key })
			if !inPath && len(path) <= maxDepth {
				textTree(tree, d, path, vals)
			}
		}
	}
	for _, v := range values {
		text, err := url.PathUnescape(v.value)
		if err != nil {
			return errBadPath
		}
		textTree(tree, d, strings.Split(v.name, "."), []string{text})
	}
	if len(tree) == 0 {
		return nil
	}
	data, err := json.Marshal(tree)
	if err != nil {
		return errBadQuery
	}
	named := m.ProtoReflect().New().Interface()
	if err := (protojson.UnmarshalOptions{RecursionLimit: maxDepth}).Unmarshal(data, named); err != nil {
		return badJSON(err)
	}
	overlay(m.ProtoReflect(), named.ProtoReflect())
	return nil
}

func readBody(data []byte, body string, m proto.Message) error {
	if body == "*" {
		return readJSON(data, m)
	}
	f := m.ProtoReflect().Descriptor().Fields().ByTextName(body)
	if f == nil || f.Message() == nil || f.IsList() {
		return errBadPath
	}
	return readJSON(data, m.ProtoReflect().Mutable(f).Message().Interface())
}

// overlay sets on m what is set on top, so that a field from the path replaces
// the same field of the body.
func overlay(m, top protoreflect.Message) {
	top.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if f.Message() != nil && !f.IsList() && !f.IsMap() && m.Has(f) {
			overlay(m.Mutable(f).Message(), v.Message())
		} else {
			m.Set(f, v)
		}
		return true
	})
}
