package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/logout"
	"github.com/gatehouse/gatehouse/internal/session"
)

// LogoutOf is what is known about an application that is to be told of a logout.
type LogoutOf struct {
	logout.Application
	// URI is where it is told; empty: nowhere, or nowhere any more.
	URI string
}

// FindLogout looks for the application of a notice; found says whether it is to be told
// still. also are queries that travel along.
func FindLogout(ctx context.Context, store *eventstore.Store, instance string, n logout.Notice, also ...Query) (out LogoutOf, found bool, err error) {
	var app clientApp
	dest, done := app.dest()
	err = store.Read(ctx, append(also, logout.Of(instance, n.SessionID, n.ClientID, &out.Application, &found), Query{
		SQL: "SELECT " + applicationColumns + " FROM applications a WHERE a.instance_id = ? AND a.client_id = ?", Args: []any{instance, n.ClientID},
		Row: func(scan database.Scan) error {
			if err := scan(dest...); err != nil {
				return err
			}
			return done()
		},
	})...)
	out.URI = app.Config.BackChannelLogoutURI
	return out, found, err
}

// tellOfLogout notes that the client of a login is to be told when its session ends,
// where the client wants to be. A session that has a lifetime ends by it.
func tellOfLogout(tx *eventstore.Tx, c *Client, issuer, sessionID, userID string) error {
	if c.Config.BackChannelLogoutURI == "" || sessionID == "" {
		return nil
	}
	var ends time.Time
	isNew, err := logout.Register(tx, c.Instance.ID, sessionID, logout.Application{ClientID: c.ID, UserID: userID, Issuer: issuer},
		session.AskEnd(c.Instance.ID, sessionID, &ends))
	if err == nil && isNew && !ends.IsZero() {
		err = endAtLifetime(tx, c.Instance.ID, sessionID, ends)
	}
	return err
}
