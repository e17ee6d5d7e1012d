package database

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// beat is how often the watch looks at what it has heard.
	beat = 250 * time.Millisecond
	// freshAfter and freshEvery say in which beats without an answer another connection is tried:
	// the one that asks may be broken, or lead to a server that is not in charge any more.
	freshAfter, freshEvery = 4, 2
	// maxLooks bounds the connections of the watch. It has one while it is answered.
	maxLooks = 10
	// askAgain is the pause between an answer and the next question, and lookFor how long a
	// question may be open: it is late long before.
	askAgain, lookFor = 200 * time.Millisecond, 5 * time.Second
)

var errSilent = errors.New("the database says nothing")

// watch notices when PostgreSQL says nothing any more. A server that is stopped, or behind a
// network that swallows what is sent, refuses nobody: without a watch every call would wait for
// it until its own time is over.
//
// It asks again and again on a connection of its own. A refusal is an answer: it reaches the
// calls as soon. What counts is beats of this process and no clock, so that a process that was
// stopped, or had no processor, does not take its own silence for the database's.
type watch struct {
	config *pgx.ConnConfig
	// began is called when a silence begins.
	began func()

	mu       sync.Mutex
	beats    int
	answered int   // the last beat in which there was an answer in time
	looks    int   // how many run
	best     *look // the one that goes on asking
	spoken   context.Context
	silence  context.CancelFunc // ends spoken
}

func newWatch(config *pgx.ConnConfig, began func()) *watch {
	w := &watch{config: config.Copy(), began: began}
	w.config.RuntimeParams["application_name"] = "gatehouse watch"
	w.spoken, w.silence = context.WithCancel(context.Background())
	return w
}

// while gives a context that ends with ctx, and at once when the database falls silent. It
// fails while that is so.
func (w *watch) while(ctx context.Context) (context.Context, context.CancelFunc, error) {
	spoken := w.speech()
	if spoken.Err() != nil {
		return nil, nil, unavailable(errSilent)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(spoken, func() { cancel(errSilent) })
	return ctx, func() {
		stop()
		cancel(nil)
	}, nil
}

// speech ends when the database falls silent.
func (w *watch) speech() context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.spoken
}

// run watches until ctx ends.
func (w *watch) run(ctx context.Context) {
	var looks sync.WaitGroup
	defer looks.Wait()
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for {
		if l := w.next(); l != nil {
			looks.Go(func() {
				defer w.end(l)
				l.run(ctx)
			})
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// next counts a beat, and gives the look that is to begin with it.
func (w *watch) next() *look {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.beats++
	quiet := w.beats - w.answered
	if quiet >= silentAfter && w.spoken.Err() == nil {
		slog.Warn("the database says nothing: calls are refused until it does")
		w.silence()
		w.began()
	}
	if w.looks > 0 && (w.looks >= maxLooks || quiet < freshAfter || quiet%freshEvery != 0) {
		return nil
	}
	w.looks++
	return &look{watch: w, asked: w.beats, open: true}
}

func (w *watch) end(l *look) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looks--
	if w.best == l {
		w.best = nil
	}
}

// look is one connection that asks.
type look struct {
	*watch
	asked int  // the beat of the question
	open  bool // whether there was no answer yet
	late  bool // whether an answer ever was
}

// ask begins a question, unless one is open.
func (l *look) ask() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open {
		l.asked, l.open = l.beats, true
	}
}

// hear ends a question. A late answer does not end a silence: who would wait for as long?
func (l *look) hear() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open {
		return
	}
	l.open = false
	if l.beats-l.asked >= silentAfter {
		l.late = true
		return
	}
	l.answered = l.beats
	if l.spoken.Err() != nil {
		slog.Info("the database answers again")
		l.spoken, l.silence = context.WithCancel(context.Background())
	}
}

// goesOn reports whether the look is the one that goes on.
func (l *look) goesOn() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.best == nil && !l.late {
		l.best = l
	}
	return l.best == l && !l.late
}

// run connects and asks, as long as it is answered.
func (l *look) run(ctx context.Context) {
	config := l.config.Copy()
	dial := config.DialFunc
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		l.ask()
		c, err := dial(ctx, network, address)
		if err != nil {
			l.judge(err)
			return nil, err
		}
		return listening{c, l}, nil // No answer: the kernel of a machine takes connections for a server that is stopped.
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err == nil {
		for l.goesOn() && l.again(ctx, conn) {
			pause(ctx)
		}
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}
	pause(ctx)
}

func (l *look) again(ctx context.Context, conn *pgx.Conn) bool {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	return conn.Ping(ctx) == nil
}

func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(askAgain):
	}
}

// judge hears an error, where it is one that came from somewhere.
func (l *look) judge(err error) {
	var network net.Error
	if errors.As(err, &network) && network.Timeout() || errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled) {
		return
	}
	l.hear()
}

// listening is the connection of a look, which tells it what passes.
type listening struct {
	net.Conn
	look *look
}

// Write begins a question.
func (c listening) Write(p []byte) (int, error) {
	c.look.ask()
	return c.Conn.Write(p)
}

// Read ends it.
func (c listening) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.look.hear()
	} else if err != nil {
		c.look.judge(err)
	}
	return n, err
}
