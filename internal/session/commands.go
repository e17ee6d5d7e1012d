package session

import (
	"context"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/logout"
)

// The limits of a session.
const (
	// MaxText bounds each text about the user agent, in characters.
	MaxText = 500

	maxKey     = 200      // characters of a key of metadata
	maxValue   = 500_000  // bytes of a value
	maxEntries = 100      // keys
	maxHeaders = 50       // headers of the user agent
	maxHeader  = 16 << 10 // bytes of them all
	maxDays    = 3650     // of a lifetime
	day        = 24 * time.Hour
)

// What a caller does to a session, as the permissions are called.
const (
	ToRead   = "read"
	ToWrite  = "write"
	ToDelete = "delete"
)

// Admit refuses callers who may not do this to the session: it takes the
// permission on the user's organization, or the session's own token, whose hash is
// given or with which the call came. Who only reads or ends may also be the
// user. All others are told the same as about a session that never was.
func (s *Session) Admit(ctx context.Context, to, tokenHash string, now time.Time) error {
	c := authz.From(ctx)
	own := s.TokenHash != "" && !s.Expired(now) && (!s.Ended || to == ToDelete)
	switch {
	case s.ID == "", c == nil:
	case s.Ended && to != ToDelete:
	case c.Can("session."+to, s.UserOrg),
		own && (tokenHash == s.TokenHash || c.SessionID == s.ID),
		to != ToWrite && s.UserID != "" && c.UserID == s.UserID:
		return nil
	}
	return errMissing
}

// Usable refuses a session that has expired.
func (s *Session) Usable(now time.Time) error {
	if s.Expired(now) {
		return errExpired
	}
	return nil
}

// lock holds a session and checks that the caller may do this to it.
func lock(tx *eventstore.Tx, instance, id, to, tokenHash string) (Session, error) {
	var s Session
	_, err := tx.Lock(aggregate(instance, id),
		database.Query{SQL: "SELECT " + Columns + " FROM sessions s WHERE s.instance_id = ? AND s.session_id = ?", Args: []any{instance, id}, Row: s.Read})
	if err == nil {
		err = s.Admit(tx.Context(), to, tokenHash, tx.Now())
	}
	return s, err
}

// Add makes a session. agent may be nil.
func Add(tx *eventstore.Tx, instance string, agent *UserAgent) (Session, error) {
	if err := authz.Require(tx.Context(), "session.write", ""); err != nil {
		return Session{}, err
	}
	if err := agent.check(); err != nil {
		return Session{}, err
	}
	s := Session{ID: tx.NewID(), Instance: instance}
	tx.Create(aggregate(instance, s.ID))
	_, err := Added.Emit(tx, aggregate(instance, s.ID), added{agent})
	return s, err
}

func (a *UserAgent) check() error {
	if a == nil {
		return nil
	}
	for _, text := range []string{a.FingerprintID, a.IP, a.Description} {
		if utf8.RuneCountInString(text) > MaxText {
			return fault.Invalid("SESSION-agent", "Each text about the user agent has %d characters at most.", MaxText)
		}
	}
	if _, err := netip.ParseAddr(a.IP); a.IP != "" && err != nil {
		return fault.Invalid("SESSION-ip", "The IP of the user agent must be an address such as 192.0.2.1 or 2001:db8::1.")
	}
	size := 0
	for name, values := range a.Header {
		size += len(name)
		for _, v := range values {
			size += len(v)
		}
	}
	if len(a.Header) > maxHeaders || size > maxHeader {
		return fault.Invalid("SESSION-headers", "The user agent can have %d headers of %d bytes altogether.", maxHeaders, maxHeader)
	}
	return nil
}

// Open holds a session that shall go on. The hash of a token may be empty; see Admit.
func Open(tx *eventstore.Tx, instance, id, tokenHash string) (Session, error) {
	s, err := lock(tx, instance, id, ToWrite, tokenHash)
	if err == nil {
		err = s.Usable(tx.Now())
	}
	return s, err
}

// CheckUser says whose session it is, once.
func (s *Session) CheckUser(tx *eventstore.Tx, u User) error {
	if !s.UserChecked.IsZero() && s.UserID != u.ID {
		return errUser
	}
	_, err := UserChecked.Emit(tx, aggregate(s.Instance, s.ID), userChecked{u, tx.Now()})
	return err
}

// Check notes that a factor was checked. The event says which.
func (s *Session) Check(tx *eventstore.Tx, event *eventstore.Kind[checked]) error {
	_, err := event.Emit(tx, aggregate(s.Instance, s.ID), checked{tx.Now()})
	return err
}

// CheckAssertion notes that a WebAuthn key signed, and whether it verified its user.
func (s *Session) CheckAssertion(tx *eventstore.Tx, verified bool) error {
	_, err := WebAuthNChecked.Emit(tx, aggregate(s.Instance, s.ID), assertionChecked{tx.Now(), verified})
	return err
}

// ChallengeAssertion notes that a WebAuthn key was asked to sign.
func (s *Session) ChallengeAssertion(tx *eventstore.Tx, domain string, verification int32) error {
	_, err := WebAuthNChallenged.Emit(tx, aggregate(s.Instance, s.ID), assertionChallenged{domain, verification})
	return err
}

// ChallengeSMS notes that a code was made for the user's phone.
func (s *Session) ChallengeSMS(tx *eventstore.Tx, expiry time.Duration, returned bool) error {
	_, err := SMSChallenged.Emit(tx, aggregate(s.Instance, s.ID), smsChallenged{expiry, returned})
	return err
}

// ChallengeEmail notes that a code was made for the user's address.
func (s *Session) ChallengeEmail(tx *eventstore.Tx, expiry time.Duration, returned bool, template string) error {
	_, err := EmailChallenged.Emit(tx, aggregate(s.Instance, s.ID), emailChallenged{expiry, returned, template})
	return err
}

// SetMetadata pins values to the session. A key without a value is taken away.
func (s *Session) SetMetadata(tx *eventstore.Tx, values map[string][]byte) error {
	if len(values) == 0 {
		return nil
	}
	keys := map[string]bool{}
	err := tx.Read(database.From("meta_key", "session_metadata").Where("instance_id = ? AND session_id = ?", s.Instance, s.ID).
		Rows(func(scan database.Scan) error {
			var key string
			err := scan(&key)
			keys[key] = true
			return err
		}))
	for key, value := range values {
		if n := utf8.RuneCountInString(key); n < 1 || n > maxKey || len(value) > maxValue {
			return fault.Invalid("SESSION-metadata", "A key has 1 to %d characters, and its value %d bytes at most.", maxKey, maxValue)
		}
		if keys[key] = true; len(value) == 0 {
			delete(keys, key)
		}
	}
	if err == nil && len(keys) > maxEntries {
		err = fault.Exhausted("SESSION-metadata-keys", "A session can have %d keys of metadata at most.", maxEntries)
	}
	if err == nil {
		_, err = MetadataSet.Emit(tx, aggregate(s.Instance, s.ID), metadataSet{values})
	}
	return err
}

// SetLifetime makes the session end that long from now.
func (s *Session) SetLifetime(tx *eventstore.Tx, lifetime time.Duration) error {
	if lifetime <= 0 || lifetime > maxDays*day {
		return errLifetime
	}
	_, err := LifetimeSet.Emit(tx, aggregate(s.Instance, s.ID), lifetimeSet{lifetime})
	return err
}

// SetToken gives the session another token, which names it and of which only the hash is kept. The
// one before is worth nothing from the commit on.
func (s *Session) SetToken(tx *eventstore.Tx, hash string) (eventstore.Details, error) {
	return TokenSet.Emit(tx, aggregate(s.Instance, s.ID), tokenSet{tx.NewID(), hash, true})
}

// End ends a session. That it has ended already is fine.
func End(tx *eventstore.Tx, instance, id, tokenHash string) (eventstore.Details, error) {
	var told logout.List
	tx.Ahead(told.OfSessions(instance, id))
	s, err := lock(tx, instance, id, ToDelete, tokenHash)
	if err != nil || s.Ended {
		return s.Details, err
	}
	d, err := Terminated.Emit(tx, aggregate(instance, id), eventstore.None{})
	if err == nil {
		err = told.Queue(tx, instance)
	}
	return d, err
}

// NoteWeakened writes once that one factor was enough; see Weakened.
func NoteWeakened(tx *eventstore.Tx, instance, id string) error {
	noted, found := 0, false
	_, err := tx.Lock(aggregate(instance, id), database.One(&found, "SELECT weakened FROM sessions WHERE instance_id = ? AND session_id = ? AND ended = 0", []any{instance, id}, &noted))
	if err == nil && found && noted == 0 {
		_, err = Weakened.Emit(tx, aggregate(instance, id), eventstore.None{})
	}
	return err
}
