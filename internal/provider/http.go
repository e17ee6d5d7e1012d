package provider

import (
	"crypto/rand"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// KindHTTP is the kind of endpoints that are told what to send.
const KindHTTP = "http"

// HTTP is an endpoint that messages are posted to, signed with a key.
type HTTP struct {
	Description string `json:"description"`
	Endpoint    string `json:"endpoint"`
	SigningKey  string `json:"signingKey"` // sealed
}

// flavours of endpoints, by what they are for.
var endpoints = map[Sort]*flavour{
	Email: declare(Email, KindHTTP, "instance.smtp.config.http", "signingKey"),
	SMS:   declare(SMS, KindHTTP, "instance.sms.confighttp", "signingKey"),
}

var errEndpoint = fault.Invalid("PROVIDER-endpoint", "The endpoint must be an http or https address of %d bytes at most, without user and fragment.", maxAddress)

func (c *HTTP) check() error {
	switch {
	case !isEndpoint(c.Endpoint, "https", "http"):
		return errEndpoint
	case !isLine(c.Description):
		return errText
	}
	return nil
}

func (c *HTTP) secret() *string { return &c.SigningKey }

// shownTo is nobody: a key signs and does not travel.
func (c *HTTP) shownTo() string { return "" }

// AddHTTP adds an endpoint and gives the key that it is to check signatures with.
func AddHTTP(tx *eventstore.Tx, v *crypto.Vault, instance string, sort Sort, c HTTP) (id, key string, d eventstore.Details, err error) {
	key = rand.Text()
	id, d, err = endpoints[sort].add(tx, v, instance, &c, key)
	return id, key, d, err
}

// ChangeHTTP changes an endpoint. With newKey it gives a new key, which replaces
// the one before at once.
func ChangeHTTP(tx *eventstore.Tx, v *crypto.Vault, instance string, sort Sort, id, endpoint, description string, newKey bool) (key string, d eventstore.Details, err error) {
	if newKey {
		key = rand.Text()
	}
	d, err = endpoints[sort].change(tx, v, instance, id, func(c config) error {
		h := c.(*HTTP) //nolint:forcetypeassert // the flavour's own
		h.Endpoint, h.Description = endpoint, description
		return nil
	}, key)
	return key, d, err
}
