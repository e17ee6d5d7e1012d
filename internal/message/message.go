// Package message is what people are told by mail or SMS: verbs queue a message
// in the transaction of the event that it is about, and a worker sends it after
// the commit, at least once.
//
// It may import crypto, eventstore and what is under them, and no aggregate.
package message

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

// Kind says what a message is about. The names are those of the contract's
// message texts.
type Kind string

// The kinds.
const (
	Init                     Kind = "InitCode"
	PasswordReset            Kind = "PasswordReset"
	PasswordChange           Kind = "PasswordChange"
	VerifyEmail              Kind = "VerifyEmail"
	VerifyPhone              Kind = "VerifyPhone"
	VerifyEmailOTP           Kind = "VerifyEmailOTP"
	VerifySMSOTP             Kind = "VerifySMSOTP"
	DomainClaimed            Kind = "DomainClaimed"
	PasswordlessRegistration Kind = "PasswordlessRegistration"
	InviteUser               Kind = "InviteUser"
)

// Channel is how a message travels.
type Channel string

// The channels.
const (
	Email Channel = "email"
	SMS   Channel = "sms"
)

// Message is one message to one person.
type Message struct {
	Kind    Kind    `json:"kind"`
	Channel Channel `json:"channel"`
	Org     string  `json:"org"` // whose texts and branding it has
	UserID  string  `json:"userId"`
	// Recipient is the address or number as it was when the event happened: what
	// proves an address goes to that address.
	Recipient string `json:"recipient"`
	Language  string `json:"language,omitempty"`
	// Code is a secret that the recipient shows to prove that the message came.
	Code string `json:"code,omitempty"`
	// CodeID names the code where a user can have several.
	CodeID  string    `json:"codeId,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	// URLTemplate, if not empty, replaces the link to our own page. It was checked
	// when it was given.
	URLTemplate string `json:"urlTemplate,omitempty"`
	// Args are further values for the text, such as the new user name.
	Args map[string]string `json:"args,omitempty"`
	// SessionID is the session that a one-time code is for.
	SessionID string `json:"sessionId,omitempty"`
	// Queued is when the event happened; Queue sets it.
	Queued time.Time `json:"queued"`
}

// patience is how long a message that does not expire is worth sending.
const patience = 24 * time.Hour

// Deadline is when the message is not worth sending any more.
func (m Message) Deadline() time.Time {
	if m.Expires.IsZero() {
		return m.Queued.Add(patience)
	}
	return m.Expires
}

// Job is the kind of job that sends a message.
const Job = "message.send"

type payload struct {
	UserID string `json:"userId"`
	// ID tells the messages to a user apart, so that none opens in the place of another.
	// What an older version has queued has none.
	ID     string `json:"id,omitempty"`
	Sealed string `json:"sealed"`
}

func (p payload) place(instance string) crypto.Place {
	row := p.UserID
	if p.ID != "" {
		row += "/" + p.ID
	}
	return crypto.Place{Instance: instance, Table: "jobs", Row: row, Column: Job}
}

// Queue leaves a message to be sent after the commit. It holds codes, so it is
// sealed until then.
func Queue(tx *eventstore.Tx, v *crypto.Vault, instance string, m Message) error {
	m.Queued = tx.Now()
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("message %s: %w", m.Kind, err)
	}
	p := payload{UserID: m.UserID, ID: tx.NewID()}
	if p.Sealed, err = v.Seal(data, p.place(instance)); err != nil {
		return err
	}
	noteQueued(tx.Context(), m.Channel)
	return tx.Job(instance, Job, p, tx.Now())
}

// Open gives the message of a job.
func Open(ctx context.Context, v *crypto.Vault, instance string, job []byte) (Message, error) {
	var p payload
	var m Message
	if err := json.Unmarshal(job, &p); err != nil {
		return m, fmt.Errorf("message: %w", err)
	}
	data, err := v.Unseal(ctx, p.Sealed, p.place(instance))
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	return m, err
}
