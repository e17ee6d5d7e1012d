package flow

import (
	"cmp"
	"context"
	"slices"
	"time"

	"golang.org/x/text/language"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/instance"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

// NewInstance is what a new instance starts with: its domains, a first
// organization and in it a user who owns the instance.
type NewInstance struct {
	Name string
	// Domain is the one that comes with the instance and stays.
	Domain string
	// CustomDomain, where it is not empty, is the primary one instead.
	CustomDomain string
	Language     string // en where it is empty
	OrgName      string // the instance's name where it is empty
	Owner        Owner
	// Keys are the first web keys; they are made where there are none.
	Keys []webkey.Pair
}

// Owner is who owns a new instance: a human, or else a machine user.
type Owner struct {
	Human         *user.Human
	EmailVerified bool
	// Password is the human's first one; ChangeRequired asks for another at the next
	// login.
	Password       string
	ChangeRequired bool

	Machine  user.Machine
	PAT, Key *Expiring // makes one, where it is not nil
	// KeepPAT, where it is not nil, puts the token where it is safe, before anything
	// is made: a token that cannot be kept must not be.
	KeepPAT func(token string) error
}

// Expiring is a credential to make that ends at a time; zero: never.
type Expiring struct{ Expires time.Time }

// Created is a new instance, with what its owner proves themselves with, which is
// shown once.
type Created struct {
	InstanceID, OrgID, OwnerID string
	Token                      string
	KeyFile                    []byte
	Details                    eventstore.Details
}

// Setup makes the first instance, whose owner is a machine user with a token. keep
// may be nil; see Owner.KeepPAT. Without a vault the instance gets its web keys when
// it first needs them.
func Setup(ctx context.Context, store *eventstore.Store, v *crypto.Vault, name, domain string, keep func(token string) error, keys ...webkey.Pair) (Created, error) {
	return create(ctx, store, v, NewInstance{Name: name, Domain: domain, Keys: keys, Owner: Owner{
		Machine: user.Machine{UserName: "admin", Name: "admin", Description: "The first administrator."},
		PAT:     &Expiring{}, KeepPAT: keep,
	}})
}

// CreateInstance makes an instance with all that it needs to be administered. Its
// default language must be one of those that there are texts in.
func CreateInstance(ctx context.Context, store *eventstore.Store, v *crypto.Vault, n NewInstance, supported []string) (Created, error) {
	if err := authz.RequireSystem(ctx, "system.instance.write"); err != nil {
		return Created{}, err
	}
	if n.Language != "" {
		tag, err := language.Parse(n.Language)
		if err != nil || !slices.Contains(supported, tag.String()) {
			return Created{}, errUnsupported(supported)
		}
		n.Language = tag.String()
	}
	return create(ctx, store, v, n)
}

// secrets are what takes long to make and must be ready before the transaction.
type secrets struct{ token, tokenHash, private, public, password string }

func (o Owner) secrets(ctx context.Context) (s secrets, err error) {
	if o.Human != nil {
		if o.Password == "" {
			return s, errNoPassword
		}
		rules := policy.DefaultPasswordComplexity()
		if err := rules.Check(o.Password); err != nil {
			return s, err
		}
		s.password, err = crypto.HashPassword(ctx, o.Password)
		return s, err
	}
	if o.PAT != nil {
		s.token, s.tokenHash = user.NewToken()
	}
	if o.PAT != nil && o.KeepPAT != nil {
		if err := o.KeepPAT(s.token); err != nil {
			return s, err
		}
	}
	if o.Key != nil {
		s.private, s.public, err = user.KeyPair(nil)
	}
	return s, err
}

func create(ctx context.Context, store *eventstore.Store, v *crypto.Vault, n NewInstance) (Created, error) {
	s, err := n.Owner.secrets(ctx)
	if err == nil && v != nil && len(n.Keys) == 0 {
		n.Keys, err = webkey.FirstPairs(ctx)
	}
	if err != nil {
		return Created{}, err
	}
	var out Created
	// Whoever may make an instance may fill it.
	err = store.Write(authz.AsSystem(ctx, ""), func(tx *eventstore.Tx) error {
		out = Created{InstanceID: tx.NewID(), OrgID: tx.NewID(), OwnerID: tx.NewID(), Token: s.token}
		if err := n.start(tx, v, out.InstanceID); err != nil {
			return err
		}
		if _, err := addOrg(tx, out.InstanceID, out.OrgID, cmp.Or(n.OrgName, n.Name)); err != nil {
			return err
		}
		if _, err := instance.SetDefaultOrg(tx, out.InstanceID, out.OrgID); err != nil {
			return err
		}
		if err := n.Owner.add(tx, &out, s, cmp.Or(n.Language, "en")); err != nil {
			return err
		}
		out.Details, err = member.Add(tx, member.Of(eventstore.Scope{Instance: out.InstanceID}), out.OwnerID, []string{authz.InstanceOwner})
		return err
	})
	return out, err
}

// start makes the instance with its domains, policies, language and keys.
func (n NewInstance) start(tx *eventstore.Tx, v *crypto.Vault, id string) error {
	if _, err := instance.Add(tx, id, n.Name); err != nil {
		return err
	}
	if err := instance.AddGeneratedDomain(tx, id, n.Domain); err != nil {
		return err
	}
	if n.CustomDomain != "" {
		if _, err := instance.AddDomain(tx, id, n.CustomDomain); err != nil {
			return err
		}
		if _, err := instance.SetPrimaryDomain(tx, id, n.CustomDomain); err != nil {
			return err
		}
	}
	if n.Language != "" && n.Language != "en" {
		if _, err := instance.SetDefaultLanguage(tx, id, n.Language); err != nil {
			return err
		}
	}
	if v != nil {
		if err := webkey.First(tx, v, id, n.Keys); err != nil {
			return err
		}
	}
	return policy.SetDefaults(tx, id)
}

// add makes the owner. A human without a user name is called like the address and
// speaks the instance's language, a machine user is called like its name.
func (o Owner) add(tx *eventstore.Tx, c *Created, s secrets, spoken string) error {
	if o.Human != nil {
		h := *o.Human
		h.UserName, h.PreferredLanguage = cmp.Or(h.UserName, h.Email), cmp.Or(h.PreferredLanguage, spoken)
		_, err := user.AddHuman(tx, c.InstanceID, c.OrgID, c.OwnerID, &h, user.Password{Hash: s.password, ChangeRequired: o.ChangeRequired})
		if err == nil && o.EmailVerified {
			_, err = user.VerifyEmail(tx, c.InstanceID, c.OrgID, c.OwnerID)
		}
		return err
	}
	m := o.Machine
	m.UserName = cmp.Or(m.UserName, m.Name, "admin")
	m.Name = cmp.Or(m.Name, m.UserName)
	if _, err := user.AddMachine(tx, c.InstanceID, c.OrgID, c.OwnerID, m); err != nil {
		return err
	}
	if o.PAT != nil {
		if _, _, err := user.AddPAT(tx, c.InstanceID, c.OrgID, c.OwnerID, s.tokenHash, o.PAT.Expires); err != nil {
			return err
		}
	}
	if o.Key != nil {
		id, _, err := user.AddKey(tx, c.InstanceID, c.OrgID, c.OwnerID, "", s.public, o.Key.Expires)
		if err != nil {
			return err
		}
		c.KeyFile = user.KeyFile(id, c.OwnerID, s.private)
	}
	return nil
}

var errNoPassword = fault.Precondition("USER-password", "Give a password: this version cannot mail a code by which to set one.")

func errUnsupported(supported []string) error {
	return fault.Invalid("LANG-unsupported", "There are no texts in this language. Choose one of %q.", supported)
}
