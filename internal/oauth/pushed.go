package oauth

import (
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

type requestRefused struct {
	ClientID string `json:"clientID"` // who pushed it
	For      string `json:"for"`      // the client that it was brought for
}

// RequestRefused says that a request which a client pushed was brought as one of another
// client. It is void.
var RequestRefused = eventstore.Declare("auth_request.refused", func(*eventstore.Fold, requestRefused) error { return nil })

// PusherOf asks which client pushed a request that waits.
func PusherOf(instance, hash string, now time.Time, clientID *string) database.Query {
	return database.One(new(bool), "SELECT client_id FROM oauth_requests WHERE instance_id = ? AND request_id = ? AND expires > ?",
		[]any{instance, pushedPrefix + hash, now.UnixMicro()}, clientID)
}

// VoidPushed leaves nothing of a request that a client pushed and another one brings.
func VoidPushed(tx *eventstore.Tx, instance, hash, clientID string) error {
	pusher := ""
	if err := tx.Read(PusherOf(instance, hash, tx.Now(), &pusher).ForUpdate()); err != nil || pusher == "" || pusher == clientID {
		return err
	}
	drop(tx, instance, pushedPrefix+hash)
	at := eventstore.Aggregate{Instance: instance, Type: "auth_request", ID: hash, Owner: instance}
	err := tx.Start(at)
	if err == nil {
		_, err = RequestRefused.Emit(tx, at, requestRefused{ClientID: pusher, For: clientID})
	}
	return err
}
