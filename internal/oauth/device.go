package oauth

import (
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

var (
	devices = eventstore.DeclareEphemeral("device_authorizations", "instance_id, request_id", "a device waits for minutes, and what its user decides is an event")
	guesses = eventstore.DeclareEphemeral("device_guesses", "instance_id, guesser", "counters of tries, which begin anew after minutes")
)

func init() { eventstore.DeclareStream("device.authorization.", "device_auth") }

// The times of a device.
const (
	DeviceLifetime = 10 * time.Minute // for its user to decide
	DevicePause    = 5 * time.Second  // between two questions, at first
	morePause      = 5 * time.Second  // each time that it asks too early
	deviceMemory   = time.Hour        // for how long a device that comes too late is told so
)

// The codes that users type: letters that are not mistaken for others, and make no words
// (RFC 8628, section 6.1), in two groups. That is 34 bits of chance, which hold for
// minutes only against somebody who may guess a few times.
const (
	userLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userGroup   = 4
)

// NewUserCode makes a code that a user types on another device, and the hash under
// which it is kept.
func NewUserCode() (code, hash string, err error) {
	letters, err := crypto.NewCode(userLetters, 2*userGroup)
	if err != nil {
		return "", "", err
	}
	code = letters[:userGroup] + "-" + letters[userGroup:]
	return code, crypto.HashCode(code), nil
}

// UserCode is the one form of a code, of which people type others.
func UserCode(typed string) string {
	code := strings.ToUpper(strings.NewReplacer("-", "", " ", "").Replace(typed))
	if len(code) == 2*userGroup {
		code = code[:userGroup] + "-" + code[userGroup:]
	}
	return code
}

// What became of a device's request.
const (
	deviceWaits = iota
	deviceAllowed
	deviceDenied
)

// Device is a device that asks for a login, by a client that is known already.
type Device struct {
	ID                   string
	ClientID             string
	Scopes               []string
	DeviceHash, UserHash string
	Created, Ends        time.Time
	state                int
	pause                time.Duration
	asked                time.Time
}

type deviceApproved struct {
	ClientID string    `json:"ClientID"`
	Scopes   []string  `json:"Scopes"`
	UserID   string    `json:"UserID"`
	UserOrg  string    `json:"UserOrgID"`
	Session  string    `json:"SessionID"`
	Methods  []string  `json:"UserAuthMethods"`
	AuthTime time.Time `json:"AuthTime"`
	Language string    `json:"PreferredLanguage,omitempty"`
}

type deviceCanceled struct {
	ClientID string `json:"ClientID"` // who tried, or for whom it was
	Reason   string `json:"Reason"`
}

// The events of a device: what was decided. That a device asked is none, as anybody may
// ask.
var (
	DeviceApproved = eventstore.Declare("device.authorization.approved", func(*eventstore.Fold, deviceApproved) error { return nil })
	DeviceCanceled = eventstore.Declare("device.authorization.canceled", func(*eventstore.Fold, deviceCanceled) error { return nil })
)

// ReasonDenied is why a device gets nothing whose user says no.
const ReasonDenied = "denied"

var (
	errNoDevice  = fault.NotFound("OIDC-device", "No device waits with this code, or no longer. Look at the code once more, or start again on the device.")
	errGuesses   = fault.Exhausted("OIDC-device-guesses", "Too many codes were wrong. Try again in %d minutes.", int(DeviceLifetime/time.Minute))
	errSameCode  = fault.New(fault.KindAborted, "OIDC-device-code", "Another device got the same code just now. Try again.")
	errPending   = fault.Invalid("OIDC-device-pending", "The user has not decided yet. Ask again after the interval.").With(ErrorCode("authorization_pending"))
	errSlowDown  = fault.Invalid("OIDC-device-slow", "The device asks too often: wait %d seconds longer from now on.", int(morePause/time.Second)).With(ErrorCode("slow_down"))
	errDenied    = fault.Invalid("OIDC-device-denied", "The user denied it.").With(AccessDenied)
	errDeviceEnd = fault.Invalid("OIDC-device-expired", "The device_code has expired. Start again.").With(ErrorCode("expired_token"))
)

// KeepDevice keeps a device until its user has decided.
func KeepDevice(tx *eventstore.Tx, instance string, d Device) {
	now := tx.Now()
	devices.ExecUnique(tx, errSameCode, `INSERT INTO device_authorizations (instance_id, request_id, device_hash, user_hash, client_id,
		scopes, state, pause, asked, created, ends, expires) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)`,
		instance, d.ID, d.DeviceHash, d.UserHash, d.ClientID, list(d.Scopes), deviceWaits, int64(DevicePause/time.Second), now.UnixMicro(),
		now.Add(DeviceLifetime).UnixMicro(), now.Add(DeviceLifetime+deviceMemory).UnixMicro())
}

// deviceBy asks for a device by a column. It stays without an id where there is none.
func deviceBy(column, instance, value string, d *Device) database.Query {
	return database.Query{
		SQL: `SELECT request_id, client_id, scopes, device_hash, user_hash, created, ends, state, pause, asked
			FROM device_authorizations WHERE instance_id = ? AND ` + column + " = ?",
		Args: []any{instance, value}, Row: d.read,
	}
}

func (d *Device) read(scan database.Scan) error {
	var scopes string
	var created, ends, pause, asked int64
	err := scan(&d.ID, &d.ClientID, &scopes, &d.DeviceHash, &d.UserHash, &created, &ends, &d.state, &pause, &asked)
	d.Scopes, d.Created, d.Ends = words(scopes), time.UnixMicro(created).UTC(), time.UnixMicro(ends).UTC()
	d.pause, d.asked = time.Duration(pause)*time.Second, time.UnixMicro(asked).UTC()
	return err
}

// DeviceByID asks for a device by the id that pages know it by.
func DeviceByID(instance, id string, d *Device) database.Query {
	return deviceBy("request_id", instance, id, d)
}

// DeviceByCode asks for a device by the hash of the code that it holds itself.
func DeviceByCode(instance, hash string, d *Device) database.Query {
	return deviceBy("device_hash", instance, hash, d)
}

// Waits refuses a device for which there is nothing to decide.
func (d *Device) Waits(now time.Time) error {
	if d.ID == "" || d.state != deviceWaits || !now.Before(d.Ends) {
		return errNoDevice
	}
	return nil
}

// Try counts what somebody tries, and gives how often they did in the lifetime of a code,
// this time included; also are queries that travel along.
func Try(tx *eventstore.Tx, instance, guesser string, also ...database.Query) (tries int, err error) {
	now := tx.Now()
	guesses.Exec(tx, `INSERT INTO device_guesses (instance_id, guesser, tries, expires) VALUES (?, ?, 1, ?) ON CONFLICT (instance_id, guesser) DO UPDATE SET
		tries = CASE WHEN device_guesses.expires <= ? THEN 1 ELSE device_guesses.tries + 1 END,
		expires = CASE WHEN device_guesses.expires <= ? THEN excluded.expires ELSE device_guesses.expires END`,
		instance, guesser, now.Add(DeviceLifetime).UnixMicro(), now.UnixMicro(), now.UnixMicro())
	err = tx.Read(append(also, database.One(new(bool), "SELECT tries FROM device_guesses WHERE instance_id = ? AND guesser = ?", []any{instance, guesser}, &tries))...)
	return tries, err
}

// GuessDevice gives the device whose code somebody typed. Of wrong codes a guesser has
// so many in the lifetime of a code: each try is counted before it is looked at, so
// that many at once are not more. refusal says that there is none; the transaction is
// to be committed all the same.
func GuessDevice(tx *eventstore.Tx, instance, guesser string, most int, userHash string) (d Device, refusal, err error) {
	now := tx.Now()
	tries, err := Try(tx, instance, guesser, deviceBy("user_hash", instance, userHash, &d))
	if err != nil {
		return d, nil, err
	}
	if tries > most {
		return Device{}, errGuesses, nil
	}
	if refusal = d.Waits(now); refusal == nil {
		guesses.Exec(tx, "UPDATE device_guesses SET tries = tries - 1 WHERE instance_id = ? AND guesser = ?", instance, guesser)
	}
	return d, refusal, nil
}

// AllowDevice lets a device have what g says: its own code is good for tokens now, which
// will be those of a family with the id. A device is decided about once.
func AllowDevice(tx *eventstore.Tx, instance, id, familyID string, g Grant) error {
	d, err := decide(tx, instance, id, deviceAllowed)
	if err != nil {
		return err
	}
	if _, err := DeviceApproved.Emit(tx, deviceAggregate(instance, id), deviceApproved{
		ClientID: g.ClientID, Scopes: g.Scopes, UserID: g.UserID, UserOrg: g.UserOrg, Session: g.SessionID,
		Methods: g.Methods, AuthTime: g.AuthTime, Language: g.Language,
	}); err != nil {
		return err
	}
	return KeepCode(tx, instance, d.DeviceHash, Code{Grant: g, FamilyID: familyID, Lifetime: d.Ends.Sub(tx.Now())})
}

// DenyDevice refuses a device for good.
func DenyDevice(tx *eventstore.Tx, instance, id string) error {
	d, err := decide(tx, instance, id, deviceDenied)
	if err == nil {
		_, err = DeviceCanceled.Emit(tx, deviceAggregate(instance, id), deviceCanceled{ClientID: d.ClientID, Reason: ReasonDenied})
	}
	return err
}

func decide(tx *eventstore.Tx, instance, id string, state int) (d Device, err error) {
	if err = tx.Read(DeviceByID(instance, id, &d).ForUpdate()); err == nil {
		err = d.Waits(tx.Now())
	}
	if err == nil {
		devices.Exec(tx, "UPDATE device_authorizations SET state = ? WHERE instance_id = ? AND request_id = ?", state, instance, id)
		err = tx.Start(deviceAggregate(instance, id))
	}
	return d, err
}

// Decided reports what a client that asks with a device's code may be told: nil where
// the code is one to redeem, or one that is not known here.
func (d *Device) Decided(now time.Time) error {
	switch {
	case d.ID == "":
		return nil
	case !now.Before(d.Ends):
		return errDeviceEnd
	case d.state == deviceDenied:
		return errDenied
	case d.state == deviceWaits:
		return errPending
	}
	return nil
}

// Ask notes that a device asked whether its user has decided. Who asks before the pause
// is over is told to wait longer (RFC 8628, section 3.5). refusal says what to answer;
// the transaction is to be committed all the same.
func Ask(tx *eventstore.Tx, instance, hash string) (refusal, err error) {
	var d Device
	if err := tx.Read(DeviceByCode(instance, hash, &d).ForUpdate()); err != nil {
		return nil, err
	}
	now := tx.Now()
	if refusal = d.Decided(now); refusal != errPending { //nolint:errorlint // it is the very error
		return refusal, nil
	}
	if now.Sub(d.asked) < d.pause {
		d.pause += morePause
		refusal = errSlowDown
	}
	devices.Exec(tx, "UPDATE device_authorizations SET asked = ?, pause = ? WHERE instance_id = ? AND request_id = ?",
		now.UnixMicro(), int64(d.pause/time.Second), instance, d.ID)
	return refusal, nil
}

// VoidDevice leaves nothing of a device whose code another client has.
func VoidDevice(tx *eventstore.Tx, instance, hash, clientID string) error {
	var d Device
	if err := tx.Read(DeviceByCode(instance, hash, &d).ForUpdate()); err != nil || d.ID == "" {
		return err
	}
	devices.Exec(tx, "DELETE FROM device_authorizations WHERE instance_id = ? AND request_id = ?", instance, d.ID)
	codes.Exec(tx, "DELETE FROM oauth_codes WHERE instance_id = ? AND code_hash = ?", instance, hash)
	at := deviceAggregate(instance, d.ID)
	err := tx.Start(at)
	if err == nil {
		_, err = DeviceCanceled.Emit(tx, at, deviceCanceled{ClientID: clientID, Reason: ReasonOtherClient})
	}
	return err
}

func deviceAggregate(instance, id string) eventstore.Aggregate {
	return eventstore.Aggregate{Instance: instance, Type: "device_auth", ID: id, Owner: instance}
}
