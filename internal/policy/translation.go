package policy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/language"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// Texts are texts by their keys; a value is a text or Texts again.
type Texts map[string]any

// The limits of the texts of one scope.
const (
	maxTextsSize  = 512 << 10 // bytes of their JSON, in one language
	maxTextsDepth = 8         // levels of keys
	maxTextsKey   = 200       // characters of a key
	maxLanguages  = 100       // languages that a scope can name
	maxTag        = 35        // characters of a language tag
)

// textsSet is the payload of the events. Language and level are there for those
// who read the log.
type textsSet struct {
	Language string `json:"language"`
	Level    string `json:"level"` // "instance" or "org"
	Texts    Texts  `json:"translation"`
}

var (
	instanceTextsSet = eventstore.Declare("instance.hosted_login_translation.set", foldTexts)
	orgTextsSet      = eventstore.Declare("org.hosted_login_translation.set", foldTexts)
)

const textsKind = "hosted_login_translation."

// texts is the kind that the texts of a language have in the table.
func texts(locale string) *Kind[Texts] {
	return &Kind[Texts]{
		name: textsKind + locale, title: fault.Say("translation"), orgs: true, validate: validateTexts, access: instanceAccess("iam.policy."),
	}
}

func foldTexts(f *eventstore.Fold, e textsSet) error {
	return texts(e.Language).upsert(f, func(doc *Texts) error {
		*doc = e.Texts
		return nil
	})
}

// validateTexts also gives no texts their one form.
func validateTexts(t *Texts) error {
	if *t == nil {
		*t = Texts{}
	}
	data, err := json.Marshal(t)
	if err != nil || len(data) > maxTextsSize {
		return fault.Invalid("TEXTS-size", "The texts of a language can have %d bytes of JSON at most.", maxTextsSize)
	}
	return checkTexts(*t, 1)
}

func checkTexts(t map[string]any, depth int) error {
	if depth > maxTextsDepth {
		return fault.Invalid("TEXTS-depth", "Keys of texts can be nested %d levels deep at most.", maxTextsDepth)
	}
	for key, value := range t {
		if n := utf8.RuneCountInString(key); n == 0 || n > maxTextsKey || strings.ContainsRune(key, 0) {
			return fault.Invalid("TEXTS-key", "A key of a text has 1 to %d characters, and none of them is U+0000.", maxTextsKey)
		}
		switch v := value.(type) {
		case map[string]any:
			if err := checkTexts(v, depth+1); err != nil {
				return err
			}
		case string:
			if strings.ContainsRune(v, 0) {
				return fault.Invalid("TEXTS-text", "A text cannot hold the character U+0000.")
			}
		default:
			return fault.Invalid("TEXTS-value", "The value of the key %s must be a text, or an object of texts.", key)
		}
	}
	return nil
}

func canonicalLanguage(name string) (string, error) {
	tag, err := language.Parse(name)
	if err != nil || tag == language.Und || len(name) > maxTag {
		return "", fault.Invalid("TEXTS-language", "The locale must be a language tag of %d characters at most, such as en or de-CH.", maxTag)
	}
	return tag.String(), nil
}

// SetTexts replaces the texts of a scope in a language. To change nothing is fine.
func SetTexts(tx *eventstore.Tx, s Scope, locale string, t Texts) error {
	locale, err := canonicalLanguage(locale)
	if err != nil {
		return err
	}
	k := texts(locale)
	if err := k.check(&t); err != nil {
		return err
	}
	r, err := k.lockLiving(tx, s, "write")
	if err != nil || r.exists && r.doc.ETag() == t.ETag() {
		return err
	}
	count := uint64(0)
	if err := tx.Read(database.From("kind", "policies").Where("instance_id = ? AND org_id = ?", s.Instance, s.Org).
		Where("substr(kind, 1, ?) = ?", len(textsKind), textsKind).Count(&count)); err != nil {
		return err
	}
	if !r.exists && count >= maxLanguages {
		return fault.Exhausted("TEXTS-languages", "There can be texts in %d languages at most.", maxLanguages)
	}
	event, level := orgTextsSet, "org"
	if s.IsDefault() {
		event, level = instanceTextsSet, "instance"
	}
	_, err = event.Emit(tx, s.Aggregate(), textsSet{locale, level, t})
	return err
}

// ResolveTexts gives the texts that hold in a scope in a language: its own over
// those of the instance, key by key; or only its own.
func ResolveTexts(ctx context.Context, r database.Reader, s Scope, locale string, own bool) (Texts, error) {
	locale, err := canonicalLanguage(locale)
	if err != nil {
		return nil, err
	}
	inherited := ""
	if own {
		inherited = s.Org
	}
	out := Texts{}
	err = r.Read(ctx, database.Query{
		SQL:  "SELECT document FROM policies WHERE instance_id = ? AND org_id IN (?, ?) AND kind = ? ORDER BY length(org_id)",
		Args: []any{s.Instance, s.Org, inherited, textsKind + locale},
		Row: func(scan database.Scan) error {
			var doc []byte
			if err := scan(&doc); err != nil {
				return err
			}
			var level Texts
			err := json.Unmarshal(doc, &level)
			overlay(out, level)
			return err
		},
	})
	return out, err
}

// BuiltInTexts gives the texts that hold without any setting: none, since the
// login application comes with its own.
func BuiltInTexts(locale string) (Texts, error) {
	_, err := canonicalLanguage(locale)
	return Texts{}, err
}

// overlay puts the texts of over into t; objects are merged, texts replaced.
func overlay(t, over map[string]any) {
	for key, value := range over {
		below, isObject := t[key].(map[string]any)
		if object, ok := value.(map[string]any); ok && isObject {
			overlay(below, object)
			continue
		}
		t[key] = value
	}
}

// ETag is a hash of the texts: 32 characters that change with them.
func (t Texts) ETag() string {
	data, err := json.Marshal(t) // The keys are sorted.
	if err != nil {              // Texts always have a JSON form.
		panic(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:16])
}
