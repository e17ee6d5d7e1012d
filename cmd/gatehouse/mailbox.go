package main

import (
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/gatehouse/gatehouse/internal/notify"
	"github.com/gatehouse/gatehouse/internal/server"
)

// mailboxAddress is where developers look first. Where another program is there, any
// free port of this machine does.
const mailboxAddress = "127.0.0.1:8025"

// mailbox opens a listener that only this machine reaches, for the page that shows what
// would have been sent, and gives its URL and what closes it. Without dev there is none.
func (s *session) mailbox(dev bool, o *server.Options) (url string, stop func(), err error) {
	if !dev {
		return "", func() {}, nil
	}
	listen := net.ListenConfig{}
	l, err := listen.Listen(s.ctx, "tcp", mailboxAddress)
	if errors.Is(err, syscall.EADDRINUSE) {
		l, err = listen.Listen(s.ctx, "tcp", "127.0.0.1:0")
	}
	if err != nil {
		return "", nil, fmt.Errorf("mailbox: %w", err)
	}
	o.Mailbox = &notify.Mailbox{}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return "http://127.0.0.1:" + port + notify.MailboxPath, s.serveAside(l, o.Mailbox), nil
}

func (s *session) greetDeveloper(mailbox string) {
	if mailbox == "" {
		return
	}
	fmt.Fprintf(s.out, `
--dev is not for production: mail and SMS that no provider carries, with the codes in them, are
shown to everybody on this machine at %[1]s (%[1]s.json for scripts).
`, mailbox)
}
