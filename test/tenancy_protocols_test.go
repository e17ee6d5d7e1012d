package test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// rawProtocols give all that a client of a protocol is told, as text: codes, headers,
// trailers and message. Connect is compared in more depth, see neighbours.compare.
var rawProtocols = map[string]func(*testing.T, *testkit.Server, rpcCall) string{"grpc": rawGRPC, "grpc-web": rawGRPCWeb, "rest": rawREST}

// compareOver is compare for one variant over another protocol.
func (n *neighbours) compareOver(t *testing.T, name string, send func(*testing.T, *testkit.Server, rpcCall) string, m *api.Method, variant int) {
	t.Helper()
	requests, used := n.pair(t, m, variant, all)
	n.judge(t, fmt.Sprintf("%s %s, variant %d", name, m.Procedure, variant), used, func(i int) string {
		data, err := protojson.Marshal(requests[i])
		if err != nil {
			t.Fatal(err)
		}
		return send(t, n.s, rpcCall{Method: m, host: "localhost", json: data, req: requests[i], header: map[string]string{
			"Authorization": "Bearer " + n.s.TokenOf(t, n.us.As), "X-Gatehouse-Dry-Run": "true", testkit.Aside: "1",
		}})
	})
}

func rawGRPC(t *testing.T, s *testkit.Server, c rpcCall) string {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+c.host, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", s.Address)
		}))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for name, value := range c.header {
		ctx = metadata.AppendToOutgoingContext(ctx, name, value)
	}
	res := dynamicpb.NewMessage(c.Descriptor.Output())
	var header, trailer metadata.MD
	st := grpcstatus.Convert(conn.Invoke(ctx, c.Procedure, c.req, res, grpc.Header(&header), grpc.Trailer(&trailer)))
	return fmt.Sprintf("%v\n%s%s%s%s", st.Code(), textOf(t, st.Proto()), headerText(http.Header(header)), headerText(readable(http.Header(trailer))), textOf(t, res))
}

func textOf(t *testing.T, m proto.Message) string {
	t.Helper()
	data, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(data), " ", "") + "\n" // The space after commas comes and goes.
}

// readable decodes what is binary in a header, so that ids in it can be seen.
func readable(h http.Header) http.Header {
	out := http.Header{}
	for name, values := range h {
		for _, v := range values {
			if raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(v, "=")); err == nil && strings.HasSuffix(strings.ToLower(name), "-bin") {
				v = fmt.Sprintf("%q", raw)
			}
			out.Add(name, v)
		}
	}
	return out
}

func rawGRPCWeb(t *testing.T, s *testkit.Server, c rpcCall) string {
	t.Helper()
	raw, err := proto.Marshal(c.req)
	if err != nil {
		t.Fatal(err)
	}
	res, data := post(t, s, c, "application/grpc-web+proto", append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(raw))), raw...))
	out := fmt.Sprintf("%d\n%s", res.StatusCode, headerText(readable(res.Header)))
	for len(data) >= 5 {
		n := 5 + binary.BigEndian.Uint32(data[1:5])
		frame := data[5:n]
		if data[0] == 0 {
			m := dynamicpb.NewMessage(c.Descriptor.Output())
			if err := proto.Unmarshal(frame, m); err != nil {
				t.Fatal(err)
			}
			out += textOf(t, m)
		} else {
			trailer := http.Header{}
			for line := range strings.SplitSeq(string(frame), "\r\n") {
				if name, value, ok := strings.Cut(line, ":"); ok {
					trailer.Add(name, strings.TrimSpace(value))
				}
			}
			out += headerText(readable(trailer))
		}
		data = data[n:]
	}
	return out
}

// rawREST makes the call by the first route of the method; there may be none.
func rawREST(t *testing.T, s *testkit.Server, c rpcCall) string {
	t.Helper()
	if len(c.Routes) == 0 {
		return ""
	}
	r := c.Routes[0]
	tree := map[string]any{}
	if err := json.Unmarshal(c.json, &tree); err != nil {
		t.Fatal(err)
	}
	segments := strings.Split(r.Path, "/")
	for i, segment := range segments {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			segments[i] = url.PathEscape(fmt.Sprint(take(tree, strings.Split(strings.TrimSuffix(name, "}"), "."))))
		}
	}
	path, body := strings.Join(segments, "/"), []byte(nil)
	if r.Body == "" {
		query := url.Values{}
		flatten(query, "", tree)
		path += "?" + query.Encode()
	} else {
		body, _ = json.Marshal(tree) // A tree of JSON has a form in JSON.
	}
	req, err := http.NewRequestWithContext(context.Background(), r.Verb, s.URL+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if req.Header.Set("Content-Type", "application/json"); r.Body == "" {
		req.Header.Del("Content-Type")
	}
	for name, value := range c.header {
		req.Header.Set(name, value)
	}
	res, err := s.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	var out bytes.Buffer
	_, _ = out.ReadFrom(res.Body)
	return fmt.Sprintf("%d\n%s%s", res.StatusCode, headerText(res.Header), out.String())
}

// take takes a value out of a tree: the field of a path, by its name on the wire.
func take(tree map[string]any, path []string) any {
	words := strings.Split(path[0], "_")
	for i := range words[1:] {
		words[i+1] = strings.ToUpper(words[i+1][:1]) + words[i+1][1:]
	}
	name := strings.Join(words, "")
	value := tree[name]
	if below, ok := value.(map[string]any); ok && len(path) > 1 {
		return take(below, path[1:])
	}
	delete(tree, name)
	return value
}

// flatten makes parameters of a query of a tree.
func flatten(query url.Values, prefix string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, below := range v {
			flatten(query, strings.TrimPrefix(prefix+"."+name, "."), below)
		}
	case []any:
		for _, below := range v {
			flatten(query, prefix, below)
		}
	default:
		query.Add(prefix, fmt.Sprint(v))
	}
}
