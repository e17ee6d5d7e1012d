package api

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
)

const grpcWebText = "application/grpc-web-text"

// isRPC reports whether path names a procedure: "/package.Service/Method".
func isRPC(path string) bool {
	service, method, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return ok && strings.Contains(service, ".") && method != "" && !strings.Contains(method, "/")
}

// serveRPC passes gRPC, gRPC-Web and Connect on. The text form of gRPC-Web, for
// browsers without binary bodies, is the binary form in base64.
func (s *Server) serveRPC(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	contentType := r.Header.Get("Content-Type")
	if !strings.HasPrefix(contentType, grpcWebText) {
		s.rpc.ServeHTTP(w, r)
		return
	}
	r = r.Clone(r.Context())
	r.Header.Set("Content-Type", "application/grpc-web"+strings.TrimPrefix(contentType, grpcWebText))
	r.ContentLength = -1
	r.Header.Del("Content-Length")
	r.Body = struct {
		io.Reader
		io.Closer
	}{base64.NewDecoder(base64.StdEncoding, r.Body), r.Body}
	text := &textWriter{ResponseWriter: w, suffix: strings.TrimPrefix(contentType, grpcWebText)}
	s.rpc.ServeHTTP(text, r)
	text.close()
}

// textWriter encodes a response in base64.
type textWriter struct {
	http.ResponseWriter
	suffix  string
	started bool
	encoder io.WriteCloser
}

func (t *textWriter) WriteHeader(status int) {
	if !t.started {
		t.started = true
		h := t.Header()
		if strings.HasPrefix(h.Get("Content-Type"), "application/grpc-web") {
			h.Set("Content-Type", grpcWebText+t.suffix)
			h.Del("Content-Length")
			t.encoder = base64.NewEncoder(base64.StdEncoding, t.ResponseWriter)
		}
	}
	t.ResponseWriter.WriteHeader(status)
}

func (t *textWriter) Write(p []byte) (int, error) {
	if !t.started {
		t.WriteHeader(http.StatusOK)
	}
	if t.encoder == nil {
		return t.ResponseWriter.Write(p)
	}
	return t.encoder.Write(p)
}

// Flush does nothing: base64 has to see the whole body to end well, and every
// call is unary.
func (t *textWriter) Flush() {}

func (t *textWriter) close() {
	if t.encoder != nil {
		_ = t.encoder.Close()
	}
}
