package flow

import (
	"context"
	"crypto/rand"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/user"
)

// pushedURI begins the URIs of pushed requests (RFC 9126, section 2.2).
const pushedURI = "urn:ietf:params:oauth:request_uri:"

// IsPushed reports whether a request_uri is one of a request that was pushed.
func IsPushed(uri string) bool { return strings.HasPrefix(uri, pushedURI) }

// notAsked are the parameters by which a client proves who it is: they are no part of
// what it asks for, and not to be kept.
var notAsked = []string{"client_secret", "client_assertion", "client_assertion_type"}

// Push keeps the parameters of a checked request for the browser that brings the URI.
func Push(ctx context.Context, store *eventstore.Store, c *Client, parameters url.Values) (uri string, lifetime time.Duration, err error) {
	for _, name := range notAsked {
		parameters.Del(name)
	}
	uri = pushedURI + rand.Text()
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		return oauth.KeepPushed(tx, c.Instance.ID, user.HashToken(uri), c.ID, parameters)
	})
	return uri, oauth.PushedLifetime, err
}

// Pushed asks for what a client of the instance at a host pushed under a URI.
func Pushed(store *eventstore.Store, host, clientID, uri string, parameters *url.Values) (q database.Query, hash string) {
	hash = user.HashToken(uri)
	return oauth.PushedByHash(ofInstance, hostname.Canonical(host), hash, plain(clientID), store.Now(), parameters), hash
}

// RefusePushed says why there is nothing under a URI for a client. What another client
// pushed under it is void from now on: it is in more hands than it should be.
func RefusePushed(ctx context.Context, store *eventstore.Store, c *Client, hash string) error {
	pusher := ""
	err := store.Read(ctx, oauth.PusherOf(c.Instance.ID, hash, store.Now(), &pusher))
	if err == nil && pusher != "" {
		err = store.Write(ctx, func(tx *eventstore.Tx) error { return oauth.VoidPushed(tx, c.Instance.ID, hash, c.ID) })
	}
	if err != nil {
		return err
	}
	return oauth.ErrPushed
}
