package oidc

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
)

const (
	// patience is how long the database is waited for where the memory has an answer.
	patience = 500 * time.Millisecond
	// remember bounds how old an answer from the memory is.
	remember = time.Hour
	// maxHosts bounds of how many hosts the memory holds an answer.
	maxHosts = 1000
)

// memory holds what was last read about hosts, for while the database does not answer. It
// is for what is public and changes rarely, and what clients keep for some minutes anyway:
// nobody is let in by it. While the database answers, what it says is what counts.
type memory[T any] struct {
	mu   sync.Mutex
	last map[string]kept[T]
}

type kept[T any] struct {
	value T
	at    time.Time
}

// read is look, or what it gave last where the database does not answer now.
func (m *memory[T]) read(ctx context.Context, host string, now time.Time, look func(context.Context) (T, error)) (T, error) {
	host = hostname.Canonical(host)
	m.mu.Lock()
	old, known := m.last[host]
	m.mu.Unlock()
	if !known || now.Sub(old.at) > remember {
		value, err := look(ctx)
		m.note(host, now, value, err)
		return value, err
	}
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	// It goes on when nobody waits any more: to break it off would cost its connection.
	own, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	go func() {
		defer cancel()
		var a answer
		defer func() {
			if p := recover(); p != nil {
				a.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
			}
			m.note(host, now, a.value, a.err)
			answers <- a
		}()
		a.value, a.err = look(own)
	}()
	select {
	case a := <-answers:
		if away(a.err) {
			return old.value, nil
		}
		return a.value, a.err
	case <-time.After(patience):
		return old.value, nil
	case <-ctx.Done():
		return old.value, nil
	}
}

// away reports whether an error says nothing but that the database does not answer.
func away(err error) bool {
	kind := fault.KindOf(err)
	return err != nil && (kind == fault.KindUnavailable || kind == fault.KindDeadline)
}

// note keeps an answer, and forgets the one before where there is none any more.
func (m *memory[T]) note(host string, now time.Time, value T, err error) {
	if away(err) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last[host].at.After(now) {
		return // A look that began later has ended before this one.
	}
	delete(m.last, host)
	if err != nil {
		return
	}
	if m.last == nil {
		m.last = map[string]kept[T]{}
	}
	for other := range m.last {
		if len(m.last) < maxHosts {
			break
		}
		delete(m.last, other) // Any will do: the database knows it.
	}
	m.last[host] = kept[T]{value, now}
}
