package user

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/logout"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// attempts are rows and no events: what is audited is what came of each try.
var attempts = eventstore.DeclareEphemeral("user_attempts", "instance_id, user_id, counter", "counters of tries, which end with a success").Kept()

// Ref names a user. The id may be of nobody, or empty, and the organization is empty
// where it does not matter.
type Ref struct{ Instance, Org, UserID string }

func (r Ref) aggregate() eventstore.Aggregate { return aggregate(r.Instance, r.Org, r.UserID) }

// Counter counts the tries of some of a user's secrets. What one counts does not
// burden the other: who guesses passwords cannot use up the tries of a code.
type Counter string

// The counters.
const (
	PasswordTries Counter = "password"
	// CodeTries counts the codes of authenticator apps, of mails and SMS, and recovery
	// codes together: whoever guesses may choose among them.
	CodeTries Counter = "otp"
)

// maxCodeTries is the most tries of codes, whatever the policy allows: they are
// short enough to be found otherwise.
const maxCodeTries = 100

// limit is how many tries in succession may fail; 0: any number.
func (c Counter) limit(p policy.LockoutPolicy) uint64 {
	switch {
	case c == PasswordTries:
		return p.MaxPasswordAttempts
	case p.MaxOTPAttempts == 0:
		return maxCodeTries
	}
	return min(p.MaxOTPAttempts, maxCodeTries)
}

// wrong is the error of a try that failed.
func (c Counter) wrong() *fault.Error {
	if c == PasswordTries {
		return ErrWrongPassword
	}
	return ErrWrongCode
}

// Errors of checks. Those that tell about the user are only for callers who may
// know: for others, all is like a wrong secret.
var (
	ErrWrongPassword = fault.Invalid("COMMAND-3M0fs", "The password is wrong.")
	ErrWrongCode     = fault.Invalid("USER-code-wrong", "The code is wrong.")
	errLocked        = fault.Precondition("USER-locked", "The user is locked. Somebody who manages users can unlock them.")
	errUnusable      = fault.Precondition("USER-inactive", "The user, or the organization of the user, is not active.")
	errTrying        = fault.Exhausted("USER-trying", "Too many tries are under way. Try again in a minute.")
)

// Attempt is one try of a secret.
type Attempt struct {
	Counter Counter
	// Refusal says why there is nothing to check, such as that no password is set; nil
	// where there is something. Such a try is not counted.
	Refusal error
	// Check reports whether the secret is right, after the try was counted and outside
	// of transactions. Where it fails, the try counts, as nobody knows how far it came;
	// but for faults that say that there was nothing to compare: NotFound,
	// FailedPrecondition, and Exhausted, such as crypto.ErrBusy.
	Check func(context.Context) (bool, error)
	// Passed, which may be nil, runs in the transaction in which the success counts.
	// It may say by the counter's error that the secret is wrong after all, such as a
	// code that was used already.
	Passed func(*eventstore.Tx, eventstore.Aggregate) error
	// Failed, which may be nil, runs in the transaction in which the failure is
	// recorded, also in a dry run.
	Failed func(*eventstore.Tx, eventstore.Aggregate) error
}

// The times of a try.
const (
	// longestCheck is how long a check can take: a try that began earlier and neither
	// passed nor failed was given up.
	longestCheck = time.Minute
	// longestRecord is how long it can take to record a failure, also of a caller who
	// hung up.
	longestRecord = 10 * time.Second
)

// Guard is Attempt.Run for a check that does by itself what follows from it.
func Guard(ctx context.Context, store *eventstore.Store, ref Ref, c Counter, check func(context.Context) (bool, error)) error {
	return Attempt{Counter: c, Check: check}.Run(ctx, store, ref)
}

// Run is the one way to check a secret of a user. A try is reserved before the
// check, for good and in a transaction of its own, so that neither a crash nor a
// caller who hangs up, a dry run or many tries at once give one for free. A success
// resets the counter. With the last try that the lockout policy allows the user is
// locked, and from then on nothing is right any more.
func (a Attempt) Run(ctx context.Context, store *eventstore.Store, ref Ref) error {
	var t try
	if err := store.Write(eventstore.ForGood(ctx), func(tx *eventstore.Tx) (err error) {
		t, err = reserve(tx, ref, a)
		return err
	}); err != nil {
		return err
	}
	if t.refusal != nil {
		return t.refuse(ctx, store, a.Counter)
	}
	right, err := a.Check(ctx)
	switch {
	case err != nil && slices.Contains(notCompared, fault.KindOf(err)):
		return errors.Join(err, t.giveBack(ctx, store, a.Counter))
	case err != nil:
		return err
	case right:
		err = t.pass(ctx, store, a)
		if err == nil || !errors.Is(err, a.Counter.wrong()) {
			return err
		}
	}
	return t.fail(ctx, store, a)
}

// notCompared are the kinds of the faults of a check that compared nothing.
var notCompared = []fault.Kind{fault.KindNotFound, fault.KindFailedPrecondition, fault.KindExhausted}

// try is a reserved one.
type try struct {
	ref     Ref  // with the organization
	known   bool // there is such a user
	state   int
	active  bool // the organization
	n       uint64
	counted uint64 // tries by now
	began   int64
	limit   uint64
	refusal error
}

// lockTry holds the user and reads what decides about tries.
func lockTry(tx *eventstore.Tx, ref Ref, c Counter) (try, error) {
	t := try{ref: ref}
	counts, org, orgState := false, "", 0
	_, err := tx.Lock(ref.aggregate(), database.One(&t.known,
		`SELECT u.org_id, u.state, COALESCE(o.state, 0) FROM users u
		LEFT JOIN orgs o ON o.instance_id = u.instance_id AND o.org_id = u.org_id WHERE u.instance_id = ? AND u.user_id = ?`,
		[]any{ref.Instance, ref.UserID}, &org, &t.state, &orgState),
		database.One(&counts, "SELECT attempts, began FROM user_attempts WHERE instance_id = ? AND user_id = ? AND counter = ?",
			[]any{ref.Instance, ref.UserID, string(c)}, &t.counted, &t.began))
	t.known = t.known && (ref.Org == "" || ref.Org == org)
	t.ref.Org, t.active = org, orgState == Active // Organizations number this state like users.
	return t, err
}

// standing is why nothing of the user is right; nil where something can be.
func (t try) standing() error {
	switch {
	case !t.known:
		return errMissing
	case t.state == Locked:
		return errLocked
	case t.state != Active || !t.active:
		return errUnusable
	}
	return nil
}

// reserve counts a try, unless it is refused. That costs the same.
func reserve(tx *eventstore.Tx, ref Ref, a Attempt) (try, error) {
	t, err := lockTry(tx, ref, a.Counter)
	if err != nil {
		return t, err
	}
	p, err := policy.Lockout.Resolve(tx.Context(), tx.Reader(), eventstore.Scope{Instance: ref.Instance, Org: t.ref.Org})
	if err != nil {
		return t, err
	}
	t.limit, t.n = a.Counter.limit(p.Doc), t.counted+1
	who := ref.UserID
	switch t.refusal = t.standing(); {
	case t.refusal != nil:
	case a.Refusal != nil:
		t.refusal = a.Refusal
	case t.limit == 0 || t.counted < t.limit:
	case tx.Now().Sub(time.UnixMicro(t.began)) < longestCheck:
		t.refusal = errTrying
	default: // Those were given up, so nobody came to lock the user.
		t.refusal = errLocked
		err = lockOut(tx, t.ref.aggregate())
	}
	if t.refusal != nil {
		who = ""
	}
	attempts.Exec(tx, `INSERT INTO user_attempts (instance_id, user_id, counter, attempts, began) VALUES (?, ?, ?, 1, ?)
		ON CONFLICT (instance_id, user_id, counter) DO UPDATE SET attempts = user_attempts.attempts + 1, began = excluded.began`,
		ref.Instance, who, string(a.Counter), tx.Now().UnixMicro())
	return t, err
}

// refuse says why to those who may know it. Others wait as long as for a check, and
// read what they would read of a wrong secret.
func (t try) refuse(ctx context.Context, store *eventstore.Store, c Counter) error {
	if mayKnow(ctx, t.ref) {
		return t.refusal
	}
	if c == PasswordTries {
		if _, err := crypto.PasswordMatches(ctx, "", ""); err != nil {
			return err
		}
	}
	t.ref.UserID = "" // The one whom all share who do not exist.
	if err := store.Write(eventstore.ForGood(ctx), func(tx *eventstore.Tx) error {
		_, err := lockTry(tx, t.ref, c) // As to record a failure.
		t.uncount(tx, c)
		return err
	}); err != nil {
		return err
	}
	return c.wrong()
}

// mayKnow reports whether the caller may know of the user: it is themselves, or one
// whom they may read.
func mayKnow(ctx context.Context, r Ref) bool {
	return isSelf(ctx, r) || authz.From(ctx).Can("user.read", r.Org)
}

// isSelf reports whether the caller is the user.
func isSelf(ctx context.Context, r Ref) bool {
	c := authz.From(ctx)
	return c != nil && c.UserID != "" && c.UserID == r.UserID && c.Instance == r.Instance
}

// giveBack takes back a try that compared nothing.
func (t try) giveBack(ctx context.Context, store *eventstore.Store, c Counter) error {
	return store.Write(eventstore.ForGood(ctx), func(tx *eventstore.Tx) error {
		t.uncount(tx, c)
		return nil
	})
}

func (t try) uncount(tx *eventstore.Tx, c Counter) {
	attempts.Exec(tx, "UPDATE user_attempts SET attempts = attempts - 1 WHERE instance_id = ? AND user_id = ? AND counter = ? AND attempts > 0",
		t.ref.Instance, t.ref.UserID, string(c))
}

// pass resets the counter, unless the user was locked meanwhile. Where what follows
// from the success fails or was a dry run, the secret was right all the same.
func (t try) pass(ctx context.Context, store *eventstore.Store, a Attempt) error {
	var refusal error
	err := store.Write(ctx, func(tx *eventstore.Tx) error {
		now, err := lockTry(tx, t.ref, a.Counter)
		if err != nil {
			return err
		}
		if refusal = now.standing(); refusal != nil {
			return refusal
		}
		reset(tx, t.ref, a.Counter)
		if a.Passed == nil {
			return nil
		}
		return a.Passed(tx, now.ref.aggregate())
	})
	switch {
	case refusal != nil && !mayKnow(ctx, t.ref):
		return a.Counter.wrong()
	case refusal != nil || errors.Is(err, a.Counter.wrong()):
		return err
	case err == nil && !eventstore.IsDryRun(ctx):
		return nil
	}
	return errors.Join(err, store.Write(eventstore.ForGood(ctx), func(tx *eventstore.Tx) error {
		reset(tx, t.ref, a.Counter)
		return nil
	}))
}

// fail records a failure. The one that used up the last try locks the user.
func (t try) fail(ctx context.Context, store *eventstore.Store, a Attempt) error {
	wrong := a.Counter.wrong()
	if mayKnow(ctx, t.ref) {
		wrong = wrong.With(fault.FailedCheck{Attempts: t.n})
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestRecord)
	defer cancel()
	err := store.Write(eventstore.ForGood(ctx), func(tx *eventstore.Tx) error {
		now, err := lockTry(tx, t.ref, a.Counter)
		if err != nil || !now.known {
			return err
		}
		user := now.ref.aggregate()
		if a.Failed != nil {
			if err := a.Failed(tx, user); err != nil {
				return err
			}
		}
		if t.limit > 0 && min(t.n, now.counted) >= t.limit && now.state == Active {
			err = lockOut(tx, user)
		}
		return err
	})
	if err != nil {
		return err
	}
	return wrong
}

// lockOut locks a user whose tries are used up.
func lockOut(tx *eventstore.Tx, user eventstore.Aggregate) error {
	var told logout.List
	err := tx.Read(told.OfUser(user.Instance, user.ID))
	if err == nil {
		_, err = WasLocked.Emit(tx, user, eventstore.None{})
	}
	if err == nil {
		err = told.Queue(tx, user.Instance)
	}
	return err
}

// reset ends the counter.
func reset(tx *eventstore.Tx, ref Ref, c Counter) {
	attempts.Exec(tx, "DELETE FROM user_attempts WHERE instance_id = ? AND user_id = ? AND counter = ?", ref.Instance, ref.UserID, string(c))
}

// resetAll ends all counters of the user.
func resetAll(tx *eventstore.Tx, instance, id string) {
	attempts.Exec(tx, "DELETE FROM user_attempts WHERE instance_id = ? AND user_id = ?", instance, id)
}
