// Package crowd fills a database with people, as many as a million, faster than verbs could:
// for measuring, and not for anything that replays the log of events: what it has of them are
// enough to search in, and no chains.
package crowd

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse/gatehouse/internal/database"
)

// Most is how many people there are names for.
const Most = 1_000_000

// chunk is how many people stand next to each other in an organization.
const chunk = 20_000

// The texts of the crowd: i counts the people, and names are in another order than ids.
const (
	numbers = "WITH RECURSIVE n(i) AS (SELECT CAST(? AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
	idSQL   = "CAST(900000000000000000 + i AS TEXT)"
	nameSQL = "'user' || CAST(1000000 + i * 7919 % 1000003 AS TEXT)"
	hashSQL = "'0000000000000000000000000000000000000000' || " + idSQL
	setSQL  = "CASE i % 10 WHEN 0 THEN 1 WHEN 1 THEN 1 WHEN 2 THEN 3 WHEN 3 THEN 2 WHEN 4 THEN 4 ELSE 0 END"
)

// Fill adds the people from one number up to another, but for that one, to an instance, in
// organizations that are there. Of ten, three have an authenticator app, two a security key,
// of which one has both, and one a passkey; one of five has a live session, with the password
// and all that they have proved.
func Fill(ctx context.Context, db *database.DB, instance string, orgs []string, from, to int) error {
	for ; from < to; from += chunk - from%chunk {
		if err := fill(ctx, db, instance, orgs[from/chunk%len(orgs)], from, min(from+chunk-from%chunk, to)); err != nil {
			return err
		}
	}
	return db.Write(ctx, func(tx *database.Tx) error {
		if tx.Dialect() == database.PostgreSQL { // It counts its rows by itself, but only once in a while.
			tx.Exec(database.Statement{SQL: "ANALYZE"})
		}
		return nil
	})
}

func fill(ctx context.Context, db *database.DB, instance, org string, from, to int) error {
	now := time.Now().UnixMicro()
	return db.Write(ctx, func(tx *database.Tx) error {
		for _, fill := range []struct {
			text string
			args []any
		}{
			{`INSERT INTO users (instance_id, user_id, org_id, kind, state, user_name, user_name_lower, display_lower, created, changed, sequence)
				SELECT ?, ` + idSQL + `, ?, 'human', 1, ` + nameSQL + `, ` + nameSQL + `, 'ada ' || ` + nameSQL + `, ?, ?, 1 FROM n`, []any{instance, org, now, now}},
			{`INSERT INTO user_counts (instance_id, org_id, kind, part, n) SELECT ?, ?, 'human', CAST(? AS BIGINT) % 16, count(*) FROM n WHERE 1 = 1
				ON CONFLICT (instance_id, org_id, kind, part) DO UPDATE SET n = user_counts.n + excluded.n`, []any{instance, org, now}},
			{`INSERT INTO humans (instance_id, user_id, first_name, first_name_lower, last_name, last_name_lower, nick_name, nick_name_lower, display_name,
				display_name_lower, preferred_language, gender, email, email_lower, email_verified, phone, phone_verified, password_hash,
				password_change_required, password_changed, mfa_init_skipped, invitation)
				SELECT ?, ` + idSQL + `, 'Ada', 'ada', ` + nameSQL + `, ` + nameSQL + `, '', '', 'Ada ' || ` + nameSQL + `, 'ada ' || ` + nameSQL + `, 'en', 0,
				` + nameSQL + ` || '@example.com', ` + nameSQL + ` || '@example.com', 1, '', 0, 'x', 0, ?, 0, '' FROM n`, []any{instance, now}},
			{`INSERT INTO user_factor_sets (instance_id, user_id, org_id, factors) SELECT ?, ` + idSQL + `, ?, ` + setSQL + ` FROM n WHERE ` + setSQL + ` <> 0`, []any{instance, org}},
			{`INSERT INTO sessions (instance_id, session_id, creator, token_hash, by_hash, fingerprint, user_agent, user_id, user_org, user_since, user_checked,
				password_checked, webauthn_checked, webauthn_verified, totp_checked, sms_checked, email_checked, recovery_checked, expires, weakened, ended,
				created, changed, sequence)
				SELECT ?, ` + idSQL + `, '', 'hash' || ` + idSQL + `, 0, '', '{"ip":"192.0.2.1","description":"a browser of some length, on a machine"}', ` + idSQL + `, ?, ?, ?,
				?, CASE WHEN i % 10 IN (3, 4) THEN CAST(? AS BIGINT) ELSE 0 END, CASE WHEN i % 10 = 4 THEN 1 ELSE 0 END, CASE WHEN i % 10 < 3 THEN CAST(? AS BIGINT) ELSE 0 END, 0, 0, 0, 0, 0, 0,
				?, ?, 1 FROM n WHERE i / 10 % 5 = 0`, []any{instance, org, now, now, now, now, now, now, now}},
			{event("'user.human.added'", "1") + "1 = 1", []any{instance, org, now}},
			{event("'user.locked'", "2") + "i % 997 = 0", []any{instance, org, now}},
		} {
			tx.Exec(database.Statement{SQL: numbers + fill.text, Args: append([]any{from, to - 1}, fill.args...)})
		}
		return nil
	})
}

// event is the text for an event of everybody for whom what is added holds, caused by one of a
// thousand of them.
func event(kind, sequence string) string {
	return `INSERT INTO events (instance_id, aggregate_type, aggregate_id, sequence, type, owner, creator, created, payload, digest, hash)
		SELECT ?, 'user', ` + idSQL + `, ` + sequence + `, ` + kind + `, ?, CAST(900000000000000000 + i - i % 1000 AS TEXT), CAST(? AS BIGINT) + i,
		'{"userName":"' || ` + nameSQL + ` || '","displayName":"Ada","email":"ada@example.com"}', ` + hashSQL + `, ` + hashSQL + ` FROM n WHERE `
}

// One gives the id and the name of somebody in the middle of a crowd of so many.
func One(of int) (id, name string) {
	i := of/2 + 1
	return fmt.Sprint(900_000_000_000_000_000 + i), fmt.Sprintf("user%d", 1_000_000+i*7919%1_000_003)
}
