package application

import (
	"context"
	"encoding/json"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// JSONKey is the only type of a key.
const JSONKey = 1

// maxKeys is the most keys that an application can have.
const maxKeys = 100

// Key is what may be shown of a key that an application signs with.
type Key struct {
	ID, App, Project string
	Expires          time.Time // zero: never
	Kind             int
	Details          eventstore.Details
}

type keyAdded struct {
	App        string `json:"applicationId"`
	ClientID   string `json:"clientId"`
	ID         string `json:"keyId"`
	Type       int    `json:"type"`
	Expiration string `json:"expirationDate,omitempty"` // RFC 3339; empty: never
	PublicKey  string `json:"publicKey"`                // PEM
}

type keyRemoved struct {
	ID string `json:"keyId"`
}

// The events of keys.
var (
	KeyAdded = eventstore.Declare("project.application.oidc.key.added", func(f *eventstore.Fold, k keyAdded) error {
		var expires int64
		if k.Expiration != "" {
			t, err := time.Parse(time.RFC3339Nano, k.Expiration)
			if err != nil {
				return err
			}
			expires = t.UnixMicro()
		}
		f.ExecUnique(errKeyTaken, `INSERT INTO application_keys (instance_id, key_id, app_id, client_id, public_key, kind, expires, created, sequence)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`, f.Instance, k.ID, k.App, k.ClientID, k.PublicKey, k.Type, expires, f.Micros(), f.Sequence)
		return nil
	})
	KeyRemoved = eventstore.Declare("project.application.oidc.key.removed", func(f *eventstore.Fold, k keyRemoved) error {
		f.Exec(`DELETE FROM application_keys WHERE instance_id = ? AND key_id = ? AND app_id IN
			(SELECT a.app_id FROM applications a WHERE a.instance_id = ? AND a.project_id = ?)`, f.Instance, k.ID, f.Instance, f.ID)
		return nil
	})
)

var (
	errKeyTaken   = fault.AlreadyExists("APP-key-id", "A key with this id exists already.")
	errKeyMissing = fault.NotFound("APP-key", "The application has no such key.")
	errKeys       = fault.Exhausted("APP-keys", "An application can have %d keys at most. Remove one first.", maxKeys)
	errExpired    = fault.Invalid("APP-expired", "The expiration date has passed already.")
)

// NewKey is a key to be added. Its id may be somebody's wish.
type NewKey struct {
	ID      string
	Public  string    // in PEM
	Expires time.Time // zero: never
}

// AddKey gives an application a key to sign with, of which the public part is kept. It
// gives the client id, which goes into the file of the key.
func AddKey(tx *eventstore.Tx, s eventstore.Scope, projectID, id string, n NewKey) (client string, d eventstore.Details, err error) {
	a, project, err := lock(tx, s, projectID, id, "project.app.write")
	if err != nil {
		return "", d, err
	}
	var have int
	if err := tx.Read(database.One(new(bool), "SELECT count(*) FROM application_keys WHERE instance_id = ? AND app_id = ?", []any{s.Instance, id}, &have)); err != nil {
		return "", d, err
	}
	switch {
	case a.ClientID == "":
		return "", d, errKind
	case have >= maxKeys:
		return "", d, errKeys
	case !n.Expires.IsZero() && !n.Expires.After(tx.Now()):
		return "", d, errExpired
	}
	if err := eventstore.CheckID(n.ID); err != nil {
		return "", d, err
	}
	k := keyAdded{App: id, ClientID: a.ClientID, ID: n.ID, Type: JSONKey, PublicKey: n.Public}
	if !n.Expires.IsZero() {
		k.Expiration = n.Expires.UTC().Format(time.RFC3339Nano)
	}
	d, err = KeyAdded.Emit(tx, project, k)
	d.Created = d.Changed
	return a.ClientID, d, err
}

// RemoveKey ends a key: what is signed with it counts for nothing any more.
func RemoveKey(tx *eventstore.Tx, s eventstore.Scope, projectID, id, keyID string) (eventstore.Details, error) {
	_, project, err := lock(tx, s, projectID, id, "project.app.write")
	if err != nil {
		return eventstore.Details{}, err
	}
	var found bool
	if err := tx.Read(database.One(&found, "SELECT key_id FROM application_keys WHERE instance_id = ? AND app_id = ? AND key_id = ?",
		[]any{s.Instance, id, keyID}, new(string))); err != nil {
		return eventstore.Details{}, err
	}
	if !found {
		return eventstore.Details{}, errKeyMissing
	}
	return KeyRemoved.Emit(tx, project, keyRemoved{keyID})
}

// KeyFile is the form in which a key that Gatehouse made is handed out, once. Where it
// made none there is no file.
func KeyFile(keyID, private, appID, clientID string) []byte {
	if private == "" {
		return nil
	}
	file, err := json.Marshal(map[string]string{"type": "application", "keyId": keyID, "key": private, keyApp: appID, keyClient: clientID})
	if err != nil { // Texts always have a JSON form.
		panic(err)
	}
	return file
}

// ends is when a key ends; one that never does ends last.
const ends = "CASE WHEN k.expires = 0 THEN 9223372036854775807 ELSE k.expires END"

// The columns that keys are sorted by. The filters of applications hold for keys
// as well.
const (
	SortKeyID      = "k.key_id"
	SortKeyProject = "a.project_id"
	SortKeyApp     = SortID
	SortKeyCreated = "k.created"
	SortKeyOrg     = "a.org_id"
	SortKeyExpires = ends
	SortKeyKind    = "k.kind"
)

// WithKeyID is the filter for a key.
func WithKeyID(id string) database.Filter { return database.Is(SortKeyID, id) }

// Keys gives the keys of applications that the caller may read.
func Keys(ctx context.Context, r database.Reader, instance string, p database.Page, by string, filters ...database.Filter) (database.Listing[Key], error) {
	visible, args := authz.WhereOn(ctx, "project.app.read", onProject)
	q := database.From("k.key_id, k.app_id, a.project_id, a.org_id, k.expires, k.kind, k.created, k.sequence",
		tables+" JOIN application_keys k ON k.instance_id = a.instance_id AND k.app_id = a.app_id").
		Where("a.instance_id = ?", instance).Where(visible, args...).Filter(filters...)
	columns := []string{by, SortKeyID}
	if by == SortKeyID {
		columns = columns[1:]
	}
	return database.List(ctx, r, q, p, columns, scanKey)
}

func scanKey(scan database.Scan, k *Key) error {
	var expires, created int64
	err := scan(&k.ID, &k.App, &k.Project, &k.Details.Owner, &expires, &k.Kind, &created, &k.Details.Sequence)
	if expires != 0 {
		k.Expires = time.UnixMicro(expires).UTC()
	}
	k.Details.Created = time.UnixMicro(created).UTC()
	k.Details.Changed = k.Details.Created
	return err
}

// OneKey gives the key that the filters leave.
func OneKey(ctx context.Context, r database.Reader, instance string, filters ...database.Filter) (Key, error) {
	l, err := Keys(ctx, r, instance, database.Page{Limit: 1}, SortKeyID, filters...)
	if err == nil && len(l.Rows) == 0 {
		err = errKeyMissing
	}
	if err != nil {
		return Key{}, err
	}
	return l.Rows[0], nil
}
