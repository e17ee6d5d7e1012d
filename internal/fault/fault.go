// Package fault is the one error type that crosses the layers of Gatehouse. A
// fault says what kind of failure happened, which stable id clients may match
// on, and a sentence for people. Any other error is internal: it is logged at
// the edge and never shown.
//
// fault imports nothing of Gatehouse.
package fault

import (
	"errors"
	"fmt"
)

// Kind is the closed list of ways in which a call can fail. The protocol
// layers map kinds to their own codes; no other layer knows a wire code.
type Kind uint8

// The kinds. The zero value is Internal, so that a forgotten kind is never
// mistaken for the caller's mistake.
const (
	KindInternal           Kind = iota // a bug or a broken machine; details are logged, not sent
	KindInvalid                        // the request itself is malformed
	KindUnauthenticated                // who is calling is unknown
	KindDenied                         // the caller is known and may not do this
	KindNotFound                       // the object does not exist, or not for this caller
	KindAlreadyExists                  // the object, or its unique name, exists
	KindFailedPrecondition             // the object is not in the state that the call needs
	KindExhausted                      // a limit is reached; later may work
	KindUnavailable                    // a dependency does not answer; a retry may work
	KindAborted                        // a concurrent change won; a retry may work
	KindDeadline                       // the time limit passed first
	KindUnimplemented                  // the contract has the call, this version does not
)

// Error is a failure with meaning. Its text is a format string that doubles as
// the key for translations; arguments fill it in afterwards.
type Error struct {
	Kind Kind
	ID   string // stable, such as "Org-3M9od"; empty where the wire knows none
	Text string // an English sentence, possibly with fmt verbs
	Args []any
	// Detail says more to programs, in a type that the protocol layers know; nil
	// where id and message are all.
	Detail any
	// Cause is logged and never sent.
	Cause error
}

// Phrase is a part of a sentence that is translated by itself: an argument of a
// fault, such as the name of a policy.
type Phrase struct {
	Text string // English, possibly with fmt verbs
	Args []any
}

// Say makes a phrase.
func Say(text string, args ...any) *Phrase { return &Phrase{Text: text, Args: args} }

// String is the phrase in English.
func (p *Phrase) String() string { return format(p.Text, p.Args) }

// Error gives the English message, with the id and the cause if there are any.
func (e *Error) Error() string {
	s := e.Message()
	if e.ID != "" {
		s += " (" + e.ID + ")"
	}
	if e.Cause != nil {
		s += ": " + e.Cause.Error()
	}
	return s
}

// Message is the English sentence alone.
func (e *Error) Message() string { return format(e.Text, e.Args) }

func format(text string, args []any) string {
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Is reports whether target is a fault of the same kind and id, so that
// errors.Is compares meaning and not identity.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.ID == e.ID
}

// Because returns a copy of e that carries cause for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.Cause = cause
	return &c
}

// FailedCheck is the detail of a fault that says that a secret was wrong.
type FailedCheck struct {
	Attempts uint64 // so often in succession, this time included
}

// WrongField is the detail of a fault about a field of a request, which its text names
// first.
type WrongField struct {
	Path string // as in JSON
}

// With returns a copy of e that carries detail.
func (e *Error) With(detail any) *Error {
	c := *e
	c.Detail = detail
	return &c
}

// New makes a fault of the given kind. The other constructors read better.
func New(kind Kind, id, text string, args ...any) *Error {
	return &Error{Kind: kind, ID: id, Text: text, Args: args}
}

// Invalid says that the request itself is wrong, and what to change.
func Invalid(id, text string, args ...any) *Error { return New(KindInvalid, id, text, args...) }

// Unauthenticated says that the caller is unknown.
func Unauthenticated(id, text string, args ...any) *Error {
	return New(KindUnauthenticated, id, text, args...)
}

// Denied says that the caller lacks the permission.
func Denied(id, text string, args ...any) *Error { return New(KindDenied, id, text, args...) }

// NotFound says that the object does not exist as far as the caller may know.
func NotFound(id, text string, args ...any) *Error { return New(KindNotFound, id, text, args...) }

// AlreadyExists says that the object or its unique name is taken.
func AlreadyExists(id, text string, args ...any) *Error {
	return New(KindAlreadyExists, id, text, args...)
}

// Precondition says that the object is not in the state the call needs.
func Precondition(id, text string, args ...any) *Error {
	return New(KindFailedPrecondition, id, text, args...)
}

// Exhausted says that a limit is reached.
func Exhausted(id, text string, args ...any) *Error { return New(KindExhausted, id, text, args...) }

// Unavailable says that something Gatehouse needs does not answer.
func Unavailable(id, text string, args ...any) *Error {
	return New(KindUnavailable, id, text, args...)
}

// Unimplemented says that this version does not have the call.
func Unimplemented(text string, args ...any) *Error {
	return New(KindUnimplemented, "", text, args...)
}

// Of finds the fault in err's chain. Everything else, a nil error included,
// becomes Internal with err as its cause.
func Of(err error) *Error {
	if f, ok := errors.AsType[*Error](err); ok {
		return f
	}
	return New(KindInternal, "", "Something went wrong on our side.").Because(err)
}

// KindOf is the kind of err; Internal for errors that are no fault.
func KindOf(err error) Kind { return Of(err).Kind }
