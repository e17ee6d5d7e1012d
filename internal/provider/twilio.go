package provider

import (
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// KindTwilio is the kind of accounts at Twilio.
const KindTwilio = "twilio"

// Twilio is an account at Twilio, which sends SMS from a number.
type Twilio struct {
	Description      string `json:"description"`
	SID              string `json:"sid"`
	SenderNumber     string `json:"senderNumber"`
	VerifyServiceSID string `json:"verifyServiceSid"`
	Token            string `json:"token"` // sealed
}

type tokenChanged struct {
	ID    string `json:"id"`
	Token string `json:"token"`
}

var (
	twilio = declare(SMS, KindTwilio, "instance.sms.configtwilio", "token")

	twilioTokenChanged = eventstore.Declare("instance.sms.configtwilio.token.changed", func(f *eventstore.Fold, e tokenChanged) error {
		doc, err := asDocument(&Twilio{Token: e.Token})
		if err != nil {
			return err
		}
		return foldChanged(f, document{"token": doc["token"]}.with(e.ID))
	}, "token")
)

var errTwilio = fault.Invalid("PROVIDER-twilio", "An account at Twilio needs its SID and a number to send from.")

func (c *Twilio) check() error {
	switch {
	case c.SID == "" || c.SenderNumber == "":
		return errTwilio
	case !isLine(c.SID) || !isLine(c.SenderNumber) || !isLine(c.VerifyServiceSID) || !isLine(c.Description):
		return errText
	}
	return nil
}

func (c *Twilio) secret() *string { return &c.Token }

// shownTo is Twilio, whatever the account.
func (c *Twilio) shownTo() string { return "" }

// AddTwilio adds an account at Twilio.
func AddTwilio(tx *eventstore.Tx, v *crypto.Vault, instance string, c Twilio, token string) (id string, d eventstore.Details, err error) {
	return twilio.add(tx, v, instance, &c, token)
}

// ChangeTwilio changes an account at Twilio. Its token stays.
func ChangeTwilio(tx *eventstore.Tx, v *crypto.Vault, instance, id string, edit func(*Twilio)) (eventstore.Details, error) {
	return twilio.change(tx, v, instance, id, func(c config) error {
		edit(c.(*Twilio)) //nolint:forcetypeassert // the flavour's own
		return nil
	}, "")
}

// SetToken replaces the token of an account at Twilio.
func SetToken(tx *eventstore.Tx, v *crypto.Vault, instance, id, token string) (eventstore.Details, error) {
	p, err := lock(tx, instance, id, SMS)
	switch {
	case err != nil:
		return eventstore.Details{}, err
	case p.Kind != KindTwilio:
		return eventstore.Details{}, errMissing
	}
	if err := seal(v, instance, id, p.Twilio, token); err != nil {
		return eventstore.Details{}, err
	}
	return twilioTokenChanged.Emit(tx, aggregate(instance), tokenChanged{id, p.Twilio.Token})
}
