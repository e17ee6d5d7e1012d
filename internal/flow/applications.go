package flow

import (
	"context"
	"strings"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/user"
)

// NewApplication is what somebody gets to know of an application that they made.
type NewApplication struct {
	ID, ClientID string
	Secret       string // shown this once; empty: it has none
	eventstore.Details
}

// AddApplication adds an application to a project, whose ids may be somebody's wishes:
// what of them is empty is a new one.
func AddApplication(tx *eventstore.Tx, s eventstore.Scope, projectID, id, clientID, name string, c application.Config) (n NewApplication, err error) {
	if n.ID = id; id == "" {
		n.ID = tx.NewID()
	}
	if _, saml := c.(*application.SAML); !saml {
		if n.ClientID = clientID; clientID == "" {
			n.ClientID = tx.NewID()
		}
		if err := eventstore.CheckID(n.ClientID); err != nil {
			return n, err
		}
	}
	var hash string
	if application.NeedsSecret(c) {
		n.Secret, hash = user.NewSecret()
	}
	n.Details, err = application.Add(tx, s, projectID, application.New{ID: n.ID, ClientID: n.ClientID, Name: name, SecretHash: hash, Config: c})
	return n, err
}

// ResetApplicationSecret gives an application a new secret and ends the one before.
// is says which kind of applications the caller means; nil: any.
func ResetApplicationSecret(tx *eventstore.Tx, s eventstore.Scope, projectID, id string, is func(application.Config) bool) (string, eventstore.Details, error) {
	secret, hash := user.NewSecret()
	d, err := application.SetSecret(tx, s, projectID, id, hash, is)
	return secret, d, err
}

// AddApplicationKey gives an application a key: one whose public part n has, or a new one,
// which it gives as a file, this once.
func AddApplicationKey(ctx context.Context, store *eventstore.Store, s eventstore.Scope, projectID, id string, n application.NewKey) (keyID string, file []byte, d eventstore.Details, err error) {
	if err := application.MayWrite(ctx, store, s, projectID); err != nil {
		return "", nil, d, err
	}
	private, public, err := user.KeyPair([]byte(n.Public))
	if err != nil {
		return "", nil, d, err
	}
	err = store.Write(ctx, func(tx *eventstore.Tx) (err error) {
		if keyID = n.ID; keyID == "" {
			keyID = tx.NewID()
		}
		var client string
		client, d, err = application.AddKey(tx, s, projectID, id, application.NewKey{ID: keyID, Public: public, Expires: n.Expires})
		file = application.KeyFile(keyID, private, id, client)
		return err
	})
	return keyID, file, d, err
}

var (
	errUnreachable = fault.Invalid("APP-unreachable", "This address leads to where Gatehouse must not send anything: a network that is not public.")
	errFetch       = fault.Precondition("APP-fetch", "There is nothing to fetch at the address of the metadata: it must be https, public, and answer with %d bytes at most.", application.MaxMetadata)
)

// CheckApplicationURL refuses an address that Gatehouse shall call on behalf of an
// application where that must not be reached. Where the addresses of a name lead is told
// to nobody who may not change the application.
func CheckApplicationURL(ctx context.Context, r database.Reader, out Outside, s eventstore.Scope, projectID, url string) error {
	if url == "" {
		return nil
	}
	if err := application.MayWrite(ctx, r, s, projectID); err != nil {
		return err
	}
	if err := out.Reach(ctx, url); err != nil {
		return errUnreachable
	}
	return nil
}

// FetchMetadata gives the metadata of an application of SAML from where that
// publishes it.
func FetchMetadata(ctx context.Context, r database.Reader, out Outside, s eventstore.Scope, projectID, url string) ([]byte, error) {
	if err := application.MayWrite(ctx, r, s, projectID); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(url, "https://") {
		return nil, errFetch
	}
	text, err := out.Text(ctx, url, application.MaxMetadata)
	if err != nil {
		return nil, errFetch.Because(err)
	}
	return []byte(text), nil
}
