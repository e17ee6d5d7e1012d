package test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect/v2"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/dynamicpb"

	zitadelpb "github.com/gatehouse/gatehouse/gen/zitadel/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// rpcCall is a golden call as an RPC.
type rpcCall struct {
	*api.Method
	host   string
	header map[string]string
	json   []byte
	req    proto.Message
}

// outcome is what a client of any protocol gets.
type outcome struct {
	code int // of gRPC; 0: OK
	id   string
	res  proto.Message
}

// protocols are the ways to make an RPC.
var protocols = map[string]func(*testing.T, *testkit.Server, rpcCall) outcome{
	"connect":       overConnect,
	"grpc":          overGRPC,
	"grpc-web":      func(t *testing.T, s *testkit.Server, c rpcCall) outcome { return overGRPCWeb(t, s, c, false) },
	"grpc-web-text": func(t *testing.T, s *testkit.Server, c rpcCall) outcome { return overGRPCWeb(t, s, c, true) },
}

// TestGoldenRPC replays the table in the other protocols: what REST answers, they
// answer with the same code, id and message.
func TestGoldenRPC(t *testing.T) {
	t.Parallel()
	for name, send := range protocols {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startGolden(t)
			calls := 0
			for i, g := range readGolden(t, "login-policy.jsonl") {
				c, ok := asRPC(t, s, g)
				if !ok {
					continue // The row is about paths, verbs or JSON.
				}
				calls++
				got := send(t, s, c)
				code, id := wantedError(g)
				if got.code != code || got.id != id {
					t.Fatalf("%03d %s: code %d, id %q, want %d, %q", i, g.Name, got.code, got.id, code, id)
				}
				if code != 0 {
					continue
				}
				data, err := protojson.Marshal(got.res)
				if err != nil {
					t.Fatal(err)
				}
				var reply any
				if err := json.Unmarshal(data, &reply); err != nil {
					t.Fatal(err)
				}
				keep(t, s, g, reply)
				if diff := same("", withoutNoise(reply), g.Answer); diff != "" {
					t.Fatalf("%03d %s: %s", i, g.Name, diff)
				}
			}
			if calls < 110 {
				t.Errorf("only %d of the calls were made", calls)
			}
		})
	}
}

func wantedError(g golden) (code int, id string) {
	answer, _ := g.Answer.(map[string]any)
	number, _ := answer["code"].(float64)
	if details, ok := answer["details"].([]any); ok {
		id, _ = details[0].(map[string]any)["id"].(string)
	}
	return int(number), id
}

// asRPC finds the method and the message that a REST call stands for.
func asRPC(t *testing.T, s *testkit.Server, g golden) (rpcCall, bool) {
	t.Helper()
	verb, target, _ := strings.Cut(s.Expand(g.Do), " ")
	target, _, _ = strings.Cut(target, "?")
	contract, err := api.Contract()
	if err != nil {
		t.Fatal(err)
	}
	tree := map[string]any{}
	if g.Body != "" && json.Unmarshal([]byte(s.Expand(g.Body)), &tree) != nil {
		return rpcCall{}, false
	}
	c := rpcCall{host: "localhost", header: map[string]string{"Authorization": "Bearer " + s.Token}}
	for _, m := range contract {
		for _, r := range m.Routes {
			if values, ok := match(r.Path, target); ok && r.Verb == verb {
				c.Method = m
				for name, value := range values {
					tree[name] = value
				}
			}
		}
	}
	if c.Method == nil {
		return c, false
	}
	for name, value := range tree { // A number in a path is a number.
		if n, err := strconv.ParseInt(fmt.Sprint(value), 10, 64); err == nil && name == "type" {
			tree[name] = n
		}
	}
	c.json, err = json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	req := dynamicpb.NewMessage(c.Descriptor.Input())
	if (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(c.json, req) != nil {
		return c, false
	}
	c.req = req
	if c.header["X-Zitadel-Orgid"] = s.Expand(g.In); g.Auth != nil {
		c.header["Authorization"] = s.Expand(*g.Auth)
	}
	if g.Host != "" {
		c.host = g.Host
	}
	return c, true
}

func match(template, path string) (map[string]string, bool) {
	want, got := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	values := map[string]string{}
	for i := range want {
		text, err := url.PathUnescape(got[i])
		switch name, ok := strings.CutPrefix(want[i], "{"); {
		case ok && err == nil && text != "":
			values[strings.TrimSuffix(name, "}")] = text
		case want[i] != got[i]:
			return nil, false
		}
	}
	return values, true
}

func post(t *testing.T, s *testkit.Server, c rpcCall, contentType string, body []byte) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, s.URL+c.Procedure, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = c.host
	req.Header.Set("Content-Type", contentType)
	for name, value := range c.header {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	res, err := s.Client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, data
}

func overConnect(t *testing.T, s *testkit.Server, c rpcCall) outcome {
	t.Helper()
	res, data := post(t, s, c, "application/json", c.json)
	out := outcome{res: dynamicpb.NewMessage(c.Descriptor.Output())}
	if res.StatusCode == http.StatusOK {
		if err := protojson.Unmarshal(data, out.res); err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		return out
	}
	var e struct {
		Code    connect.Code
		Details []struct{ Type, Value string }
	}
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	out.code = int(e.Code)
	if len(e.Details) > 0 {
		raw, err := base64.RawStdEncoding.DecodeString(e.Details[0].Value)
		if err != nil {
			t.Fatal(err)
		}
		out.id = detailID(t, raw)
	}
	return out
}

func detailID(t *testing.T, raw []byte) string {
	t.Helper()
	d := &zitadelpb.ErrorDetail{}
	if err := proto.Unmarshal(raw, d); err != nil {
		t.Fatal(err)
	}
	return d.GetId()
}

// invoke makes a call over gRPC, and fills in what it replies.
func invoke(t *testing.T, s *testkit.Server, c rpcCall, reply proto.Message, options ...grpc.CallOption) *grpcstatus.Status {
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
		if value != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, name, value)
		}
	}
	return grpcstatus.Convert(conn.Invoke(ctx, c.Procedure, c.req, reply, options...))
}

func overGRPC(t *testing.T, s *testkit.Server, c rpcCall) outcome {
	t.Helper()
	out := outcome{res: dynamicpb.NewMessage(c.Descriptor.Output())}
	st := invoke(t, s, c, out.res)
	out.code = int(st.Code())
	return out.withDetails(t, st.Proto())
}

func (o outcome) withDetails(t *testing.T, st *status.Status) outcome {
	t.Helper()
	if len(st.GetDetails()) > 0 {
		o.id = detailID(t, st.GetDetails()[0].GetValue())
	}
	return o
}

func overGRPCWeb(t *testing.T, s *testkit.Server, c rpcCall, text bool) outcome {
	t.Helper()
	raw, err := proto.Marshal(c.req)
	if err != nil {
		t.Fatal(err)
	}
	body := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(raw))), raw...)
	contentType := "application/grpc-web+proto"
	if text {
		contentType, body = "application/grpc-web-text", []byte(base64.StdEncoding.EncodeToString(body))
	}
	res, data := post(t, s, c, contentType, body)
	if text {
		data = decodeText(t, data)
	}
	out := outcome{res: dynamicpb.NewMessage(c.Descriptor.Output())}
	trailer := res.Header.Clone()
	for len(data) >= 5 {
		flag, n := data[0], binary.BigEndian.Uint32(data[1:5])
		frame := data[5 : 5+n]
		data = data[5+n:]
		if flag == 0 {
			if err := proto.Unmarshal(frame, out.res); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for line := range strings.SplitSeq(string(frame), "\r\n") {
			if name, value, ok := strings.Cut(line, ":"); ok {
				trailer.Set(name, strings.TrimSpace(value))
			}
		}
	}
	if out.code, err = strconv.Atoi(trailer.Get("Grpc-Status")); err != nil {
		t.Fatalf("HTTP %d without grpc-status: %v", res.StatusCode, trailer)
	}
	st := &status.Status{}
	if bin := trailer.Get("Grpc-Status-Details-Bin"); bin != "" {
		raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(bin, "="))
		if err != nil {
			t.Fatal(err)
		}
		if err := proto.Unmarshal(raw, st); err != nil {
			t.Fatal(err)
		}
	}
	return out.withDetails(t, st)
}

// decodeText reads a sequence of base64 pieces, each with its own padding.
func decodeText(t *testing.T, data []byte) (out []byte) {
	t.Helper()
	for len(data) > 0 {
		n := 4
		for n < len(data) && data[n-1] != '=' {
			n += 4
		}
		piece, err := base64.StdEncoding.DecodeString(string(data[:n]))
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		out, data = append(out, piece...), data[n:]
	}
	return out
}
