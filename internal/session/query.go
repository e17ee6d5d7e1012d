package session

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
)

// encoding keeps values in a text column, whatever their bytes are.
var encoding = base64.StdEncoding

// Session is a session as it is stored.
type Session struct {
	ID, Instance, Creator string
	TokenHash             string
	UserAgent             *UserAgent // nil: nothing is known
	UserID, UserOrg       string     // empty before the user is checked, and where nobody has the name
	UserSince             time.Time  // when the user was made
	// When each thing was proved; zero: it was not.
	UserChecked, PasswordChecked, WebAuthNChecked, TOTPChecked time.Time
	SMSChecked, EmailChecked, RecoveryChecked                  time.Time
	UserVerified                                               bool // by the WebAuthn key
	Expires                                                    time.Time
	Weakened, Ended                                            bool
	Metadata                                                   map[string][]byte // of those that List and ByID give
	Details                                                    eventstore.Details
}

// Expired reports whether the session's lifetime is over.
func (s *Session) Expired(now time.Time) bool { return !s.Expires.IsZero() && !now.Before(s.Expires) }

// Columns are those that Dest reads, of a session s.
const Columns = `s.session_id, s.instance_id, s.creator, s.token_hash, s.user_agent, s.user_id, s.user_org, s.user_since, s.user_checked, s.password_checked,
	s.webauthn_checked, s.webauthn_verified, s.totp_checked, s.sms_checked, s.email_checked, s.recovery_checked,
	s.expires, s.weakened, s.ended, s.created, s.changed, s.sequence`

// Read fills in the session from Columns.
func (s *Session) Read(scan database.Scan) error {
	var agent string
	var times [7]int64
	var since, expires, created, changed int64
	var verified, weakened, ended int
	if err := scan(&s.ID, &s.Instance, &s.Creator, &s.TokenHash, &agent, &s.UserID, &s.UserOrg, &since, &times[0], &times[1],
		&times[2], &verified, &times[3], &times[4], &times[5], &times[6],
		&expires, &weakened, &ended, &created, &changed, &s.Details.Sequence); err != nil {
		return err
	}
	for i, t := range []*time.Time{&s.UserChecked, &s.PasswordChecked, &s.WebAuthNChecked, &s.TOTPChecked, &s.SMSChecked, &s.EmailChecked, &s.RecoveryChecked} {
		*t = at(times[i])
	}
	s.UserVerified, s.Weakened, s.Ended, s.Expires = verified == 1, weakened == 1, ended == 1, at(expires)
	s.UserSince = at(since)
	s.Details.Owner, s.Details.Created, s.Details.Changed = s.Instance, at(created), at(changed)
	if agent != "" {
		s.UserAgent = &UserAgent{}
		return json.Unmarshal([]byte(agent), s.UserAgent)
	}
	return nil
}

// at is a stored time; 0 stands for none.
func at(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Column is what a list of sessions can be sorted by.
type Column string

// SortCreated sorts by the time of creation.
const SortCreated Column = "s.created"

// never is after every time: when a session ends that does not.
const ends = "CASE WHEN s.expires = 0 THEN 9223372036854775807 ELSE s.expires END"

// The filters of lists of sessions.
var (
	WithID    = func(ids ...string) database.Filter { return database.OneOf("s.session_id", ids) }
	OfUser    = func(id string) database.Filter { return database.Is("s.user_id", id) }
	CreatedBy = func(id string) database.Filter { return database.Is("s.creator", id) }
	InAgent   = func(fingerprint string) database.Filter { return database.Is("s.fingerprint", fingerprint) }
	Created   = database.Time("s.created")
	Expires   = database.Time(ends)
)

// InAgentOf is the filter for the sessions of the browser or program that the
// session id is in. Those without a fingerprint share none.
func InAgentOf(instance, id string) database.Filter {
	return func(s *database.Select) {
		s.Where("s.fingerprint <> ''").InSelect("s.fingerprint",
			database.From("own.fingerprint", "sessions own").Where("own.instance_id = ? AND own.session_id = ?", instance, id))
	}
}

// visible is the filter for the sessions that the caller may see: their own, and
// those of users in organizations where they may read sessions.
func visible(ctx context.Context) database.Filter {
	where, args := authz.Where(ctx, "session.read", "s.user_org")
	c := authz.From(ctx)
	return func(s *database.Select) {
		s.Where("(s.user_id <> '' AND s.user_id = ? OR s.session_id = ? OR "+where+")", append([]any{c.UserID, c.SessionID}, args...)...)
	}
}

// List lists the sessions that the caller may see and that have not ended. also
// makes queries of the page that travel along.
func List(ctx context.Context, r database.Reader, instance string, p database.Page, by Column, filters []database.Filter, also ...func(page *database.Select) database.Query) (database.Listing[Session], error) {
	values := map[string]map[string][]byte{}
	also = append(also, func(page *database.Select) database.Query {
		return database.From("m.session_id, m.meta_key, m.value", "session_metadata m").Where("m.instance_id = ?", instance).
			InSelect("m.session_id", page.Only("s.session_id")).Rows(func(scan database.Scan) error { return readMetadata(scan, values) })
	})
	s := database.From(Columns, "sessions s").Where("s.instance_id = ? AND s.ended = 0", instance).Filter(visible(ctx)).Filter(filters...)
	l, err := database.List(ctx, r, s, p, []string{string(by), "s.session_id"}, func(scan database.Scan, s *Session) error { return s.Read(scan) }, also...)
	for i := range l.Rows {
		l.Rows[i].Metadata = values[l.Rows[i].ID]
	}
	return l, err
}

func readMetadata(scan database.Scan, into map[string]map[string][]byte) error {
	var id, key, value string
	if err := scan(&id, &key, &value); err != nil {
		return err
	}
	data, err := encoding.DecodeString(value)
	if into[id] == nil {
		into[id] = map[string][]byte{}
	}
	into[id][key] = data
	return err
}

// ByID asks for a session, which stays without an id where there is none.
func ByID(instance, id string, s *Session) []database.Query {
	values := map[string]map[string][]byte{}
	return []database.Query{
		database.From("m.session_id, m.meta_key, m.value", "session_metadata m").
			Where("m.instance_id = ? AND m.session_id = ?", instance, id).
			Rows(func(scan database.Scan) error {
				err := readMetadata(scan, values)
				s.Metadata = values[id]
				return err
			}),
		{SQL: "SELECT " + Columns + " FROM sessions s WHERE s.instance_id = ? AND s.session_id = ?", Args: []any{instance, id}, Row: s.Read},
	}
}
