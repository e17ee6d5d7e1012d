// Package notify sends what verbs have queued for people, by mail and SMS, at
// least once: it opens the message, finds the provider and the text, and says
// with an event that the message was sent.
//
// It stands beside the wire: it may import flow, outbound and what is under them.
package notify

import (
	"context"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/job"
	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/outbound"
	"github.com/gatehouse/gatehouse/internal/provider"
)

const (
	// sendTimeout bounds one attempt to send.
	sendTimeout = 10 * time.Second
	// waitForProvider is how long a message waits for somebody to carry it before it
	// looks again.
	waitForProvider = time.Minute
)

// Worker sends messages.
type Worker struct {
	store    *eventstore.Store
	vault    *crypto.Vault
	out      *outbound.Client
	external *url.URL
	mailbox  *Mailbox // takes what nobody carries; nil: it waits
	waiting  sync.Map // instances and sorts without a provider, which were logged
}

// New makes a worker. Links have the scheme and the port of external, and the
// primary domain of their instance. What nobody carries waits or, where there is a
// mailbox, goes there.
func New(store *eventstore.Store, vault *crypto.Vault, out *outbound.Client, external *url.URL, mailbox *Mailbox) *Worker {
	return &Worker{store: store, vault: vault, out: out, external: external, mailbox: mailbox}
}

// Work is the work of the jobs that queue messages.
func (w *Worker) Work() map[string]job.Work { return map[string]job.Work{message.Job: w.send} }

// send is the work of one message.
func (w *Worker) send(ctx context.Context, j job.Job) (time.Time, error) {
	m, err := message.Open(ctx, w.vault, j.Instance, j.Payload)
	if err != nil {
		return time.Time{}, err
	}
	about := []any{"kind", m.Kind, "instance", j.Instance, "user", m.UserID}
	if !w.store.Now().Before(m.Deadline()) {
		slog.WarnContext(ctx, "a message ended before it could be sent", about...)
		return time.Time{}, nil
	}
	f, err := w.look(ctx, j.Instance, m)
	switch {
	case err != nil:
		return time.Time{}, err
	case f.gone:
		return time.Time{}, nil
	case !f.carried && w.mailbox == nil:
		w.noProvider(ctx, j.Instance, m)
		return earlier(w.store.Now().Add(waitForProvider), m.Deadline()), nil
	}
	w.waiting.Delete(waitKey(j.Instance, m))
	until, err := w.slot(ctx, j.Instance, m.Recipient)
	if err != nil || !until.IsZero() {
		return earlier(until, m.Deadline()), err
	}
	if !f.carried {
		w.mailbox.keep(w.store.Now(), j.Instance, m, compose(f, m))
	} else if err := w.deliver(ctx, f, m); err != nil {
		return time.Time{}, err
	}
	return time.Time{}, w.store.Write(ctx, func(tx *eventstore.Tx) error { return sent(tx, j.Instance, m) })
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// deliver hands a message to who carries it.
func (w *Worker) deliver(ctx context.Context, f facts, m message.Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	secret, err := provider.Secret(ctx, w.vault, f.provider)
	if err != nil {
		return err
	}
	c := compose(f, m)
	switch f.provider.Kind {
	case provider.KindHTTP:
		return w.post(ctx, f.provider, secret, m, c)
	case provider.KindTwilio:
		return w.smsByTwilio(ctx, f.provider.Twilio, secret, m.Recipient, c.Text)
	}
	html, err := c.html()
	if err != nil {
		return err
	}
	return w.mailBySMTP(ctx, f.provider, secret, letter{to: m.Recipient, subject: c.Subject, text: c.plain(), html: html})
}

func waitKey(instance string, m message.Message) string { return instance + " " + string(m.Channel) }

// noProvider says once that messages wait.
func (w *Worker) noProvider(ctx context.Context, instance string, m message.Message) {
	if _, known := w.waiting.LoadOrStore(waitKey(instance, m), true); !known {
		slog.WarnContext(ctx, "messages wait: no provider is active", "channel", m.Channel, "instance", instance)
	}
}
