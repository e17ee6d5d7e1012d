package message

import (
	"context"
	"slices"
	"sync"
)

// Watched is which channels messages were queued for.
type Watched struct {
	mu       sync.Mutex
	channels []Channel
}

type watchKey struct{}

// Watch remembers the channels of messages that are queued with the context.
func Watch(ctx context.Context) (context.Context, *Watched) {
	w := &Watched{}
	return context.WithValue(ctx, watchKey{}, w), w
}

// Channels are those of the messages so far, in order.
func (w *Watched) Channels() []Channel {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.channels)
}

func noteQueued(ctx context.Context, c Channel) {
	w, ok := ctx.Value(watchKey{}).(*Watched)
	if !ok {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Contains(w.channels, c) {
		w.channels = append(w.channels, c)
		slices.Sort(w.channels)
	}
}
