package flow

import (
	"encoding/json"
	"sync"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// maxParsed bounds how many documents of a kind are remembered.
const maxParsed = 1000

// parsed gives what JSON documents say. The same text says the same for ever, so it is
// parsed once and remembered by the text itself: nothing here can be stale. Nobody may
// change what the slices and maps of a value hold.
type parsed[T any] struct {
	mu   sync.RWMutex
	seen map[string]T
}

func (p *parsed[T]) of(document string) (value T, err error) {
	p.mu.RLock()
	value, ok := p.seen[document]
	p.mu.RUnlock()
	if ok {
		return value, nil
	}
	if err := json.Unmarshal([]byte(document), &value); err != nil {
		return value, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil || len(p.seen) >= maxParsed { // All of them may go: those in use come back at once.
		p.seen = map[string]T{}
	}
	p.seen[document] = value
	return value, nil
}

// The documents that most requests need.
var (
	applications   parsed[application.OIDC]
	logins         parsed[policy.LoginPolicy]
	oauthLifetimes parsed[policy.OIDCSettings]
)
