package flow

import (
	"context"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/project"
)

// Client is an application as the protocol meets it, in the instance of a host. It
// has no id where there is none.
type Client struct {
	Instance Instance
	Settings policy.OIDCSettings
	// ID is the client id.
	ID string
	clientApp
	project  clientProject
	orgState int
	key      struct {
		id, public string
		expires    int64
	}
}

// clientApp is the row of an application.
type clientApp struct {
	AppID, Name, Kind string
	ClientOrg         string
	state             int
	secretHash        string
	document          []byte
	// Config is all zero for an API but for how it proves who it is.
	Config application.OIDC
}

const (
	applicationColumns = `COALESCE(a.app_id, ''), COALESCE(a.name, ''), COALESCE(a.kind, ''), COALESCE(a.org_id, ''), COALESCE(a.state, 0),
		COALESCE(a.secret_hash, ''), COALESCE(a.document, '{}')`
	projectColumns = `COALESCE(p.project_id, ''), COALESCE(p.state, 0), COALESCE(p.role_assertion, 0), COALESCE(p.role_check, 0), COALESCE(p.org_check, 0)`
)

// clientProject is the row of an application's project.
type clientProject struct {
	id    string
	state int
	// 1: roles are asserted without being asked for; a user needs one; the user's
	// organization needs a grant.
	roleAssertion, roleCheck, orgCheck int
}

func (a *clientApp) dest() (dest []any, done func() error) {
	dest = []any{&a.AppID, &a.Name, &a.Kind, &a.ClientOrg, &a.state, &a.secretHash, &a.document}
	return dest, func() (err error) {
		a.Config, err = applications.Of(a.document)
		if a.Kind == application.KindAPI && a.Config.AuthMethod == application.APIPrivateKeyJWT {
			a.Config.AuthMethod = application.AuthPrivateKeyJWT
		}
		return err
	}
}

func (p *clientProject) dest() []any {
	return []any{&p.id, &p.state, &p.roleAssertion, &p.roleCheck, &p.orgCheck}
}

// tokenJWT is the type of access tokens that are JWTs, numbered as on the wire.
const tokenJWT int32 = 1

// WantsJWT reports whether access tokens of the client are JWTs.
func (a *clientApp) WantsJWT() bool { return a.Config.AccessTokenType == tokenJWT }

// GiveJWTs makes access tokens of the client JWTs, for who asks for one.
func (a *clientApp) GiveJWTs() { a.Config.AccessTokenType = tokenJWT }

// ProjectID is the project that the client is of.
func (c *Client) ProjectID() string { return c.project.id }

func (a *clientApp) active() bool {
	return a.AppID != "" && a.state == application.Active && (a.Kind == application.KindOIDC || a.Kind == application.KindAPI)
}

func (p *clientProject) active() bool { return p.id != "" && p.state == project.Active }

// Active reports whether the client, its project and that one's organization are.
func (c *Client) Active() bool {
	return c.active() && c.project.active() && c.orgState == org.Active
}

const siteColumns = "d.instance_id, d.limits, COALESCE(os.document, '{}')"

const siteFrom = ` FROM instance_domains d
	LEFT JOIN policies os ON os.instance_id = d.instance_id AND os.org_id = '' AND os.kind = 'oidc.settings'`

// site reads what there is about the instance of a host.
type site struct {
	limits   string
	settings []byte
}

// What most requests of clients need is parsed once.
var (
	applications policy.Parsed[application.OIDC]
	lifetimes    policy.Parsed[policy.OIDCSettings]
)

func (s *site) dest(in *Instance) []any {
	return []any{&in.ID, &s.limits, &s.settings}
}

// done refuses a host of no instance, and an instance that is blocked.
func (s *site) done(in *Instance, settings *policy.OIDCSettings, now time.Time) error {
	if err := in.admit(s.limits, now); err != nil {
		return err
	}
	set, err := lifetimes.Of(s.settings)
	*settings = set.Lifetimes()
	return err
}

// admit refuses a host of no instance, and an instance that is blocked.
func (in *Instance) admit(limits string, now time.Time) error {
	if in.ID == "" {
		return errHost
	}
	if err := in.limit([]byte(limits), now); err != nil {
		return err
	}
	if in.blocked {
		return errBlocked
	}
	return nil
}

// FindClient looks for a client in the instance of a host, and for the key that it
// names, in one round trip; also are queries that travel along.
func FindClient(ctx context.Context, store *eventstore.Store, host, clientID, keyID string, also ...database.Query) (c Client, err error) {
	var s site
	var orgState int
	dest := append(s.dest(&c.Instance), &c.ID)
	appDest, appDone := c.dest()
	dest = append(append(append(dest, appDest...), c.project.dest()...), &orgState, &c.key.id, &c.key.public, &c.key.expires)
	q := database.Query{
		SQL: "SELECT " + siteColumns + ", COALESCE(a.client_id, ''), " + applicationColumns + ", " + projectColumns + `, COALESCE(h.state, 0),
			COALESCE(k.key_id, ''), COALESCE(k.public_key, ''), COALESCE(k.expires, 0)` + siteFrom + `
			LEFT JOIN applications a ON a.instance_id = d.instance_id AND a.client_id = ? AND a.client_id <> ''
			LEFT JOIN projects p ON p.instance_id = a.instance_id AND p.project_id = a.project_id
			LEFT JOIN orgs h ON h.instance_id = p.instance_id AND h.org_id = p.org_id
			LEFT JOIN application_keys k ON k.instance_id = a.instance_id AND k.app_id = a.app_id AND k.key_id = ?
			WHERE d.domain = ?`,
		Args: []any{plain(clientID), plain(keyID), hostname.Canonical(host)},
		Row: func(scan database.Scan) error {
			if err := scan(dest...); err != nil {
				return err
			}
			c.orgState = orgState
			return appDone()
		},
	}
	err = store.Read(ctx, append([]database.Query{q}, also...)...)
	if err == nil {
		err = s.done(&c.Instance, &c.Settings, store.Now())
	}
	return c, err
}

// plain is text that a database can hold: what no text in it can be like names
// nobody.
func plain(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

// Public reports whether the client cannot keep a secret.
func (c *Client) Public() bool { return c.Config.AuthMethod == application.AuthNone }

// May reports whether the client may use a grant.
func (c *Client) May(grant int32) bool {
	return c.Kind == application.KindOIDC && slices.Contains(c.Config.GrantTypes, grant)
}

// FindLoginClient finds the client that sends somebody here to log in, with the key that
// it names, if it is active. Where it waits for an answer is for Redirect to say.
func FindLoginClient(ctx context.Context, store *eventstore.Store, host, clientID, keyID string, also ...database.Query) (*Client, error) {
	c, err := FindClient(ctx, store, host, clientID, keyID, also...)
	switch {
	case err != nil:
		return nil, err
	case c.ID == "" || c.Kind != application.KindOIDC || !c.Active():
		return nil, errNoClient
	}
	return &c, nil
}

var (
	errNoClient   = fault.Invalid("OIDC-client", "The client_id is not one of an active application.").With(oauth.InvalidClient)
	errNoRedirect = fault.Invalid("OIDC-redirect", "The redirect_uri is not one of those that the application registered, letter by letter.")
	errNoReturn   = fault.Invalid("OIDC-logout-return", "The post_logout_redirect_uri is not one of those that the application registered, letter by letter.")
)

// harmless are the schemes that a browser may be sent to without more ado. Every
// other one is a native program's own, which has a dot in its name (RFC 8252,
// section 7.1).
func (c *Client) harmless(u *url.URL) bool {
	switch u.Scheme {
	case "https":
		return u.Host != ""
	case "http":
		return u.Host != "" && (c.Config.DevMode || isLoopback(u))
	case "", "javascript", "data", "vbscript", "file", "blob", "about", "view-source", "filesystem", "ws", "wss", "ftp", "mailto", "tel":
		return false
	}
	return c.Config.ApplicationType == application.Native
}

// Redirect refuses an address that the client did not register, exactly as it is.
// Native programs listen on any port of the machine that they run on (RFC 8252,
// section 7.3).
func (c *Client) Redirect(uri string) error {
	if !c.allows(uri, c.Config.RedirectURIs) {
		return errNoRedirect
	}
	return nil
}

// PostLogout is Redirect for where a browser goes after it logged out.
func (c *Client) PostLogout(uri string) error {
	if !c.allows(uri, c.Config.PostLogoutRedirectURIs) {
		return errNoReturn
	}
	return nil
}

func (c *Client) allows(uri string, registered []string) bool {
	u, err := url.Parse(uri)
	if err != nil || uri == "" || strings.Contains(uri, "#") || u.User != nil || !c.harmless(u) {
		return false
	}
	native := c.Config.ApplicationType == application.Native && isLoopback(u)
	return slices.Contains(registered, uri) || native && slices.ContainsFunc(registered, func(r string) bool { return samePort(r, uri, u) })
}

// isLoopback reports whether an address is one of the machine itself, without TLS.
func isLoopback(u *url.URL) bool {
	host := u.Hostname()
	ip := net.ParseIP(host)
	return u.Scheme == "http" && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// samePort reports whether uri is the registered one but for the port.
func samePort(registered, uri string, u *url.URL) bool {
	r, err := url.Parse(registered)
	if err != nil || !isLoopback(r) || r.Hostname() != u.Hostname() || strings.ContainsFunc(u.Port(), func(c rune) bool { return c < '0' || c > '9' }) {
		return false
	}
	strip := func(text, host string) string { return strings.TrimPrefix(text, "http://"+host) }
	return strings.HasPrefix(uri, "http://"+u.Host) && strip(registered, r.Host) == strip(uri, u.Host)
}
