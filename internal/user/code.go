package user

import (
	"context"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// codes are rows and no events: what is audited is that a code was made, and what
// came of it.
var codes = eventstore.DeclareEphemeral("user_codes", "instance_id, user_id, purpose, code_id", "one-time codes, which end by themselves")

// Purpose is what a one-time code is good for.
type Purpose string

// The purposes.
const (
	ToInitialize      Purpose = "init"
	ToVerifyEmail     Purpose = "email"
	ToVerifyPhone     Purpose = "phone"
	ToResetPassword   Purpose = "password"
	ToAcceptInvite    Purpose = "invite"
	ToRegisterPasskey Purpose = "passkey"
	ToSetUp           Purpose = "setup"
	ToFinishSetUp     Purpose = "setup.user"
	ToSetUpAgain      Purpose = "setup.again"
	ToGoOn            Purpose = "begun"
)

// CodeKey names a code. Of one key there is one code at a time: a new one ends the
// one before.
type CodeKey struct {
	Instance, UserID string
	Purpose          Purpose
	ID               string // where a user can have several for a purpose
}

func (k CodeKey) place() crypto.Place {
	return crypto.Place{Instance: k.Instance, Table: "user_codes", Row: k.UserID + "/" + k.ID, Column: string(k.Purpose)}
}

func (k CodeKey) args() []any { return []any{k.Instance, k.UserID, string(k.Purpose), k.ID} }

const whereCode = " WHERE instance_id = ? AND user_id = ? AND purpose = ? AND code_id = ?"

// maxTries is how often a code can be tried.
const maxTries = 5

// ErrCode answers a wrong code.
var ErrCode = fault.Invalid("USER-code", "The code is not the one that was sent.")

var (
	errCodeGone = fault.Precondition("USER-code-gone", "There is no such code, or no longer: ask for a new one.")
)

// KeepCode makes code the one of the key, for as long as lifetime.
func KeepCode(tx *eventstore.Tx, v *crypto.Vault, k CodeKey, code string, lifetime time.Duration) error {
	sealed, err := v.Seal([]byte(code), k.place())
	if err != nil {
		return err
	}
	codes.Exec(tx, `INSERT INTO user_codes (instance_id, user_id, purpose, code_id, sealed, attempts, expires) VALUES (?, ?, ?, ?, ?, 0, ?)
		ON CONFLICT (instance_id, user_id, purpose, code_id) DO UPDATE SET sealed = excluded.sealed, attempts = 0, expires = excluded.expires`,
		append(k.args(), sealed, tx.Now().Add(lifetime).UnixMicro())...)
	return nil
}

// KeepTicket makes a code good for a purpose, for as long as lifetime, beside others for the
// same purpose; it may be about no user yet. The code has 256 bits of chance, so its hash
// alone is kept, as the key's ID, and tries are not counted.
func KeepTicket(tx *eventstore.Tx, k CodeKey, lifetime time.Duration) {
	codes.Exec(tx, `INSERT INTO user_codes (instance_id, user_id, purpose, code_id, sealed, attempts, expires) VALUES (?, ?, ?, ?, '', 0, ?)
		ON CONFLICT (instance_id, user_id, purpose, code_id) DO UPDATE SET expires = excluded.expires`,
		append(k.args(), tx.Now().Add(lifetime).UnixMicro())...)
}

// Ticket asks whether a code of KeepTicket is good now.
func Ticket(k CodeKey, now time.Time, good *bool) database.Query {
	*good = false
	return database.Query{
		SQL:  "SELECT 1 FROM user_codes" + whereCode + " AND expires > ?",
		Args: append(k.args(), now.UnixMicro()), Row: func(database.Scan) error { *good = true; return nil },
	}
}

// TakeTickets ends all codes that KeepTicket kept for the user and the purpose of the key. It
// reports whether the one of the key was among them, and whether any was.
func TakeTickets(tx *eventstore.Tx, k CodeKey) (this, some bool, err error) {
	all := []any{k.Instance, k.UserID, string(k.Purpose)}
	err = tx.Read(database.Query{
		SQL: "SELECT code_id FROM user_codes WHERE instance_id = ? AND user_id = ? AND purpose = ? AND expires > ?", Args: append(all, tx.Now().UnixMicro()),
		Row: func(scan database.Scan) error {
			var id string
			err := scan(&id)
			this, some = this || id == k.ID, true
			return err
		},
	})
	if err == nil && some {
		codes.Exec(tx, "DELETE FROM user_codes WHERE instance_id = ? AND user_id = ? AND purpose = ?", all...)
	}
	return this, some, err
}

// DropCode ends the code of the key, if there is one.
func DropCode(tx *eventstore.Tx, k CodeKey) {
	codes.Exec(tx, "DELETE FROM user_codes"+whereCode, k.args()...)
}

// TakeCode gives what is kept under the key, once.
func TakeCode(ctx context.Context, store *eventstore.Store, v *crypto.Vault, k CodeKey) (string, error) {
	var sealed string
	err := store.Write(eventstore.ForGood(ctx), func(tx *eventstore.Tx) (err error) {
		sealed, err = lockCode(tx, k)
		DropCode(tx, k)
		return err
	})
	if err != nil {
		return "", err
	}
	code, err := v.Unseal(ctx, sealed, k.place())
	return string(code), err
}

// UseCode holds a code against the one of the key. The try is counted before the
// code is looked at, so that neither a crash nor a caller who hangs up gives one
// for free. A right code ends, together with what then does; a wrong one calls
// failed, which may be nil, in a transaction of its own. Of two who use the same
// code at once, one succeeds.
func UseCode(ctx context.Context, store *eventstore.Store, v *crypto.Vault, k CodeKey, code string, then, failed func(*eventstore.Tx) error) error {
	var sealed string
	counted := eventstore.ForGood(ctx)
	if err := store.Write(counted, func(tx *eventstore.Tx) (err error) {
		sealed, err = lockCode(tx, k)
		if err == nil {
			codes.Exec(tx, "UPDATE user_codes SET attempts = attempts + 1"+whereCode, k.args()...)
		}
		return err
	}); err != nil {
		return err
	}
	want, err := v.Unseal(ctx, sealed, k.place())
	if err != nil {
		return err
	}
	if !crypto.SameCode(string(want), code) {
		if failed != nil {
			if err := store.Write(counted, failed); err != nil {
				return err
			}
		}
		return ErrCode
	}
	return store.Write(ctx, func(tx *eventstore.Tx) error {
		now, err := lockCode(tx, k)
		switch {
		case err != nil && fault.Of(err) != errCodeTries:
			return err
		case now != sealed:
			return errCodeGone
		}
		DropCode(tx, k)
		return then(tx)
	})
}

// errCodeTries says that a code was tried too often.
var errCodeTries = fault.Precondition("USER-code-tries", "This code was tried %d times: ask for a new one.", maxTries)

// lockCode holds the code of the key and gives what is kept of it.
func lockCode(tx *eventstore.Tx, k CodeKey) (sealed string, err error) {
	var found bool
	var tries int
	var expires int64
	err = tx.Read(database.One(&found, "SELECT sealed, attempts, expires FROM user_codes"+whereCode+" FOR UPDATE", k.args(), &sealed, &tries, &expires))
	switch {
	case err != nil:
		return "", err
	case !found || tx.Now().UnixMicro() >= expires:
		return "", errCodeGone
	case tries >= maxTries:
		return sealed, errCodeTries
	}
	return sealed, nil
}
