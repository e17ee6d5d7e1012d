//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"sync/atomic"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
)

const (
	sessionsPath = "/v2/sessions"
	humansPath   = "/v2/users/human"
	password     = "Correct-Horse-1"
)

// human is a request for a human user of that name.
func human(name, more string) string {
	return fmt.Sprintf(`{"username":%[1]q,"profile":{"givenName":"Ada","familyName":%[1]q},"email":{"email":"%[1]s@example.com","isVerified":true}%[2]s}`, name, more)
}

// withAda starts a server on the embedded database, with a user who has a password.
func withAda(l *lab) (n *node, ada string, err error) {
	dir, err := folder(l)
	if err != nil {
		return nil, "", err
	}
	if n, err = startOn(l, database.Config{URL: filepath.Join(dir, "bench.db")}); err != nil {
		return nil, "", err
	}
	reply, err := n.send(http.MethodPost, humansPath, "", human("ada", `,"password":{"password":"`+password+`"}`))
	if err != nil {
		return nil, "", err
	}
	var user struct{ UserID string }
	err = json.Unmarshal(reply, &user)
	return n, user.UserID, err
}

// post is an operation that sends the same body each time.
func (n *node) post(path, body string) func(int) error {
	return func(int) error {
		_, err := n.send(http.MethodPost, path, "", body)
		return err
	}
}

func sessionsOverInsert(l *lab) (ours, floor func(int) error, err error) {
	n, ada, err := withAda(l)
	if err != nil {
		return nil, nil, err
	}
	floor, err = insert(l)
	return n.post(sessionsPath, fmt.Sprintf(`{"checks":{"user":{"userId":%q}}}`, ada)), floor, err
}

// passwordsOverHash holds a login against its hash, which takes nearly all of its time.
func passwordsOverHash(l *lab) (ours, floor func(int) error, err error) {
	n, ada, err := withAda(l)
	if err != nil {
		return nil, nil, err
	}
	hash, err := crypto.HashPassword(context.Background(), password)
	if err != nil {
		return nil, nil, err
	}
	ours = n.post(sessionsPath, fmt.Sprintf(`{"checks":{"user":{"userId":%q},"password":{"password":%q}}}`, ada, password))
	return ours, func(int) error {
		m, err := crypto.PasswordMatches(context.Background(), hash, password)
		if err == nil && !m.OK {
			err = errors.New("the password is another one")
		}
		return err
	}, nil
}

// humansOverInsert holds a new user against the insert of one event.
func humansOverInsert(l *lab) (ours, floor func(int) error, err error) {
	n, _, err := withAda(l)
	if err != nil {
		return nil, nil, err
	}
	var count atomic.Int64
	floor, err = insert(l)
	return func(int) error {
		_, err := n.send(http.MethodPost, humansPath, "", human(fmt.Sprintf("user%d", count.Add(1)), ""))
		return err
	}, floor, err
}
