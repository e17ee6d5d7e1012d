package flow

import (
	"context"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/provider"
)

// Uncarried lists those of the channels for which an instance has no active provider:
// messages for them wait.
func (g *Gate) Uncarried(ctx context.Context, instance string, channels []message.Channel) (out []message.Channel, err error) {
	carried := make([]bool, len(channels))
	queries := make([]database.Query, len(channels))
	for i, c := range channels {
		queries[i] = provider.Active(instance, provider.Sort(c), &carried[i], new(provider.Provider))
	}
	if len(channels) > 0 {
		err = g.store.Read(ctx, queries...)
	}
	for i, c := range channels {
		if !carried[i] {
			out = append(out, c)
		}
	}
	return out, err
}
