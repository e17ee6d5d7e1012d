package user

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse/gatehouse/internal/authz"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// Machine is a user that is a program.
type Machine struct {
	UserName        string `json:"userName"`
	Name            string `json:"name"`
	Description     string `json:"description,omitempty"`
	AccessTokenType int32  `json:"accessTokenType,omitempty"` // 0 opaque, 1 JWT
}

type machineAdded struct {
	Machine
	naming
}

// machineChange holds the keys that are new.
type machineChange struct {
	Name            *string `json:"name,omitempty"`
	Description     *string `json:"description,omitempty"`
	AccessTokenType *int32  `json:"accessTokenType,omitempty"`
}

// The events of a machine user.
var (
	MachineAdded = eventstore.Declare("user.machine.added", func(f *eventstore.Fold, m machineAdded) error {
		add(f, KindMachine, m.UserName, m.Name, m.naming)
		f.Insert("machines", eventstore.Cells{
			"name": m.Name, "name_lower": strings.ToLower(m.Name), "description": m.Description, "access_token_type": int64(m.AccessTokenType),
		})
		return nil
	})
	MachineChanged = eventstore.Declare("user.machine.changed", func(f *eventstore.Fold, c machineChange) error {
		cells := eventstore.Cells{}
		if c.Name != nil {
			cells["name"], cells["name_lower"] = *c.Name, strings.ToLower(*c.Name)
			show(f, *c.Name)
		}
		if c.Description != nil {
			cells["description"] = *c.Description
		}
		if c.AccessTokenType != nil {
			cells["access_token_type"] = int64(*c.AccessTokenType)
		}
		setMachine(f, cells)
		return nil
	})
)

// setMachine changes what is kept of a machine user, and notes that the user changed.
func setMachine(f *eventstore.Fold, cells eventstore.Cells) {
	f.Update("machines", cells)
	touch(f)
}

var errMachine = fault.Invalid("USER-machine",
	"A machine user needs a user name and a name of at most %d characters, and a description of at most 500.", maxName)

func (m Machine) check() error {
	length := utf8.RuneCountInString
	if m.UserName == "" || length(m.UserName) > maxName || m.Name == "" || length(m.Name) > maxName || length(m.Description) > 500 {
		return errMachine
	}
	return nil
}

// AddMachine makes a machine user of an organization, whose id may be somebody's
// wish.
func AddMachine(tx *eventstore.Tx, instance, org, id string, m Machine) (eventstore.Details, error) {
	if err := authz.Require(tx.Context(), "user.write", org); err != nil {
		return eventstore.Details{}, err
	}
	m.UserName = strings.TrimSpace(m.UserName)
	if err := m.check(); err != nil {
		return eventstore.Details{}, err
	}
	a := aggregate(instance, org, id)
	n, err := start(tx, a, m.UserName)
	if err != nil {
		return eventstore.Details{}, err
	}
	return MachineAdded.Emit(tx, a, machineAdded{m, n})
}

// ChangeMachine edits a machine user's name, description and token type.
func ChangeMachine(tx *eventstore.Tx, instance, org, id string, edit func(*Machine)) (eventstore.Details, error) {
	old, err := lockMachine(tx, instance, org, id)
	if err != nil {
		return eventstore.Details{}, err
	}
	m := old.Machine
	edit(&m)
	if err := m.check(); err != nil {
		return eventstore.Details{}, err
	}
	var c machineChange
	if m.Name != old.Name {
		c.Name = &m.Name
	}
	if m.Description != old.Description {
		c.Description = &m.Description
	}
	if m.AccessTokenType != old.AccessTokenType {
		c.AccessTokenType = &m.AccessTokenType
	}
	if c == (machineChange{}) {
		return eventstore.Details{}, errSame
	}
	return MachineChanged.Emit(tx, aggregate(instance, org, id), c)
}

// lockMachine is lock for verbs that only machine users can be used with.
func lockMachine(tx *eventstore.Tx, instance, org, id string) (stored, error) {
	u, err := lock(tx, instance, org, id, "user.write")
	if err == nil && u.kind != KindMachine {
		err = fault.Precondition("USER-no-machine", "This is not a machine user.")
	}
	return u, err
}

// KeyFile is the form in which a key that Gatehouse made is handed out, once.
// Where it made none there is no file.
func KeyFile(keyID, userID, private string) []byte {
	if private == "" {
		return nil
	}
	file, err := json.Marshal(map[string]string{"type": "serviceaccount", "keyId": keyID, "key": private, "userId": userID})
	if err != nil { // Texts always have a JSON form.
		panic(err)
	}
	return file
}

// expiry is a date as events and tables keep it; zero means never.
func expiry(tx *eventstore.Tx, t time.Time) (string, error) {
	if t.IsZero() {
		return "", nil
	}
	if !t.After(tx.Now()) {
		return "", fault.Invalid("USER-expired", "The expiration date has passed already.")
	}
	return t.UTC().Format(time.RFC3339), nil
}

func expiryMicros(text string) int64 {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t.UnixMicro()
	}
	return 0
}
