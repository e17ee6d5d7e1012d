package session_test

import (
	"context"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/session"
)

// TestAdmit: who may do what to a session.
func TestAdmit(t *testing.T) {
	t.Parallel()
	roles, err := authz.Builtin(map[string][]string{"ALL": {"session.read", "session.write", "session.delete"}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	live := session.Session{ID: "s", Instance: "i", UserID: "ada", UserOrg: "a", TokenHash: "h"}
	with := func(edit func(*session.Session)) session.Session { s := live; edit(&s); return s }
	over, ended := with(func(s *session.Session) { s.Expires = now.Add(-time.Second) }), with(func(s *session.Session) { s.Ended = true })
	bare, nobodys := with(func(s *session.Session) { s.TokenHash = "" }), with(func(s *session.Session) { s.UserID = "" })
	nobody, ada := &authz.Caller{Roles: roles}, &authz.Caller{Roles: roles, UserID: "ada"}
	itself := &authz.Caller{Roles: roles, SessionID: "s"}
	of := func(org string) *authz.Caller {
		return &authz.Caller{Roles: roles, UserID: "admin", Memberships: []authz.Membership{{Org: org, Roles: []string{"ALL"}}}}
	}
	for _, c := range []struct {
		name, to, hash string
		s              session.Session
		who            *authz.Caller
		want           bool
	}{
		{"its token writes", session.ToWrite, "h", live, nobody, true},
		{"another token does not", session.ToWrite, "x", live, nobody, false},
		{"nor none", session.ToRead, "", live, nobody, false},
		{"none is not the one of a session without", session.ToRead, "", bare, nobody, false},
		{"its token, after its end by time", session.ToRead, "h", over, nobody, false},
		{"a call with its token", session.ToWrite, "", live, itself, true},
		{"its token, after its end", session.ToRead, "h", ended, nobody, false},
		{"its token ends it twice", session.ToDelete, "h", ended, nobody, true},
		{"who administers its user writes", session.ToWrite, "", live, of("a"), true},
		{"who administers others does not", session.ToWrite, "", live, of("b"), false},
		{"who administers its user, after its end", session.ToWrite, "", ended, of("a"), false},
		{"who administers its user, after its end by time", session.ToRead, "", over, of("a"), true},
		{"its user reads", session.ToRead, "", live, ada, true},
		{"its user ends it", session.ToDelete, "", live, ada, true},
		{"its user does not write", session.ToWrite, "", live, ada, false},
		{"one of nobody is nobody's", session.ToRead, "", nobodys, nobody, false},
		{"nobody at all", session.ToRead, "h", live, nil, false},
		{"what is none", session.ToRead, "", session.Session{}, of("a"), false},
	} {
		ctx := context.Background()
		if c.who != nil {
			ctx = authz.WithCaller(ctx, c.who)
		}
		if err := c.s.Admit(ctx, c.to, c.hash, now); (err == nil) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if live.Usable(now) != nil || over.Usable(now) == nil {
		t.Error("a session is usable until it expires")
	}
}
