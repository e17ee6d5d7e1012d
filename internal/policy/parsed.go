package policy

import (
	"encoding/json"
	"sync"
)

// maxParsed bounds how many documents of a kind are remembered.
const maxParsed = 1000

// Parsed gives what JSON documents say. The same text says the same for ever, so it is
// parsed once and remembered by the text itself: nothing here can be stale. Nobody may
// change what the slices and maps of a value hold.
type Parsed[T any] struct {
	mu   sync.RWMutex
	seen map[string]T
}

// Of is what a document says. It keeps nothing of the bytes.
func (p *Parsed[T]) Of(document []byte) (value T, err error) {
	p.mu.RLock()
	value, ok := p.seen[string(document)]
	p.mu.RUnlock()
	if ok {
		return value, nil
	}
	if err := json.Unmarshal(document, &value); err != nil {
		return value, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil || len(p.seen) >= maxParsed { // All of them may go: those in use come back at once.
		p.seen = map[string]T{}
	}
	p.seen[string(document)] = value
	return value, nil
}
