package oauth

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

var (
	requests   = eventstore.DeclareEphemeral("oauth_requests", "instance_id, request_id", "a request that waits for a login is gone in an hour, and what comes of it is an event")
	codes      = eventstore.DeclareEphemeral("oauth_codes", "instance_id, code_hash", "a code works once and for a minute, and the tokens that it gives are events")
	proofs     = eventstore.DeclareEphemeral("oauth_proofs", "instance_id, hash", "the id of a proof of a key is kept for as long as the proof would be good")
	assertions = eventstore.DeclareEphemeral("oauth_assertions", "instance_id, client_id, hash", "the id of a signed proof is kept for as long as the proof would be good")
)

// How long things wait.
const (
	RequestLifetime = time.Hour        // a request, for its user
	CodeLifetime    = 60 * time.Second // a code, for its client
	PushedLifetime  = 60 * time.Second // a request that a client pushed, for the browser
	answerLifetime  = time.Minute      // an answer, for the browser
)

// Request is an authorization request as the client made it, checked already.
type Request struct {
	ID           string    `json:"-"`
	Pushed       string    `json:"-"` // the hash of the URI under which the client pushed it; empty: it did not
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
	Key          string    `json:"jkt,omitempty"`       // the thumbprint of dpop_jkt; empty: none
	Prompt       []string  `json:"prompt,omitempty"`
	UILocales    []string  `json:"uiLocales,omitempty"`
	LoginHint    string    `json:"loginHint,omitempty"`
	HintUserID   string    `json:"hintUserID,omitempty"` // of the ID token that was given as a hint
	MaxAge       *int64    `json:"maxAge,omitempty"`     // seconds
	ACRValues    []string  `json:"acrValues,omitempty"`
}

// errNoRequest says the same of a request that was answered and of one that never was.
var errNoRequest = fault.NotFound("OIDC-request", "There is no such authorization request, or no longer. Start the login at the application again.")

// Keep keeps a request until its user has logged in. One that was pushed is kept once.
func (r *Request) Keep(tx *eventstore.Tx, instance string) error {
	if r.Pushed != "" {
		if err := takePushed(tx, instance, r.Pushed); err != nil {
			return err
		}
	}
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
		if strings.Contains(id, ":") { // Something else is kept under it.
			return nil
		}
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
	err := tx.Read(RequestByID(instance, id, tx.Now(), &r).ForUpdate())
	if err == nil {
		err = r.Known()
	}
	if err == nil {
		drop(tx, instance, id)
	}
	return r, err
}

func drop(tx *eventstore.Tx, instance, id string) {
	requests.Exec(tx, "DELETE FROM oauth_requests WHERE instance_id = ? AND request_id = ?", instance, id)
}

// Answer is the parameters of an answer to a client.
type Answer struct {
	URI        string      `json:"uri"`
	Parameters [][2]string `json:"parameters"`
	Mode       string      `json:"mode"` // how it goes to the client
	// Front is set where tokens are to be added, when the browser fetches the answer.
	Front *Front `json:"front,omitempty"`
}

// Front is what a client gets by way of the browser (OpenID Connect Core, section 3.2):
// tokens instead of a code, which stays here and is used for them.
type Front struct {
	ClientID     string `json:"clientID"`
	ResponseType string `json:"responseType"`
	Code         string `json:"code"`
}

// KeepAnswer keeps an answer for the browser that fetches it by its id, a random one. What
// it holds, such as a code, can be read with the id only, and of that a hash is kept.
func KeepAnswer(tx *eventstore.Tx, instance, id string, a Answer) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	sealed, err := crypto.SealUnder(id, data)
	if err != nil {
		return err
	}
	return keep(tx, instance, answerRow(id), "", sealed, answerLifetime)
}

// answerRow keeps the ids of answers apart from those of requests.
func answerRow(id string) string { return "answer:" + crypto.HashCode(id) }

// TakeAnswer gives an answer once.
func TakeAnswer(tx *eventstore.Tx, instance, id string) (a Answer, err error) {
	var clientID, document, sealed string
	var created int64
	found := false
	err = tx.Read(database.One(&found, requestSQL+" FOR UPDATE", []any{instance, answerRow(id), tx.Now().UnixMicro()}, &clientID, &document, &created))
	switch {
	case err != nil:
		return a, err
	case !found:
		return a, errNoRequest
	}
	drop(tx, instance, answerRow(id))
	if err := json.Unmarshal([]byte(document), &sealed); err != nil {
		return a, err
	}
	data, err := crypto.UnsealUnder(id, sealed)
	if err != nil {
		return a, errNoRequest.Because(err)
	}
	return a, json.Unmarshal(data, &a)
}

// pushedPrefix keeps the hashes of pushed requests apart from the ids of others.
const pushedPrefix = "pushed:"

// ErrPushed says the same of a pushed request that was used and of one that never was.
var ErrPushed = fault.Invalid("OIDC-request-uri", "The request_uri is unknown, of another client, has been used, or is older than a minute. Push the request again.").With(InvalidRequestURI)

// KeepPushed keeps the parameters of a request that a client pushed (RFC 9126), by the
// hash of their URI.
func KeepPushed(tx *eventstore.Tx, instance, hash, clientID string, parameters url.Values) error {
	return keep(tx, instance, pushedPrefix+hash, clientID, parameters, PushedLifetime)
}

// PushedByHash asks for the parameters that a client pushed. instance is a subquery for
// the id of the instance, which has the argument of.
func PushedByHash(instance, of, hash, clientID string, now time.Time, parameters *url.Values) database.Query {
	return database.Query{
		SQL:  "SELECT r.document FROM oauth_requests r WHERE r.instance_id = " + instance + " AND r.request_id = ? AND r.client_id = ? AND r.expires > ?",
		Args: []any{of, pushedPrefix + hash, clientID, now.UnixMicro()},
		Row: func(scan database.Scan) error {
			var document string
			if err := scan(&document); err != nil {
				return err
			}
			return json.Unmarshal([]byte(document), parameters)
		},
	}
}

// takePushed uses a pushed request up: of two who bring it at once, one succeeds.
func takePushed(tx *eventstore.Tx, instance, hash string) error {
	found := false
	err := tx.Read(database.One(&found, "SELECT created FROM oauth_requests WHERE instance_id = ? AND request_id = ? AND expires > ? FOR UPDATE",
		[]any{instance, pushedPrefix + hash, tx.Now().UnixMicro()}, new(int64)))
	switch {
	case err != nil:
		return err
	case !found:
		return ErrPushed
	}
	drop(tx, instance, pushedPrefix+hash)
	return nil
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

var errProofUsed = fault.Unauthenticated("OIDC-dpop-used", "The DPoP proof has been used already: make another one for each request.").With(InvalidProof)

// UseProof notes that somebody proved to hold a key, which a proof does once. hash is
// that of the proof's id.
func UseProof(tx *eventstore.Tx, instance, hash string, expires time.Time) {
	proofs.ExecUnique(tx, errProofUsed, "INSERT INTO oauth_proofs (instance_id, hash, expires) VALUES (?, ?, ?)", instance, hash, expires.UnixMicro())
}
