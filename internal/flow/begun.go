package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/user"
)

// TicketLifetime is how long a browser is known again in which somebody asked for a mail.
const TicketLifetime = 24 * time.Hour

// NewTicket makes what a browser is known again by that asks for a mail: the browser keeps
// the ticket, and the server its hash. It leaves the server in no mail, so that the link of
// a mail, which others may open, goes on with nothing that this browser began.
func NewTicket() (ticket, hash string) { return user.NewCode() }

func ticketKey(instance, userID, hash string) user.CodeKey {
	return user.CodeKey{Instance: instance, UserID: userID, Purpose: user.ToGoOn, ID: hash}
}

// keepTicket notes in which browser the mail to the user was asked for.
func keepTicket(tx *eventstore.Tx, instance, userID, hash string) {
	if userID != "" && hash != "" {
		user.KeepTicket(tx, ticketKey(instance, userID, hash), TicketLifetime)
	}
}

// BeganHere reports whether the mail was asked for in the browser with this ticket whose code
// the user has just used, or in another one. It says so once.
func BeganHere(ctx context.Context, store *eventstore.Store, r user.Ref, ticket string) (here, elsewhere bool, err error) {
	err = store.Write(ctx, func(tx *eventstore.Tx) (err error) {
		here, elsewhere, err = user.TakeTickets(tx, ticketKey(r.Instance, r.UserID, user.HashToken(ticket)))
		return err
	})
	return here, elsewhere && !here, err
}
