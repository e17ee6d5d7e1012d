package flow

import (
	"context"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/job"
	"github.com/gatehouse/gatehouse/internal/oauth"
	"github.com/gatehouse/gatehouse/internal/org"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

// jobRegister makes the account that somebody asked for.
const jobRegister = "user.register"

// Registration is what somebody says who wants an account: of their own in an
// organization, or with an organization that will be theirs.
type Registration struct {
	Org                 string // empty: the default organization, or a new one
	OrgName             string // of a new one; empty: none
	FirstName, LastName string
	Email, Language     string
	Creator             string  // who the log names
	Ticket              string  // of the browser, hashed; see BeganHere
	Guesser             Guesser `json:"-"`
}

var (
	errRegister      = fault.Precondition("REGISTER-off", "Nobody can register here by themselves. Ask an administrator for an account.")
	errRegisterNames = fault.Invalid("REGISTER-names", "Write your given name and your family name, with %d characters each at most.", maxRegistered)
	errRegisterEmail = fault.Invalid("REGISTER-email", "An email address is like name@example.com, of %d bytes at most.", maxRegistered)
	errRegisterOrg   = fault.Invalid("REGISTER-org", "Write the name of your organization, with %d characters at most.", maxRegistered)
	errRegisterMany  = fault.Exhausted("REGISTER-many", "There were too many registrations from here. Try again in ten minutes.")
)

// maxRegistered bounds each text of a registration, in characters; an address, in bytes.
const maxRegistered = 200

// MayRegister refuses where the policies let nobody make an account by themselves, or no
// organization: that one has the instance's policy. Nobody registers in an organization that
// is not active.
func MayRegister(ctx context.Context, store *eventstore.Store, s eventstore.Scope, withOrg bool) error {
	if withOrg {
		s.Org = ""
		r, err := policy.Restrictions.Resolve(ctx, store, s.Instance)
		if err == nil && r.Doc.DisallowPublicOrgRegistration {
			err = errRegister
		}
		if err != nil {
			return err
		}
	}
	var active bool
	login, err := policy.Login.Resolve(ctx, store, s)
	if err == nil && s.Org != "" {
		err = store.Read(ctx, database.One(&active, "SELECT org_id FROM orgs WHERE instance_id = ? AND org_id = ? AND state = ?", []any{s.Instance, s.Org, org.Active}, new(string)))
	}
	if err == nil && (!login.Doc.AllowRegister || s.Org != "" && !active) {
		err = errRegister
	}
	return err
}

// MayRegisterFor is MayRegister for who comes from an application that asks with these
// scopes. Where it asks for users of one organization, it could not have others.
func MayRegisterFor(ctx context.Context, store *eventstore.Store, s eventstore.Scope, asked Scopes, withOrg bool) error {
	if asked.demandsOrg() && (withOrg || s.Org == "") {
		return errRegister
	}
	return MayRegister(ctx, store, s, withOrg)
}

func (r *Registration) check(withOrg bool) error {
	address, err := mail.ParseAddress(r.Email)
	length := utf8.RuneCountInString
	switch {
	case r.FirstName == "" || r.LastName == "" || length(r.FirstName) > maxRegistered || length(r.LastName) > maxRegistered:
		return errRegisterNames
	case err != nil || address.Address != r.Email || len(r.Email) > maxRegistered:
		return errRegisterEmail
	case withOrg && (r.OrgName == "" || length(r.OrgName) > maxRegistered):
		return errRegisterOrg
	}
	return nil
}

// Register has an account made, and its owner told by mail how to begin. Who has one already
// is told how to get into it. Which of the two it is, is found out later: the answer, and the
// time that it takes, tell nothing of who is known here.
func Register(ctx context.Context, store *eventstore.Store, r Registration, withOrg bool) error {
	if err := r.check(withOrg); err != nil {
		return err
	}
	instance := authz.From(ctx).Instance
	if err := MayRegister(ctx, store, eventstore.Scope{Instance: instance, Org: r.Org}, withOrg); err != nil {
		return err
	}
	many := false
	err := store.Write(ctx, func(tx *eventstore.Tx) error {
		tries, err := oauth.Try(tx, instance, "register "+r.Guesser.id)
		if many = tries > r.Guesser.most; err != nil || many {
			return err
		}
		return tx.Job(instance, jobRegister, r, tx.Now())
	})
	if err == nil && many {
		err = errRegisterMany
	}
	return err
}

// register is the work of jobRegister.
func register(store *eventstore.Store, v *crypto.Vault) job.Work {
	return func(ctx context.Context, j job.Job) (again time.Time, err error) {
		var r Registration
		if err := j.Into(&r); err != nil {
			return again, err
		}
		ctx = eventstore.WithOrigin(authz.AsSystem(ctx, j.Instance), eventstore.Origin{Creator: r.Creator})
		who, err := WhoIs(ctx, store, j.Instance, r.Email)
		if err != nil {
			return again, err
		}
		err = store.Write(ctx, func(tx *eventstore.Tx) error {
			if who.ID != "" {
				keepTicket(tx, j.Instance, who.ID, r.Ticket)
				_, _, err := user.RequestPasswordReset(tx, v, j.Instance, who.OrgID, who.ID, user.Delivery{})
				return err
			}
			id, err := r.make(tx, v, j.Instance)
			if err == nil {
				keepTicket(tx, j.Instance, id, r.Ticket)
			}
			return err
		})
		switch fault.KindOf(err) {
		case fault.KindFailedPrecondition, fault.KindNotFound, fault.KindAlreadyExists, fault.KindInvalid: // Locked, say, or taken meanwhile: nobody waits for it.
			err = nil
		default: // Another try may succeed.
		}
		return again, err
	}
}

// make makes the account, with its organization where one is asked for.
func (r *Registration) make(tx *eventstore.Tx, v *crypto.Vault, instance string) (id string, err error) {
	h := NewHuman{Initialize: true, Human: user.Human{
		UserName: r.Email, FirstName: r.FirstName, LastName: r.LastName, Email: r.Email, PreferredLanguage: r.Language,
	}}
	if r.OrgName != "" {
		_, id, _, err = SetUpOrg(tx, v, instance, FirstOrg{Name: r.OrgName, Human: h})
		return id, err
	}
	s := eventstore.Scope{Instance: instance, Org: r.Org}
	if s.Org == "" {
		if err := tx.Read(database.One(new(bool), "SELECT default_org FROM instances WHERE instance_id = ?", []any{instance}, &s.Org)); err != nil {
			return "", err
		}
	}
	id, _, _, err = AddHuman(tx, v, s, h)
	return id, err
}

// OrgAsked is the organization that the scopes of an authorization request name: whoever
// logs in for it must be of it. Empty: none is named, or none that is there.
func OrgAsked(ctx context.Context, store *eventstore.Store, scopes Scopes) (id string, err error) {
	if !scopes.demandsOrg() {
		return "", nil
	}
	ids, domain := scopes.values(scopeOrg), scopes.OrgDomain()
	condition, value := "org_id = ?", strings.Join(ids, "")
	if value == "" {
		condition, value = "primary_domain = ?", strings.ToLower(domain)
	}
	err = store.Read(ctx, database.One(new(bool), "SELECT org_id FROM orgs WHERE instance_id = ? AND "+condition, []any{authz.From(ctx).Instance, plain(value)}, &id))
	return id, err
}
