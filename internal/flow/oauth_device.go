package flow

import (
	"context"
	"crypto/rand"
	"net/netip"
	"net/url"
	"time"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/user"
)

// devicePage is where users type the codes of devices, below the login pages.
const devicePage = "device"

// DeviceCodes are what a device is given that asks for a login (RFC 8628, section 3.2).
type DeviceCodes struct {
	Device, User string
	// URI is the page for the user's code, and Complete the one with the code in it.
	URI, Complete   string
	Lifetime, Pause time.Duration
}

// StartDevice keeps a device of a client, which waits for a user to log in on another one.
func StartDevice(ctx context.Context, store *eventstore.Store, c *Client, issuer, scope, installation string) (out DeviceCodes, err error) {
	scopes, err := ParseScopes(scope)
	if err != nil {
		return out, err
	}
	if len(scopes) == 0 {
		return out, errNoScope
	}
	if !c.May(application.GrantRefresh) {
		scopes = scopes.without(ScopeOfflineAccess)
	}
	page, err := c.page(ctx, store, devicePage, issuer, installation)
	if err != nil {
		return out, err
	}
	d := oauth.Device{ID: rand.Text(), ClientID: c.ID, Scopes: scopes}
	out = DeviceCodes{URI: page.String(), Lifetime: oauth.DeviceLifetime, Pause: oauth.DevicePause}
	out.Device, d.DeviceHash = user.NewCode()
	if out.User, d.UserHash, err = oauth.NewUserCode(); err != nil {
		return out, err
	}
	page.RawQuery = url.Values{"user_code": {out.User}}.Encode()
	out.Complete = page.String()
	return out, store.Write(ctx, func(tx *eventstore.Tx) error {
		oauth.KeepDevice(tx, c.Instance.ID, d)
		return nil
	})
}

// AskDevice refuses a client whose user has not decided yet, or has said no. A code that
// another client has is void from now on.
func AskDevice(ctx context.Context, store *eventstore.Store, c *Client, code string) error {
	instance, hash := c.Instance.ID, user.HashToken(code)
	var d oauth.Device
	if err := store.Read(ctx, oauth.DeviceByCode(instance, hash, &d)); err != nil {
		return err
	}
	if d.ID != "" && d.ClientID != c.ID {
		err := store.Write(ctx, func(tx *eventstore.Tx) error { return oauth.VoidDevice(tx, instance, hash, c.ID) })
		if err == nil {
			err = oauth.ErrCode
		}
		return err
	}
	if d.Decided(store.Now()) == nil {
		return nil
	}
	var refusal error
	err := store.Write(ctx, func(tx *eventstore.Tx) (err error) {
		refusal, err = oauth.Ask(tx, instance, hash)
		return err
	})
	if err != nil {
		return err
	}
	return refusal
}

// DeviceRequest is a device that waits for its user, and what the user is asked for.
type DeviceRequest struct {
	oauth.Device
	AppName, ProjectName string
}

// Guesser is who types the codes of devices, and how many of them may be wrong.
type Guesser struct {
	id   string
	most int
}

const (
	// guessesOfOne is how many wrong codes somebody has for themselves.
	guessesOfOne = 20
	// guessesOfPage is how many a login page has, which asks for everybody.
	guessesOfPage = 1000
)

// GuesserOf is the caller: a person, or a page that many use.
func GuesserOf(c *authz.Caller) Guesser {
	if c.Can("session.link", "") {
		return Guesser{"page " + c.UserID, guessesOfPage}
	}
	return Guesser{"user " + c.UserID, guessesOfOne}
}

// GuesserAt is whoever is at an address, of which one site has many in IPv6.
func GuesserAt(address string) Guesser {
	if ip, err := netip.ParseAddr(address); err == nil && ip.Is6() {
		if site, err := ip.WithZone("").Prefix(64); err == nil {
			address = site.String()
		}
	}
	return Guesser{"address " + address, guessesOfOne}
}

// DeviceByUserCode gives the device that waits with a code. Wrong codes are counted.
func DeviceByUserCode(ctx context.Context, store *eventstore.Store, g Guesser, code string) (out DeviceRequest, err error) {
	var refusal error
	instance := authz.From(ctx).Instance
	err = store.Write(eventstore.ForGood(ctx), func(tx *eventstore.Tx) (err error) {
		out.Device, refusal, err = oauth.GuessDevice(tx, instance, plain(g.id), g.most, crypto.HashCode(plain(code)))
		if err == nil && refusal == nil {
			err = tx.Read(clientNames(instance, out.ClientID, &out.AppName, &out.ProjectName))
		}
		return err
	})
	switch {
	case err != nil:
		return out, err
	case refusal != nil:
		return out, refusal
	}
	return out, out.known()
}

// DeviceByID gives a device that waits to who knows the id, after the code.
func DeviceByID(ctx context.Context, store *eventstore.Store, id string) (out DeviceRequest, err error) {
	instance := authz.From(ctx).Instance
	if err = store.Read(ctx, oauth.DeviceByID(instance, plain(id), &out.Device)); err == nil {
		err = out.Waits(store.Now())
	}
	if err == nil {
		err = store.Read(ctx, clientNames(instance, out.ClientID, &out.AppName, &out.ProjectName))
	}
	if err == nil {
		err = out.known()
	}
	return out, err
}

// HasCode reports whether a code is the one that the user of the device typed.
func (d *DeviceRequest) HasCode(code string) bool {
	return crypto.SameCode(crypto.HashCode(code), d.UserHash)
}

// clientNames asks how a client and its project are called. Of one that is not there, or not
// active, any more, it finds none.
func clientNames(instance, clientID string, app, project *string) database.Query {
	return database.Query{
		SQL: `SELECT a.name, p.name FROM applications a JOIN projects p ON p.instance_id = a.instance_id AND p.project_id = a.project_id
			WHERE a.instance_id = ? AND a.client_id = ? AND a.state = 1 AND p.state = 1`,
		Args: []any{instance, clientID}, Row: func(scan database.Scan) error { return scan(app, project) },
	}
}

// ClientNames gives how the client of a login and its project are called.
func ClientNames(ctx context.Context, store *eventstore.Store, clientID string) (app, project string, err error) {
	err = store.Read(ctx, clientNames(authz.From(ctx).Instance, clientID, &app, &project))
	if err == nil && app == "" {
		err = errGoneClient
	}
	return app, project, err
}

// known refuses a device of an application that is not there, or not active, any more.
func (d *DeviceRequest) known() error {
	if d.AppName == "" {
		return errGoneClient
	}
	return nil
}

// AllowDevice answers a device with a session, as LinkSession answers a request.
func AllowDevice(ctx context.Context, store *eventstore.Store, id, sessionID, token string) error {
	d, err := DeviceByID(ctx, store, id)
	if err != nil {
		return err
	}
	g, err := grantOf(ctx, store, &oauth.Request{ClientID: d.ClientID, Scopes: d.Scopes, Created: d.Created}, sessionID, token)
	if err != nil {
		return err
	}
	return store.Write(ctx, func(tx *eventstore.Tx) error {
		return oauth.AllowDevice(tx, authz.From(ctx).Instance, d.ID, tx.NewID(), g)
	})
}

// DenyDevice refuses a device.
func DenyDevice(ctx context.Context, store *eventstore.Store, id string) error {
	if err := mayRefuse(ctx); err != nil {
		return err
	}
	return store.Write(ctx, func(tx *eventstore.Tx) error { return oauth.DenyDevice(tx, authz.From(ctx).Instance, plain(id)) })
}
