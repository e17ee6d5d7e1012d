package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	mail "github.com/wneessen/go-mail"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/provider"
)

// implicitTLS is the port on which servers speak TLS from the first byte.
const implicitTLS = 465

// letter is a mail that is ready to be sent.
type letter struct {
	to, subject, text, html string
}

// line makes one line of s: it goes into a header.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// mailBySMTP hands a mail to a server.
func (w *Worker) mailBySMTP(ctx context.Context, p provider.Provider, secret string, l letter) error {
	c := p.SMTP
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := m.To(l.to); err != nil {
		return errRecipient
	}
	m.FromMailAddress(&netmail.Address{Name: line(c.SenderName), Address: c.SenderAddress})
	if c.ReplyToAddress != "" {
		if err := m.ReplyTo(c.ReplyToAddress); err != nil {
			return err
		}
	}
	_, domain, _ := strings.Cut(c.SenderAddress, "@")
	m.SetMessageIDWithValue(token() + "@" + domain)
	m.SetDateWithValue(w.store.Now())
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.Subject(line(l.subject))
	m.SetBodyString(mail.TypeTextPlain, l.text)
	if l.html != "" {
		m.AddAlternativeString(mail.TypeTextHTML, l.html)
	}
	client, err := w.server(ctx, c, secret)
	if err != nil {
		return err
	}
	return withoutAnswer(client.DialAndSendWithContext(ctx, m))
}

var (
	errRecipient = errors.New("the recipient is no mail address")
	errUnusable  = errors.New("the mail server cannot be used: it does not offer the encryption or the way to prove who sends that is configured")
)

// withoutAnswer keeps the text of a server's answer out of an error: it may repeat
// what it was sent.
func withoutAnswer(err error) error {
	var send *mail.SendError
	var answer *textproto.Error
	var network *net.OpError
	var untrusted *tls.CertificateVerificationError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &send):
		return fmt.Errorf("the mail server did not take the mail: %s (%d)", send.Reason, send.ErrorCode())
	case errors.As(err, &answer):
		return fmt.Errorf("the mail server answers %d", answer.Code)
	case errors.As(err, &network):
		return network
	case errors.As(err, &untrusted):
		return untrusted
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	case errors.Is(err, mail.ErrNoSupportedAuthDiscovered):
		return mail.ErrNoSupportedAuthDiscovered
	}
	return errUnusable
}

// server makes a client of a mail server. A password or token travels encrypted
// only, unless the server is on this machine.
func (w *Worker) server(ctx context.Context, c *provider.SMTP, secret string) (*mail.Client, error) {
	host, portText, err := net.SplitHostPort(c.Host)
	if err != nil {
		return nil, err
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, err
	}
	conf := &tls.Config{ServerName: host, RootCAs: w.out.Roots, MinVersion: tls.VersionTLS12}
	policy, dial := mail.TLSOpportunistic, w.out.Dial
	switch {
	case c.TLS && port == implicitTLS: // What it dials is encrypted, which the client sees by itself.
		dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := w.out.Dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return tls.Client(conn, conf), nil
		}
	case c.TLS || c.XOAuth2 != nil:
		policy = mail.TLSMandatory
	}
	options := []mail.Option{
		mail.WithPort(port), mail.WithTimeout(sendTimeout), mail.WithTLSPolicy(policy), mail.WithTLSConfig(conf),
		mail.WithDialContextFunc(dial), mail.WithHELO(helo(w.external.Hostname())), mail.WithoutNoop(),
	}
	switch {
	case c.XOAuth2 != nil:
		if secret, err = w.accessToken(ctx, c.XOAuth2, secret); err != nil {
			return nil, err
		}
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthXOAUTH2), mail.WithUsername(c.User), mail.WithPassword(secret))
	case c.Plain != nil && c.TLS:
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.User), mail.WithPassword(secret))
	case c.Plain != nil: // It refuses where the connection is not encrypted.
		options = append(options, mail.WithSMTPAuth(mail.SMTPAuthPlain), mail.WithUsername(c.User), mail.WithPassword(secret))
	}
	return mail.NewClient(host, options...)
}

func helo(host string) string {
	if host == "" {
		return "localhost"
	}
	return host
}

// TestMail sends a mail to show that a provider works. What the server answered
// goes to nobody: it could tell about the operator's network.
func (w *Worker) TestMail(ctx context.Context, p provider.Provider, secret, recipient string) error {
	if until, err := w.slot(ctx, p.Instance, recipient); err != nil {
		return err
	} else if !until.IsZero() {
		return errTooMany
	}
	if secret == "" {
		var err error
		if secret, err = provider.Secret(ctx, w.vault, p); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	err := w.mailBySMTP(ctx, p, secret, letter{
		to: recipient, subject: "Test of the mail server",
		text: "This mail shows that Gatehouse can send mail through " + p.SMTP.Host + ".",
	})
	if err != nil {
		return errTest
	}
	return nil
}

// testTimeout leaves a call time to answer.
const testTimeout = 8 * time.Second

var (
	errTest = fault.Precondition("PROVIDER-test",
		"The mail server could not be reached, or did not take the mail. Check host, port, TLS, user and password, and whether the operator lets the server reach this network.")
	errTooMany = fault.Exhausted("PROVIDER-test-often", "This recipient was sent %d messages within the last minute. Try again later.", maxPerMinute)
)
