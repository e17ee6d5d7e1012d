//go:build unix

package test

import (
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"github.com/gatehouse/gatehouse/internal/server"
)

// mailbox is a mail server that keeps what it is given.
type mailbox struct {
	Address string // host and port
	mu      sync.Mutex
	letters []letter
	proofs  []string // the passwords and tokens that were told
	refuse  bool
	taken   func() // called before the server says that it has taken a mail
}

// letter is a mail as it arrived.
type letter struct {
	From, To, Raw, Subject, Text, HTML string
	Header                             mail.Header
	Encrypted                          bool
	User                               string // who proved to send it
}

// newMailbox starts a mail server that knows the user "mailer" with the password
// "canary-password" and the token "canary-token".
func newMailbox(t testing.TB) *mailbox {
	t.Helper()
	return serveMail(t, listen(t), nil)
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// serveMail starts a mail server that offers to encrypt where it is told how.
func serveMail(t testing.TB, l net.Listener, config *tls.Config) *mailbox {
	t.Helper()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	m := &mailbox{Address: "localhost:" + port}
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &mailSession{box: m, conn: c}, nil }))
	s.Domain, s.AllowInsecureAuth, s.TLSConfig = "localhost", true, config
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return m
}

// all are the mails so far.
func (m *mailbox) all() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]letter(nil), m.letters...)
}

// wait waits for so many mails.
func (m *mailbox) wait(t testing.TB, n int) {
	t.Helper()
	for range 1000 {
		if len(m.all()) >= n {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d mails arrived, want %d", len(m.all()), n)
}

type mailSession struct {
	box            *mailbox
	conn           *smtp.Conn
	from, to, user string
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain, xoauth2} }

// Auth takes a password or an access token.
func (s *mailSession) Auth(mechanism string) (sasl.Server, error) {
	take := func(user, proof, right string) error {
		s.box.mu.Lock()
		defer s.box.mu.Unlock()
		s.box.proofs = append(s.box.proofs, proof)
		if user != "mailer" || proof != right {
			return errors.New("535 canary-answer: no such user")
		}
		s.user = user
		return nil
	}
	if mechanism == xoauth2 {
		return tokenServer(func(user, token string) error { return take(user, token, "canary-token") }), nil
	}
	return sasl.NewPlainServer(func(_, user, password string) error { return take(user, password, "canary-password") }), nil
}

// xoauth2 is the way of several large mail services to take an access token.
const xoauth2 = "XOAUTH2"

type tokenServer func(user, token string) error

func (f tokenServer) Next(response []byte) (challenge []byte, done bool, err error) {
	if response == nil {
		return []byte{}, false, nil
	}
	m := regexp.MustCompile("^user=([^\x01]*)\x01auth=Bearer ([^\x01]*)\x01\x01$").FindSubmatch(response)
	if m == nil {
		return nil, true, errors.New("no user and token")
	}
	return nil, true, f(string(m[1]), string(m[2]))
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error { s.from = from; return nil }
func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error   { s.to = to; return nil }
func (s *mailSession) Reset()                                      {}
func (s *mailSession) Logout() error                               { return nil }

func (s *mailSession) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	l, err := open(string(raw))
	if err != nil {
		return err
	}
	_, l.Encrypted = s.conn.TLSConnectionState()
	l.From, l.To, l.User = s.from, s.to, s.user
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	if s.box.refuse {
		return errors.New("451 canary-answer: not now")
	}
	s.box.letters = append(s.box.letters, l)
	if s.box.taken != nil {
		s.box.taken()
	}
	return nil
}

// open reads a mail.
func open(raw string) (l letter, err error) {
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		return l, err
	}
	l = letter{Raw: raw, Header: m.Header}
	if l.Subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject")); err != nil {
		return l, err
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return l, err
	}
	if !strings.HasPrefix(kind, "multipart/") {
		l.Text, err = decode(m.Header.Get("Content-Transfer-Encoding"), m.Body)
		return l, err
	}
	for parts := multipart.NewReader(m.Body, params["boundary"]); ; {
		p, err := parts.NextRawPart()
		if errors.Is(err, io.EOF) {
			return l, nil
		}
		if err != nil {
			return l, err
		}
		body, err := decode(p.Header.Get("Content-Transfer-Encoding"), p)
		if err != nil {
			return l, err
		}
		if strings.HasPrefix(p.Header.Get("Content-Type"), "text/html") {
			l.HTML = body
		} else {
			l.Text = body
		}
	}
}

func decode(encoding string, r io.Reader) (string, error) {
	switch strings.ToLower(encoding) {
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	}
	body, err := io.ReadAll(r)
	return strings.ReplaceAll(string(body), "\r\n", "\n"), err
}

// nearby lets a server reach this machine.
func nearby(o *server.Options) {
	o.AllowedNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
}
