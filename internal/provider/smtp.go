package provider

import (
	"encoding/json"
	"net"
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// KindSMTP is the kind of mail servers.
const KindSMTP = "smtp"

// SMTP is how to send through a mail server. Without Plain and XOAuth2 it is not
// told who sends.
type SMTP struct {
	Description    string   `json:"description"`
	SenderAddress  string   `json:"senderAddress"`
	SenderName     string   `json:"senderName"`
	ReplyToAddress string   `json:"replyToAddress"`
	Host           string   `json:"host"` // with a port
	TLS            bool     `json:"tls"`
	User           string   `json:"user"`
	Plain          *Plain   `json:"plainAuth"`
	XOAuth2        *XOAuth2 `json:"xoauth2Auth"`
}

// Plain proves who sends by a password.
type Plain struct {
	Password string `json:"password"` // sealed
}

// XOAuth2 proves who sends by a token, for which it asks with a secret of its own.
type XOAuth2 struct {
	ClientID      string   `json:"clientId"`
	ClientSecret  string   `json:"clientSecret"` // sealed
	TokenEndpoint string   `json:"tokenEndpoint"`
	Scopes        []string `json:"scopes"`
}

type passwordChanged struct {
	ID       string `json:"id"`
	Password string `json:"password"`
}

var (
	smtp = declare(Email, KindSMTP, "instance.smtp.config", "plainAuth", "xoauth2Auth")

	smtpPasswordChanged = eventstore.Declare("instance.smtp.config.password.changed", func(f *eventstore.Fold, e passwordChanged) error {
		auth, err := json.Marshal(Plain{e.Password}) //nolint:gosec // it is sealed
		if err != nil {
			return err
		}
		return foldChanged(f, document{"plainAuth": auth}.with(e.ID))
	}, "password")
)

const (
	// maxLine is the most characters of a name, a user, a description and the like.
	maxLine = 200
	// maxAddress is the most bytes of a web address.
	maxAddress = 2048
)

var (
	errSender   = fault.Invalid("PROVIDER-sender", "The sender's address must be like name@example.com, and so must the address for replies where there is one.")
	errHost     = fault.Invalid("PROVIDER-host", "The host needs its port, as in smtp.example.com:587.")
	errText     = fault.Invalid("PROVIDER-text", "Names, users and descriptions are one line of text with %d characters at most.", maxLine)
	errAuth     = fault.Invalid("PROVIDER-auth", "To prove who sends, name the user; for XOAUTH2 also the client and an https address of the token endpoint.")
	errPlain    = fault.Precondition("PROVIDER-no-password", "This provider proves who sends without a password. Change how it does first.")
	errSenderOf = fault.Invalid("PROVIDER-sender-domain", "The domain policy wants the sender's address to be at a domain of the instance.")
)

// isLine reports whether s is one line of text that is not too long. It may end
// up in a header.
func isLine(s string) bool {
	return utf8.RuneCountInString(s) <= maxLine && strings.IndexFunc(s, unicode.IsControl) < 0
}

func isMailAddress(s string) bool {
	a, err := mail.ParseAddress(s)
	return err == nil && a.Address == s && isLine(s)
}

func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	n, perr := strconv.Atoi(port)
	return err == nil && perr == nil && n > 0 && n < 1<<16 && hostname.IsHost(hostname.Canonical(host))
}

// isEndpoint reports whether s is a web address without credentials.
func isEndpoint(s string, schemes ...string) bool {
	u, err := url.Parse(s)
	if err != nil || len(s) > maxAddress || u.Hostname() == "" || u.User != nil || u.Fragment != "" {
		return false
	}
	return slices.Contains(schemes, u.Scheme)
}

func (c *SMTP) check() error {
	switch {
	case !isMailAddress(c.SenderAddress) || c.ReplyToAddress != "" && !isMailAddress(c.ReplyToAddress):
		return errSender
	case !isHostPort(c.Host):
		return errHost
	case !isLine(c.SenderName) || !isLine(c.User) || !isLine(c.Description):
		return errText
	case (c.Plain != nil || c.XOAuth2 != nil) && c.User == "",
		c.XOAuth2 != nil && (c.XOAuth2.ClientID == "" || !isEndpoint(c.XOAuth2.TokenEndpoint, "https")):
		return errAuth
	}
	return nil
}

func (c *SMTP) secret() *string {
	switch {
	case c.XOAuth2 != nil:
		return &c.XOAuth2.ClientSecret
	case c.Plain != nil:
		return &c.Plain.Password
	}
	return nil
}

func (c *SMTP) shownTo() string {
	if c.XOAuth2 != nil {
		return "xoauth2 " + c.Host + " " + c.XOAuth2.TokenEndpoint
	}
	return "plain " + c.Host
}

// AddSMTP adds a mail server. secret is the password or the client's secret.
func AddSMTP(tx *eventstore.Tx, v *crypto.Vault, instance string, c SMTP, secret string) (id string, d eventstore.Details, err error) {
	id, d, err = smtp.add(tx, v, instance, &c, secret)
	if err == nil {
		err = checkSender(tx, instance, c.SenderAddress)
	}
	return id, d, err
}

// ChangeSMTP writes what edit makes of a mail server.
func ChangeSMTP(tx *eventstore.Tx, v *crypto.Vault, instance, id string, edit func(*SMTP), secret string) (eventstore.Details, error) {
	sender := ""
	d, err := smtp.change(tx, v, instance, id, func(c config) error {
		edit(c.(*SMTP)) //nolint:forcetypeassert // the flavour's own
		sender = c.(*SMTP).SenderAddress
		return nil
	}, secret)
	if err == nil {
		err = checkSender(tx, instance, sender)
	}
	return d, err
}

// SetPassword replaces the password of a mail server.
func SetPassword(tx *eventstore.Tx, v *crypto.Vault, instance, id, password string) (eventstore.Details, error) {
	p, err := lock(tx, instance, id, Email)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case p.Kind != KindSMTP:
		return eventstore.Details{}, errMissing
	case p.SMTP.XOAuth2 != nil || p.SMTP.User == "":
		return eventstore.Details{}, errPlain
	}
	p.SMTP.Plain = &Plain{}
	if err := seal(v, instance, id, p.SMTP, password); err != nil {
		return eventstore.Details{}, err
	}
	return smtpPasswordChanged.Emit(tx, aggregate(instance), passwordChanged{id, p.SMTP.Plain.Password})
}

// checkSender holds the sender against the domain policy.
func checkSender(tx *eventstore.Tx, instance, address string) error {
	rules, err := policy.Domain.Resolve(tx.Context(), tx.Reader(), eventstore.Scope{Instance: instance})
	if err != nil || !rules.Doc.SMTPSenderMatchesDomain {
		return err
	}
	ours := false
	_, domain, _ := strings.Cut(address, "@")
	err = tx.Read(database.One(&ours, "SELECT 1 FROM instance_domains WHERE instance_id = ? AND domain = ?",
		[]any{instance, hostname.Canonical(domain)}, new(int)))
	if err == nil && !ours {
		err = errSenderOf
	}
	return err
}

// ForTest is a provider that is not stored, or one that is with another
// configuration: without a secret it has that of the stored one, as long as it is
// shown to the same. The second result is the secret that is not sealed.
func (p *Provider) ForTest(c SMTP, secret string) (Provider, string, error) {
	if err := c.check(); err != nil {
		return Provider{}, "", err
	}
	out := Provider{Instance: p.Instance, ID: p.ID, Sort: Email, Kind: KindSMTP, SMTP: &c}
	slot := c.secret()
	switch {
	case slot == nil || secret != "":
		return out, secret, nil
	case p.SMTP == nil || p.config().secret() == nil || p.config().shownTo() != c.shownTo():
		return Provider{}, "", errSecretAgain
	}
	*slot = *p.config().secret()
	return out, "", nil
}
