package flow

import (
	"context"
	"crypto/rand"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/session"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

// Query is what can travel along with the reads here.
type Query = database.Query

// answerPath is the page of the issuer that posts an answer to a client.
const answerPath = "/oauth/v2/authorize/answer"

// Answered is the answer of a login that succeeded. Each answer names who gives it
// (RFC 9207).
func Answered(r *oauth.Request, code string) oauth.Answer {
	a := oauth.Answer{URI: r.RedirectURI, Mode: r.ResponseMode}
	if r.ResponseType != TypeCode {
		a.Front, code = &oauth.Front{ClientID: r.ClientID, ResponseType: r.ResponseType, Code: code}, ""
	}
	a.Parameters = said([2]string{"code", code}, [2]string{"state", r.State}, [2]string{"iss", r.Issuer})
	return a
}

// Failed is the answer of a login that did not.
func Failed(r *oauth.Request, code, description, uri string) oauth.Answer {
	return oauth.Answer{URI: r.RedirectURI, Mode: r.ResponseMode, Parameters: said([2]string{"error", code}, [2]string{"error_description", description},
		[2]string{"error_uri", uri}, [2]string{"state", r.State}, [2]string{"iss", r.Issuer})}
}

// said leaves out parameters that are empty.
func said(parameters ...[2]string) [][2]string {
	return slices.DeleteFunc(parameters, func(p [2]string) bool { return p[1] == "" })
}

// AnswerURL is the client's address with an answer: behind # in the mode for that,
// and else added to the query that the address has.
func AnswerURL(a oauth.Answer) string {
	var text strings.Builder
	for i, p := range a.Parameters {
		if i > 0 {
			text.WriteByte('&')
		}
		text.WriteString(url.QueryEscape(p[0]) + "=" + url.QueryEscape(p[1]))
	}
	switch {
	case text.Len() == 0:
		return a.URI
	case a.Mode == ModeFragment:
		return a.URI + "#" + text.String()
	case strings.Contains(a.URI, "?"):
		return a.URI + "&" + text.String()
	}
	return a.URI + "?" + text.String()
}

// CallbackURL is where the login page shall send the browser with an answer: to the
// client or, where the answer must be posted or tokens are added to it, to a page that
// does so.
func CallbackURL(ctx context.Context, store *eventstore.Store, r *oauth.Request, a oauth.Answer) (string, error) {
	if a.Mode != ModeFormPost && a.Front == nil {
		return AnswerURL(a), nil
	}
	id := rand.Text()
	err := store.Write(ctx, func(tx *eventstore.Tx) error { return oauth.KeepAnswer(tx, authz.From(ctx).Instance, id, a) })
	return r.Issuer + answerPath + "?id=" + id, err
}

// TakeAnswer gives an answer that waits for its browser, once.
func TakeAnswer(ctx context.Context, store *eventstore.Store, host, id string) (a oauth.Answer, err error) {
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		instance, found := "", false
		err := tx.Read(database.One(&found, "SELECT d.instance_id FROM instance_domains d WHERE d.domain = ?", []any{hostname.Canonical(host)}, &instance))
		switch {
		case err != nil:
			return err
		case !found:
			return errHost
		}
		a, err = oauth.TakeAnswer(tx, instance, plain(id))
		return err
	})
	return a, err
}

// Left is the answer to a client whose user logged out.
func Left(uri, state string) oauth.Answer {
	return oauth.Answer{URI: uri, Parameters: said([2]string{"state", state})}
}

// Exists refuses a host of no instance, and an instance that is blocked; also are
// queries that travel along.
func Exists(ctx context.Context, store *eventstore.Store, host string, also ...database.Query) error {
	var in Instance
	var limits string
	found := false
	err := store.Read(ctx, append(also, database.One(&found, "SELECT d.instance_id, d.limits FROM instance_domains d WHERE d.domain = ?",
		[]any{hostname.Canonical(host)}, &in.ID, &limits))...)
	if err == nil {
		err = in.admit(limits, store.Now())
	}
	return err
}

// PublishedKeys gives the public keys of the instance at a host, the newest first, as
// long as Exists would not refuse the host.
func PublishedKeys(ctx context.Context, store *eventstore.Store, host string) (keys webkey.Published, err error) {
	var in Instance
	var limits string
	err = store.Read(ctx, database.Query{
		SQL: `SELECT d.instance_id, d.limits, COALESCE(k.public_key, '') FROM instance_domains d LEFT JOIN web_keys k ON k.instance_id = d.instance_id
			WHERE d.domain = ? ORDER BY k.created DESC, k.key_id DESC`,
		Args: []any{hostname.Canonical(host)},
		Row: func(scan database.Scan) error {
			jwk := ""
			err := scan(&in.ID, &limits, &jwk)
			keys.Add(jwk)
			return err
		},
	})
	if err == nil {
		err = in.admit(limits, store.Now())
	}
	return keys, err
}

// Logout ends the session of a user, together with the tokens that came from it. That
// it has ended already is fine.
func Logout(ctx context.Context, store *eventstore.Store, instance, sessionID, userID string) error {
	if sessionID == "" {
		return nil
	}
	caller := &authz.Caller{Instance: instance, UserID: userID, SessionID: sessionID}
	ctx = authz.WithCaller(eventstore.WithOrigin(ctx, eventstore.Origin{Creator: userID}), caller)
	return store.Write(ctx, func(tx *eventstore.Tx) error {
		_, err := session.End(tx, instance, sessionID, "")
		if fault.KindOf(err) == fault.KindNotFound { // Its instance keeps no trace of it.
			err = nil
		}
		if err == nil {
			err = oauth.EndOfSession(tx, instance, sessionID, oauth.ReasonLogout)
		}
		return err
	})
}
