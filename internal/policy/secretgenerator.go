package policy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// SecretGeneratorType says what a generated secret is for.
type SecretGeneratorType int32

// The types, numbered as on the wire.
const (
	SecretInitCode             SecretGeneratorType = 1
	SecretVerifyEmailCode      SecretGeneratorType = 2
	SecretVerifyPhoneCode      SecretGeneratorType = 3
	SecretPasswordResetCode    SecretGeneratorType = 4
	SecretPasswordlessInitCode SecretGeneratorType = 5
	SecretAppSecret            SecretGeneratorType = 6
	SecretOTPSMS               SecretGeneratorType = 7
	SecretOTPEmail             SecretGeneratorType = 8
	SecretInviteCode           SecretGeneratorType = 9
)

// maxSecretLength is more than anybody needs.
const maxSecretLength = 256

// SecretGenerator says how secrets of a type look and how long they are valid.
type SecretGenerator struct {
	Type                SecretGeneratorType `json:"generatorType"`
	Length              uint32              `json:"length"`
	Expiry              time.Duration       `json:"expiry"` // zero: they do not expire
	IncludeLowerLetters bool                `json:"includeLowerLetters"`
	IncludeUpperLetters bool                `json:"includeUpperLetters"`
	IncludeDigits       bool                `json:"includeDigits"`
	IncludeSymbols      bool                `json:"includeSymbols"`
}

// DefaultSecretGenerators are the secret generators of a new instance, in the
// order of their types.
func DefaultSecretGenerators() []SecretGenerator {
	code := func(t SecretGeneratorType, expiry time.Duration) SecretGenerator {
		return SecretGenerator{Type: t, Length: 6, Expiry: expiry, IncludeUpperLetters: true, IncludeDigits: true}
	}
	secret := func(t SecretGeneratorType, length uint32, expiry time.Duration) SecretGenerator {
		return SecretGenerator{
			Type: t, Length: length, Expiry: expiry,
			IncludeLowerLetters: true, IncludeUpperLetters: true, IncludeDigits: true,
		}
	}
	otp := func(t SecretGeneratorType) SecretGenerator {
		return SecretGenerator{Type: t, Length: 8, Expiry: 5 * time.Minute, IncludeDigits: true}
	}
	return []SecretGenerator{
		code(SecretInitCode, 72*time.Hour),
		code(SecretVerifyEmailCode, time.Hour),
		code(SecretVerifyPhoneCode, time.Hour),
		code(SecretPasswordResetCode, time.Hour),
		secret(SecretPasswordlessInitCode, 12, time.Hour),
		secret(SecretAppSecret, 64, 0),
		otp(SecretOTPSMS),
		otp(SecretOTPEmail),
		code(SecretInviteCode, 72*time.Hour),
	}
}

// All types share two events, whose payloads name the type.
var secretGeneratorEvents = events[SecretGenerator]{
	added: eventstore.Declare("instance.secret.generator.added", func(f *eventstore.Fold, g SecretGenerator) error {
		return secretGeneratorRow(g.Type).foldAdded(f, g)
	}),
	changed: eventstore.Declare("instance.secret.generator.changed", func(f *eventstore.Fold, c changes) error {
		raw, ok := c[secretGeneratorKey]
		if !ok {
			return nil
		}
		var t SecretGeneratorType
		if err := json.Unmarshal(raw, &t); err != nil {
			return fmt.Errorf("%s: %w", secretGeneratorKey, err)
		}
		return secretGeneratorRow(t).foldChanged(f, c)
	}),
}

// secretGeneratorKey names the type in payloads.
const secretGeneratorKey = "generatorType"

// secretGeneratorRow is the kind that a type has in the table.
func secretGeneratorRow(t SecretGeneratorType) *Kind[SecretGenerator] {
	return &Kind[SecretGenerator]{
		name: "secret.generator." + strconv.Itoa(int(t)), title: fault.Say("secret generator of this type"),
		validate: (*SecretGenerator).validate, access: instanceAccess("iam."), keep: secretGeneratorKey,
	}
}

// secretGenerator is secretGeneratorRow with its events.
func secretGenerator(t SecretGeneratorType) *Kind[SecretGenerator] {
	k := secretGeneratorRow(t)
	k.instance = secretGeneratorEvents
	return k
}

func (g *SecretGenerator) validate() error {
	switch {
	case g.Length < 1 || g.Length > maxSecretLength:
		return fault.Invalid("SECRETGEN-length", "The length must be between 1 and %d.", maxSecretLength)
	case !g.IncludeLowerLetters && !g.IncludeUpperLetters && !g.IncludeDigits && !g.IncludeSymbols:
		return fault.Invalid("SECRETGEN-characters", "Include at least one sort of characters.")
	case g.Expiry < 0 || g.Expiry > maxLifetime:
		return fault.Invalid("SECRETGEN-expiry", "The expiry cannot be negative or longer than %d days.", maxAge)
	}
	return nil
}

// Generate makes a secret as g says.
func (g SecretGenerator) Generate() (string, error) {
	alphabet := ""
	for _, part := range []struct {
		included bool
		letters  string
	}{
		{g.IncludeLowerLetters, crypto.LowerLetters},
		{g.IncludeUpperLetters, crypto.UpperLetters},
		{g.IncludeDigits, crypto.Digits},
		{g.IncludeSymbols, crypto.Symbols},
	} {
		if part.included {
			alphabet += part.letters
		}
	}
	return crypto.NewCode(alphabet, int(g.Length))
}

// Lifetime is how long a secret is valid.
func (g SecretGenerator) Lifetime() time.Duration {
	if g.Expiry == 0 {
		return maxLifetime
	}
	return g.Expiry
}

// ChangeSecretGenerator lets edit alter the generator of a type, and refuses
// where it alters nothing.
func ChangeSecretGenerator(tx *eventstore.Tx, instance string, t SecretGeneratorType, edit func(*SecretGenerator)) (Details, error) {
	return editSecretGenerator(tx, instance, t, edit, (*Kind[SecretGenerator]).Change)
}

// SetSecretGenerator is ChangeSecretGenerator for which to alter nothing is fine.
func SetSecretGenerator(tx *eventstore.Tx, instance string, t SecretGeneratorType, edit func(*SecretGenerator)) (Details, error) {
	return editSecretGenerator(tx, instance, t, edit, (*Kind[SecretGenerator]).Set)
}

func editSecretGenerator(tx *eventstore.Tx, instance string, t SecretGeneratorType, edit func(*SecretGenerator),
	verb func(*Kind[SecretGenerator], *eventstore.Tx, Scope, func(*SecretGenerator)) (Details, error),
) (Details, error) {
	g, err := defaultSecretGenerator(t)
	if err != nil {
		return Details{}, err
	}
	k, s := secretGenerator(t), Scope{Instance: instance}
	r, err := k.lock(tx, s, "write")
	if err != nil {
		return Details{}, err
	}
	typed := func(g *SecretGenerator) {
		edit(g)
		g.Type = t
	}
	if !r.exists { // The type is younger than the instance.
		typed(&g)
		return k.Add(tx, s, g)
	}
	return verb(k, tx, s, typed)
}

func defaultSecretGenerator(t SecretGeneratorType) (SecretGenerator, error) {
	for _, g := range DefaultSecretGenerators() {
		if g.Type == t {
			return g, nil
		}
	}
	return SecretGenerator{}, fault.Invalid("SECRETGEN-type", "There is no such type of secret generator.")
}

// SecretGeneratorOf gives the generator of a type.
func SecretGeneratorOf(ctx context.Context, store database.Reader, instance string, t SecretGeneratorType) (State[SecretGenerator], error) {
	if _, err := defaultSecretGenerator(t); err != nil {
		return State[SecretGenerator]{}, err
	}
	found, err := SecretGenerators(ctx, store, instance, t)
	if err != nil {
		return State[SecretGenerator]{}, err
	}
	return found[0], nil
}

// SecretGenerators lists the generators of the types, or of all types where none
// is named, in the order of their types. A type that is younger than the
// instance has its default.
func SecretGenerators(ctx context.Context, store database.Reader, instance string, types ...SecretGeneratorType) ([]State[SecretGenerator], error) {
	var out []State[SecretGenerator]
	var queries []database.Query
	s := Scope{Instance: instance}
	rows := map[SecretGeneratorType]*row[SecretGenerator]{}
	defaults := DefaultSecretGenerators()
	for _, g := range defaults {
		if len(types) == 0 || slices.Contains(types, g.Type) {
			rows[g.Type] = &row[SecretGenerator]{}
			queries = append(queries, secretGeneratorRow(g.Type).query(s, rows[g.Type]))
		}
	}
	if err := store.Read(ctx, queries...); err != nil {
		return nil, err
	}
	for _, g := range defaults {
		r := rows[g.Type]
		if r == nil {
			continue
		}
		if r.exists {
			g = r.doc
		}
		out = append(out, State[SecretGenerator]{Doc: g, IsDefault: true, Details: secretGeneratorRow(g.Type).details(r, s)})
	}
	return out, nil
}
