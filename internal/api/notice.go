package api

import (
	"context"
	"strings"

	"google.golang.org/protobuf/proto"

	queue "github.com/gatehouse/gatehouse/internal/message"
)

// headerNotice is what a call is answered with that has done what it was asked for, but
// will not have the effect that the caller may expect.
const headerNotice = "X-Gatehouse-Notice"

// noticing runs a call and notices what it queued for people that nobody will carry.
func (s *Server) noticing(ctx context.Context, call *Call, rpc *RPC, req proto.Message) (proto.Message, error) {
	ctx, queued := queue.Watch(ctx)
	res, err := rpc.run(ctx, req)
	if err == nil {
		call.notice = s.notice(ctx, call.Instance.ID, queued.Channels())
	}
	return res, err
}

// notice says that what the call queued waits for want of a provider. Where that is not
// known, the call has succeeded all the same.
func (s *Server) notice(ctx context.Context, instance string, queued []queue.Channel) string {
	waits, err := s.gate.Uncarried(ctx, instance, queued)
	if err != nil || len(waits) == 0 {
		return ""
	}
	names := make([]string, len(waits))
	for i, c := range waits {
		names[i] = string(c)
	}
	return "messages wait, no provider is active for: " + strings.Join(names, ", ")
}

// extras sets the headers of an answer that go beyond the contract.
func (c *Call) extras(h interface{ Set(name, value string) }) {
	for name, value := range map[string]string{headerNextPage: c.cursor.Next, headerNotice: c.notice} {
		if value != "" {
			h.Set(name, value)
		}
	}
}
