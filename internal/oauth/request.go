package oauth

import (
	"encoding/json"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

var (
	requests   = eventstore.DeclareEphemeral("oauth_requests", "instance_id, request_id", "a request that waits for a login is gone in an hour, and what comes of it is an event")
	codes      = eventstore.DeclareEphemeral("oauth_codes", "instance_id, code_hash", "a code works once and for a minute, and the tokens that it gives are events")
	assertions = eventstore.DeclareEphemeral("oauth_assertions", "instance_id, client_id, hash", "the id of a signed proof is kept for as long as the proof would be good")
)

// How long things wait.
const (
	RequestLifetime = time.Hour        // a request, for its user
	CodeLifetime    = 60 * time.Second // a code, for its client
	answerLifetime  = time.Minute      // an answer, for the browser
)

// Request is an authorization request as the client made it, checked already.
type Request struct {
	ID           string    `json:"-"`
	Created      time.Time `json:"-"`
	ClientID     string    `json:"-"`
	RedirectURI  string    `json:"redirectURI"`
	ResponseType string    `json:"responseType"`
	ResponseMode string    `json:"responseMode"`
	Issuer       string    `json:"issuer"` // under which the client made it
	Scopes       []string  `json:"scopes"`
	State        string    `json:"state,omitempty"`
	Nonce        string    `json:"nonce,omitempty"`
	Challenge    string    `json:"challenge,omitempty"` // of PKCE, by S256; empty: none
	Prompt       []string  `json:"prompt,omitempty"`
	UILocales    []string  `json:"uiLocales,omitempty"`
	LoginHint    string    `json:"loginHint,omitempty"`
	HintUserID   string    `json:"hintUserID,omitempty"` // of the ID token that was given as a hint
	MaxAge       *int64    `json:"maxAge,omitempty"`     // seconds
	ACRValues    []string  `json:"acrValues,omitempty"`
}

// errNoRequest says the same of a request that was answered and of one that never was.
var errNoRequest = fault.NotFound("OIDC-request", "There is no such authorization request, or no longer. Start the login at the application again.")

// Keep keeps a request until its user has logged in.
func (r *Request) Keep(tx *eventstore.Tx, instance string) error {
	return keep(tx, instance, r.ID, r.ClientID, r, RequestLifetime)
}

func keep(tx *eventstore.Tx, instance, id, clientID string, document any, lifetime time.Duration) error {
	data, err := json.Marshal(document)
	if err == nil {
		requests.Exec(tx, "INSERT INTO oauth_requests (instance_id, request_id, client_id, document, created, expires) VALUES (?, ?, ?, ?, ?, ?)",
			instance, id, clientID, string(data), tx.Now().UnixMicro(), tx.Now().Add(lifetime).UnixMicro())
	}
	return err
}

const requestSQL = "SELECT client_id, document, created FROM oauth_requests WHERE instance_id = ? AND request_id = ? AND expires > ?"

// RequestByID asks for a request, which stays without an id where there is none.
func RequestByID(instance, id string, now time.Time, r *Request) database.Query {
	return database.Query{SQL: requestSQL, Args: []any{instance, id, now.UnixMicro()}, Row: r.read(id)}
}

func (r *Request) read(id string) func(database.Scan) error {
	return func(scan database.Scan) error {
		var document string
		var created int64
		if err := scan(&r.ClientID, &document, &created); err != nil {
			return err
		}
		r.ID, r.Created = id, time.UnixMicro(created).UTC()
		return json.Unmarshal([]byte(document), r)
	}
}

// Known refuses a request that is not there.
func (r *Request) Known() error {
	if r.ID == "" {
		return errNoRequest
	}
	return nil
}

// TakeRequest gives a request once: of two who answer it, one succeeds.
func TakeRequest(tx *eventstore.Tx, instance, id string) (Request, error) {
	var r Request
	err := readLocked(tx, RequestByID(instance, id, tx.Now(), &r))
	if err == nil {
		err = r.Known()
	}
	if err == nil {
		drop(tx, instance, id)
	}
	return r, err
}

// readLocked reads a row and holds it until the transaction ends.
func readLocked(tx *eventstore.Tx, q database.Query) error {
	q.SQL += " FOR UPDATE"
	return tx.Read(q)
}

func drop(tx *eventstore.Tx, instance, id string) {
	requests.Exec(tx, "DELETE FROM oauth_requests WHERE instance_id = ? AND request_id = ?", instance, id)
}

// Answer is the parameters of an answer that a page posts to a client.
type Answer struct {
	URI        string      `json:"uri"`
	Parameters [][2]string `json:"parameters"`
}

// KeepAnswer keeps an answer for the browser that fetches it by its id.
func KeepAnswer(tx *eventstore.Tx, instance, id string, a Answer) error {
	return keep(tx, instance, answerPrefix+id, "", a, answerLifetime)
}

// answerPrefix keeps the ids of answers apart from those of requests.
const answerPrefix = "answer:"

// TakeAnswer gives an answer once.
func TakeAnswer(tx *eventstore.Tx, instance, id string) (a Answer, err error) {
	var clientID, document string
	var created int64
	found := false
	err = tx.Read(database.One(&found, requestSQL+" FOR UPDATE", []any{instance, answerPrefix + id, tx.Now().UnixMicro()}, &clientID, &document, &created))
	switch {
	case err != nil:
		return a, err
	case !found:
		return a, errNoRequest
	}
	drop(tx, instance, answerPrefix+id)
	return a, json.Unmarshal([]byte(document), &a)
}

var errAssertionUsed = fault.Unauthenticated("OIDC-assertion-used", "The assertion has been used already: sign another one, with a jti of its own.")

// UseAssertion notes that a client proved itself with a signed proof, which it can
// do once. hash is that of the proof's id.
func UseAssertion(tx *eventstore.Tx, instance, clientID, hash string, expires time.Time) {
	assertions.Exec(tx, "DELETE FROM oauth_assertions WHERE instance_id = ? AND client_id = ? AND hash = ? AND expires <= ?",
		instance, clientID, hash, tx.Now().UnixMicro())
	assertions.ExecUnique(tx, errAssertionUsed, "INSERT INTO oauth_assertions (instance_id, client_id, hash, expires) VALUES (?, ?, ?, ?)",
		instance, clientID, hash, expires.UnixMicro())
}
