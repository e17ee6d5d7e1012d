package flow

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/member"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

// SetupLink is what the link to the page of the set-up says. There are three: that of the
// start, which is good as long as no person owns the instance, and those of a reset, for one
// more person who will own it and for one who does.
type SetupLink struct {
	Code string
	User string // of the instance's owners, who gets a new way in; empty: somebody new
}

func (l SetupLink) key(instance string, p user.Purpose) user.CodeKey {
	return user.CodeKey{Instance: instance, UserID: l.User, Purpose: p, ID: user.HashToken(l.Code)}
}

// again asks whether the link is one of a reset that was not used: no owner, and not the one
// whom it names, has a passkey that is newer than the link. A password ends it at once.
func (l SetupLink) again(instance string, now time.Time, good *bool) database.Query {
	const owned = "(SELECT r.user_id FROM member_roles r WHERE r.instance_id = c.instance_id AND r.kind = ? AND r.object_id = c.instance_id AND r.role = ?)"
	k := l.key(instance, user.ToSetUpAgain)
	*good = false
	return database.One(good, `SELECT 1 FROM user_codes c WHERE c.instance_id = ? AND c.user_id = ? AND c.purpose = ? AND c.code_id = ? AND c.expires > ?
		AND (c.user_id = '' OR c.user_id IN `+owned+`)
		AND NOT EXISTS (SELECT 1 FROM user_factors f WHERE f.instance_id = c.instance_id AND f.kind = ? AND f.state = ? AND f.created >= c.expires - ?
			AND c.user_id IN ('', f.user_id) AND f.user_id IN `+owned+`)`,
		[]any{
			k.Instance, k.UserID, string(k.Purpose), k.ID, now.UnixMicro(), member.OfInstance, authz.InstanceOwner,
			string(user.Passkey), user.FactorReady, SetupLifetime.Microseconds(), member.OfInstance, authz.InstanceOwner,
		}, new(int))
}

// standing is what a link is good for now.
type standing struct {
	again      bool     // it is one of a reset
	unfinished user.Ref // who began by such a link and has nothing to log in with
}

// standing reads it; what more reads travels along.
func (l SetupLink) standing(ctx context.Context, r database.Reader, instance, userName string, now time.Time, more ...database.Query) (s standing, err error) {
	var first, owned bool
	err = r.Read(ctx, append(more, user.Ticket(l.key(instance, user.ToSetUp), now, &first), l.again(instance, now, &s.again), owners(instance, userName, &owned, &s.unfinished))...)
	if err == nil && !s.again && (!first || owned) {
		err = errSetup
	}
	return s, err
}

// SetupFor refuses a link that is not good, or not any more. It gives whom it is for; of
// somebody new the ID is empty.
func SetupFor(ctx context.Context, store *eventstore.Store, l SetupLink) (User, error) {
	who, _, err := l.open(ctx, store)
	return who, err
}

// open is SetupFor, with the context in which a reset is done.
func (l SetupLink) open(ctx context.Context, store *eventstore.Store) (who User, _ context.Context, err error) {
	instance := authz.From(ctx).Instance
	s, err := l.standing(ctx, store, instance, "", store.Now())
	if s.again {
		ctx = eventstore.WithOrigin(ctx, eventstore.Origin{Creator: ResetCreator})
	}
	if err == nil && l.User != "" {
		who, err = OneUser(ctx, store, instance, UserWithID(l.User))
	}
	return who, ctx, err
}

// SetUp makes a person who owns the instance, or gives the one whom the link is for a new
// way in; of the latter the log says that a reset did. The address counts as proved: who
// sees where the server starts is trusted with more. Without a password, a passkey is to be
// registered next.
func SetUp(ctx context.Context, store *eventstore.Store, v *crypto.Vault, l SetupLink, h user.Human, password string) (r user.Ref, err error) {
	who, ctx, err := l.open(ctx, store)
	if err != nil {
		return r, err
	}
	r = user.Ref{Instance: authz.From(ctx).Instance, Org: who.OrgID, UserID: who.ID}
	var p user.Password
	if password != "" {
		if p.Hash, err = user.HashNew(ctx, store, policy.Scope{Instance: r.Instance, Org: r.Org}, password); err != nil {
			return r, err
		}
	}
	h.UserName = h.Email
	err = store.Write(ctx, func(tx *eventstore.Tx) error {
		if l.User != "" {
			return l.comeBack(tx, v, who, p)
		}
		r.UserID = tx.NewID()
		return l.begin(tx, &r, h, p)
	})
	return r, err
}

// hold keeps links from being used at once: of two, the second sees the first.
func (l SetupLink) hold(tx *eventstore.Tx, instance, userName string, more ...database.Query) (s standing, err error) {
	if _, err := tx.Lock(eventstore.Scope{Instance: instance}.Aggregate()); err != nil {
		return s, err
	}
	return l.standing(tx.Context(), tx.Reader(), instance, userName, tx.Now(), more...)
}

// begin makes the person.
func (l SetupLink) begin(tx *eventstore.Tx, r *user.Ref, h user.Human, p user.Password) error {
	all := eventstore.Scope{Instance: r.Instance}
	s, err := l.hold(tx, r.Instance, h.UserName, database.One(new(bool), "SELECT default_org FROM instances WHERE instance_id = ?", []any{r.Instance}, &r.Org))
	if err != nil {
		return err
	}
	if s.unfinished.UserID != "" {
		if _, err := RemoveUser(tx, eventstore.Scope{Instance: r.Instance, Org: s.unfinished.Org}, s.unfinished.UserID); err != nil {
			return err
		}
	}
	if _, err := user.AddHuman(tx, r.Instance, r.Org, r.UserID, &h, p); err != nil {
		return err
	}
	if _, err := user.VerifyEmail(tx, r.Instance, r.Org, r.UserID); err != nil {
		return err
	}
	if _, err := member.Add(tx, member.Of(all), r.UserID, []string{authz.InstanceOwner}); err != nil {
		return err
	}
	if p.Hash == "" { // Who breaks off now may begin anew.
		user.KeepTicket(tx, user.CodeKey{Instance: r.Instance, Purpose: user.ToFinishSetUp, ID: r.UserID}, finishLifetime)
	} else if err := l.use(tx, r.Instance); err != nil {
		return err
	}
	_, err = member.Add(tx, member.Of(eventstore.Scope{Instance: r.Instance, Org: r.Org}), r.UserID, []string{authz.OrgOwner})
	return err
}

// comeBack lets a person in again who lost what they logged in with: whoever sets a password
// is asked for none of the second factors from before.
func (l SetupLink) comeBack(tx *eventstore.Tx, v *crypto.Vault, who User, p user.Password) error {
	r := user.Ref{Instance: authz.From(tx.Context()).Instance, Org: who.OrgID, UserID: who.ID}
	if _, err := l.hold(tx, r.Instance, ""); err != nil {
		return err
	}
	switch who.State {
	case user.Inactive: // Somebody else decided that.
		return errSetup
	case user.Locked:
		if _, err := user.Unlock(tx, r.Instance, r.Org, r.UserID); err != nil {
			return err
		}
	}
	if p.Hash == "" {
		return nil
	}
	if _, err := user.SetPassword(tx, v, r.Instance, r.Org, r.UserID, p); err != nil {
		return err
	}
	if err := user.RemoveSecondFactors(tx, r); err != nil {
		return err
	}
	return l.use(tx, r.Instance)
}

// use ends the link of a reset, and others for the same person.
func (l SetupLink) use(tx *eventstore.Tx, instance string) error {
	_, _, err := user.TakeTickets(tx, l.key(instance, user.ToSetUpAgain))
	return err
}
