package oauth

import (
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

type added struct {
	Grant
	CodeHash string    `json:"codeHash,omitempty"`
	Exchange *Exchange `json:"exchange,omitempty"`
}

type codeRefused struct {
	ClientID string `json:"clientID"` // who tried
	Reason   string `json:"reason"`
}

// Access is an access token to add. Of the token itself only the hash is kept.
type Access struct {
	ID       string        `json:"id"`
	Hash     string        `json:"hash"`
	Lifetime time.Duration `json:"lifetime"`
	Scopes   []string      `json:"scope"`
	API      bool          `json:"api,omitempty"` // it is for our own API
	// Key is the thumbprint of the key that the token is bound to; empty: none.
	Key string `json:"jkt,omitempty"`
}

// accessRevoked ends one access token or, without an id, the family.
type accessRevoked struct {
	ID     string `json:"id,omitempty"`
	Reason string `json:"reason,omitempty"`
}

type refreshAdded struct {
	ID           string        `json:"id"`
	Lifetime     time.Duration `json:"lifetime"`
	IdleLifetime time.Duration `json:"idleLifetime"`
	Family       string        `json:"familyHash"`
	Hash         string        `json:"hash"`
	Key          string        `json:"jkt,omitempty"`
}

type refreshRenewed struct {
	ID           string        `json:"id"`
	IdleLifetime time.Duration `json:"idleLifetime"`
	Hash         string        `json:"hash"`
}

type refreshRevoked struct {
	Reason string `json:"reason,omitempty"`
}

// The events of a family of tokens.
var (
	Added = eventstore.Declare("oidc_session.added", func(f *eventstore.Fold, a added) error {
		exchange, err := a.Exchange.column()
		if err != nil {
			return err
		}
		f.Exec(`INSERT INTO oidc_sessions (instance_id, family_id, client_id, user_id, user_org, user_since, session_id, scopes, audience, auth_methods,
			auth_time, acr, nonce, language, code_hash, refresh_family, refresh_hash, refresh_id, refresh_idle, refresh_expires, exchange, created, changed, sequence)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', '', 0, 0, ?, ?, ?, ?)`,
			f.Instance, f.ID, a.ClientID, a.UserID, a.UserOrg, a.UserSince.UnixMicro(), a.SessionID, list(a.Scopes), list(a.Audience), list(a.Methods),
			a.AuthTime.UnixMicro(), a.ACR, a.Nonce, a.Language, a.CodeHash, exchange, f.Micros(), f.Micros(), f.Sequence)
		return nil
	}, "codeHash")
	// AccessAdded also forgets the family's tokens that have expired.
	AccessAdded = eventstore.Declare("oidc_session.access_token.added", func(f *eventstore.Fold, a Access) error {
		api := 0
		if a.API {
			api = 1
		}
		f.Exec("DELETE FROM oidc_access_tokens WHERE instance_id = ? AND family_id = ? AND expires <= ?", f.Instance, f.ID, f.Micros())
		f.Exec(`INSERT INTO oidc_access_tokens (instance_id, token_hash, token_id, family_id, scopes, api, expires, key_thumbprint, created, sequence)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, f.Instance, a.Hash, a.ID, f.ID, list(a.Scopes), api, f.Created.Add(a.Lifetime).UnixMicro(), a.Key, f.Micros(), f.Sequence)
		set(f, eventstore.Cells{})
		return nil
	}, "hash")
	AccessRevoked = eventstore.Declare("oidc_session.access_token.revoked", func(f *eventstore.Fold, r accessRevoked) error {
		if r.ID == "" {
			end(f)
			return nil
		}
		f.Exec("DELETE FROM oidc_access_tokens WHERE instance_id = ? AND family_id = ? AND token_id = ?", f.Instance, f.ID, r.ID)
		set(f, eventstore.Cells{})
		return nil
	})
	RefreshAdded = eventstore.Declare("oidc_session.refresh_token.added", func(f *eventstore.Fold, r refreshAdded) error {
		set(f, eventstore.Cells{
			"refresh_family": r.Family, "refresh_hash": r.Hash, "refresh_id": r.ID, "refresh_idle": f.Created.Add(r.IdleLifetime).UnixMicro(),
			"refresh_expires": f.Created.Add(r.Lifetime).UnixMicro(), "refresh_key": r.Key,
		})
		return nil
	}, "familyHash", "hash")
	RefreshRenewed = eventstore.Declare("oidc_session.refresh_token.renewed", func(f *eventstore.Fold, r refreshRenewed) error {
		set(f, eventstore.Cells{"refresh_hash": r.Hash, "refresh_id": r.ID, "refresh_idle": f.Created.Add(r.IdleLifetime).UnixMicro()})
		return nil
	}, "hash")
	// RefreshRevoked is the end of the family.
	RefreshRevoked = eventstore.Declare("oidc_session.refresh_token.revoked", func(f *eventstore.Fold, _ refreshRevoked) error {
		end(f)
		return nil
	})
	// CodeRefused says that somebody tried a code with what does not fit. No tokens
	// were given.
	CodeRefused = eventstore.Declare("oidc_session.code.refused", func(*eventstore.Fold, codeRefused) error { return nil })
)

// set changes the family's row.
func set(f *eventstore.Fold, cells eventstore.Cells) { f.Update("oidc_sessions", cells) }

func end(f *eventstore.Fold) {
	f.Exec("DELETE FROM oidc_access_tokens WHERE instance_id = ? AND family_id = ?", f.Instance, f.ID)
	f.Exec("DELETE FROM oidc_sessions WHERE instance_id = ? AND family_id = ?", f.Instance, f.ID)
}

// Why a family or a token ended, as events say it.
const (
	ReasonCodeReused    = "code_reused"
	ReasonRefreshReused = "refresh_token_reused"
	ReasonOtherClient   = "other_client"
	ReasonRevoked       = "revoked"
	ReasonLogout        = "logout"
	ReasonExpired       = "session_expired"
)

// Refresh is a refresh token to add: a half that all of a family share, and one
// of its own.
type Refresh struct {
	Family, Hash       string
	Lifetime, IdleTime time.Duration
	// Key is the thumbprint of the key that all of a family are bound to; empty: none.
	Key string
}

// Begin makes a family with its first tokens. codeHash is that of the code that it
// is for, if there was one. There may be no access token, which has no id then, and r may
// be nil.
func Begin(tx *eventstore.Tx, instance, id, codeHash string, g Grant, a Access, r *Refresh) error {
	return begin(tx, instance, id, added{Grant: g, CodeHash: codeHash}, a, r)
}

func begin(tx *eventstore.Tx, instance, id string, what added, a Access, r *Refresh) error {
	at := aggregate(instance, id, what.UserOrg)
	tx.Create(at)
	if _, err := Added.Emit(tx, at, what); err != nil {
		return err
	}
	if a.ID != "" {
		if err := addAccess(tx, at, a); err != nil {
			return err
		}
	}
	if r == nil {
		return nil
	}
	_, err := RefreshAdded.Emit(tx, at, refreshAdded{ID: tx.NewID(), Lifetime: r.Lifetime, IdleLifetime: r.IdleTime, Family: r.Family, Hash: r.Hash, Key: r.Key})
	return err
}

func addAccess(tx *eventstore.Tx, at eventstore.Aggregate, a Access) error {
	_, err := AccessAdded.Emit(tx, at, a)
	return err
}

// Family is a family of tokens as it is stored.
type Family struct {
	Grant
	ID                          string
	Created                     time.Time // when the login was
	CodeHash                    string
	RefreshFamily, RefreshHash  string
	RefreshKey                  string
	RefreshIdle, RefreshExpires time.Time
	Exchange                    *Exchange // nil: it is of a login
}

// FamilyColumns are those that Read reads, of a family f.
const FamilyColumns = `f.family_id, f.client_id, f.user_id, f.user_org, f.user_since, f.session_id, f.scopes, f.audience, f.auth_methods,
	f.auth_time, f.acr, f.nonce, f.language, f.code_hash, f.refresh_family, f.refresh_hash, f.refresh_idle, f.refresh_expires, f.refresh_key, f.exchange, f.created`

// Read fills in the family from FamilyColumns.
func (f *Family) Read(scan database.Scan) error {
	var since, authTime, idle, expires, created int64
	var scopes, audience, methods, exchange string
	err := scan(&f.ID, &f.ClientID, &f.UserID, &f.UserOrg, &since, &f.SessionID, &scopes, &audience, &methods,
		&authTime, &f.ACR, &f.Nonce, &f.Language, &f.CodeHash, &f.RefreshFamily, &f.RefreshHash, &idle, &expires, &f.RefreshKey, &exchange, &created)
	f.Scopes, f.Audience, f.Methods = words(scopes), words(audience), words(methods)
	for at, micros := range map[*time.Time]int64{&f.UserSince: since, &f.AuthTime: authTime, &f.RefreshIdle: idle, &f.RefreshExpires: expires, &f.Created: created} {
		*at = time.UnixMicro(micros).UTC()
	}
	if err == nil {
		f.Exchange, err = ReadExchange(exchange)
	}
	return err
}

// LoggedIn is when the login was that the family comes from.
func (f *Family) LoggedIn() time.Time {
	if f.Exchange != nil {
		return f.Exchange.LoggedIn
	}
	return f.Created
}

// familyBy asks for a family by a column.
func familyBy(column, instance, value string, f *Family) database.Query {
	return database.Query{
		SQL:  "SELECT " + FamilyColumns + " FROM oidc_sessions f WHERE f.instance_id = ? AND f." + column + " = ? AND f." + column + " <> ''",
		Args: []any{instance, value}, Row: f.Read,
	}
}

// FamilyByRefresh asks for the family of a refresh token by the half that all of
// them share. It stays without an id where there is none.
func FamilyByRefresh(instance, hash string, f *Family) database.Query {
	return familyBy("refresh_family", instance, hash, f)
}

// lockFamily holds a family that is known to be there a moment ago.
func lockFamily(tx *eventstore.Tx, instance, id string) (f Family, err error) {
	_, err = tx.Lock(aggregate(instance, id, ""), familyBy("family_id", instance, id, &f))
	return f, err
}

// endByCode ends the family of a code that was used before.
func endByCode(tx *eventstore.Tx, instance, hash string) error {
	var f Family
	if err := tx.Read(familyBy("code_hash", instance, hash, &f)); err != nil || f.ID == "" {
		return err
	}
	return End(tx, instance, f.ID, ReasonCodeReused)
}

// End ends a family with all its tokens. That it has ended already is fine.
func End(tx *eventstore.Tx, instance, id, reason string) error {
	f, err := lockFamily(tx, instance, id)
	if err != nil || f.ID == "" {
		return err
	}
	at := aggregate(instance, id, f.UserOrg)
	if f.RefreshFamily == "" {
		_, err = AccessRevoked.Emit(tx, at, accessRevoked{Reason: reason})
	} else {
		_, err = RefreshRevoked.Emit(tx, at, refreshRevoked{reason})
	}
	return err
}

// EndAccess ends one access token of a family.
func EndAccess(tx *eventstore.Tx, instance, id, tokenID string) error {
	f, err := lockFamily(tx, instance, id)
	if err != nil || f.ID == "" {
		return err
	}
	_, err = AccessRevoked.Emit(tx, aggregate(instance, id, f.UserOrg), accessRevoked{ID: tokenID, Reason: ReasonRevoked})
	return err
}

// EndOfSession ends the families that rest on a session.
func EndOfSession(tx *eventstore.Tx, instance, sessionID, reason string) error {
	return endAll(tx, reason, instance, "f.session_id = ?", sessionID)
}

// endAll ends the families f that meet a condition.
func endAll(tx *eventstore.Tx, reason, instance, condition string, args ...any) error {
	var ids []string
	err := tx.Read(database.From("f.family_id", "oidc_sessions f").Where("f.instance_id = ?", instance).Where(condition, args...).Order("f.family_id").
		Rows(func(scan database.Scan) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		}))
	for _, id := range ids {
		if err == nil {
			err = End(tx, instance, id, reason)
		}
	}
	return err
}

// ErrRefresh says that a refresh token gives nothing, and not why: whoever holds it
// may know no more than the token.
var ErrRefresh = fault.Precondition("OIDC-refresh", "The refresh token is unknown, has been used or revoked, or has expired. Start a login again.")

// Holder is who uses a refresh token: a client, the hash of the token's second half,
// and the thumbprint of the key that the client holds; empty: none.
type Holder struct{ ClientID, Hash, Key string }

// Admit says what the holder of a refresh token may expect: fresh tokens, a refusal,
// or the end of the family, because the token is in more hands than it should be. Who
// lacks the key ends nothing: for them the token was never worth anything.
func (f *Family) Admit(h Holder, now time.Time) (end string, err error) {
	switch {
	case f.ID == "":
		return "", ErrRefresh
	case f.ClientID != h.ClientID:
		return ReasonOtherClient, ErrRefresh
	case f.RefreshHash != h.Hash:
		return ReasonRefreshReused, ErrRefresh
	case f.RefreshKey != "" && f.RefreshKey != h.Key:
		return "", errRefreshKey
	case !now.Before(f.RefreshIdle), !now.Before(f.RefreshExpires):
		return "", ErrRefresh
	}
	return "", nil
}

// errRefreshKey says that a refresh token needs a proof (RFC 9449, section 5).
var errRefreshKey = fault.Precondition("OIDC-refresh-key", "The refresh token is bound to a key: send a DPoP proof of that key.")

// Renew gives a family another access token, and another refresh token in place of
// the one that the holder uses. Of two who use the same one at once the
// second ends the family; refusal says so, and the transaction is to be committed
// all the same.
func Renew(tx *eventstore.Tx, instance, id string, h Holder, a Access, next Refresh) (refusal, err error) {
	f, err := lockFamily(tx, instance, id)
	if err != nil {
		return nil, err
	}
	reason, refusal := f.Admit(h, tx.Now())
	switch {
	case reason != "":
		return refusal, End(tx, instance, id, reason)
	case refusal != nil:
		return refusal, nil
	}
	at := aggregate(instance, id, f.UserOrg)
	if err := addAccess(tx, at, a); err != nil {
		return nil, err
	}
	_, err = RefreshRenewed.Emit(tx, at, refreshRenewed{ID: tx.NewID(), IdleLifetime: next.IdleTime, Hash: next.Hash})
	return nil, err
}
