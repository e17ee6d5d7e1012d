package policy

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// MessageText is the text of a sort of message in a language, by the keys of its
// parts. A scope may have some of them only; the others are inherited.
type MessageText map[string]string

// The parts of a message. One that travels by SMS has the text alone.
const (
	TextTitle     = "Title"
	TextPreHeader = "PreHeader" // what mail programs show beside the subject
	TextSubject   = "Subject"
	TextGreeting  = "Greeting"
	TextText      = "Text"
	TextButton    = "ButtonText"
	TextFooter    = "Footer"
)

//go:embed messagetexts.yaml
var messageTexts []byte

// LoginTexts is the template of what the login pages say. Its keys are screen and field, as
// the contract calls them, such as login_text.title.
const LoginTexts = "Login"

// builtIn are the texts that hold without any setting, by language and template.
var builtIn = func() (out map[string]map[string]MessageText) {
	if err := yaml.Unmarshal(messageTexts, &out); err != nil {
		panic(fmt.Sprintf("policy: message texts: %v", err))
	}
	return out
}()

// DeclareTexts says what holds without any setting in the texts of a template, by language:
// for those above who know the words.
func DeclareTexts(template string, byLanguage map[string]MessageText) {
	for lang, t := range byLanguage {
		if builtIn[lang] == nil {
			builtIn[lang] = map[string]MessageText{}
		}
		builtIn[lang][template] = t
	}
}

// IsShown reports whether any page or message of ours shows a text of a template, by its key.
func IsShown(template, key string) bool {
	_, ok := builtIn["en"][template][key]
	return ok
}

// AskOwnTexts asks for the texts of a template that instance and organization have of their
// own in a language.
func AskOwnTexts(s Scope, template, locale string, out *MessageText) database.Query {
	*out = nil
	return askTexts(s, []string{customTextName(template, locale), customTextName(template, baseLanguage(locale))}, func(_ Scope, _ string, row *row[MessageText]) {
		*out = over(row.doc, *out)
	})
}

// customText is the payload of the events about a text. The template is the name
// of a sort of message, or LoginTexts.
type customText struct {
	Template string `json:"template"`
	Language string `json:"language"`
	Key      string `json:"key,omitempty"`
	Text     string `json:"text,omitempty"`
}

// customTextEvents are those of a level.
type customTextEvents struct{ set, removed, templateRemoved *eventstore.Kind[customText] }

func declareCustomText(level string) customTextEvents {
	return customTextEvents{
		set: eventstore.Declare(level+".customtext.set", func(f *eventstore.Fold, e customText) error {
			return customTextKind(e.Template, e.Language).upsert(f, func(doc *MessageText) error {
				if *doc == nil {
					*doc = MessageText{}
				}
				(*doc)[e.Key] = e.Text
				return nil
			})
		}),
		removed: eventstore.Declare(level+".customtext.removed", func(f *eventstore.Fold, e customText) error {
			return customTextKind(e.Template, e.Language).alter(f, func(doc *MessageText) error {
				delete(*doc, e.Key)
				return nil
			})
		}),
		templateRemoved: eventstore.Declare(level+".customtext.template.removed", func(f *eventstore.Fold, e customText) error {
			return customTextKind(e.Template, e.Language).foldRemoved(f, eventstore.None{})
		}),
	}
}

var instanceCustomText, orgCustomText = declareCustomText("instance"), declareCustomText("org")

func customTextOf(s Scope) customTextEvents {
	if s.IsDefault() {
		return instanceCustomText
	}
	return orgCustomText
}

// customTextKind is the kind that a text has in the table.
func customTextKind(template, locale string) *Kind[MessageText] {
	return &Kind[MessageText]{name: customTextName(template, locale), title: fault.Say("message text"), orgs: true}
}

func customTextName(template, locale string) string { return customTextPrefix(template) + locale }

func customTextPrefix(template string) string { return "customtext." + template + "." }

// checkMessageText refuses texts that mean more than they can. Those of the login pages are
// words and nothing else, whatever is in them.
func checkMessageText(template string, t MessageText) error {
	for _, text := range t {
		if strings.ContainsRune(text, 0) {
			return fault.Invalid("TEXTS-text", "A text cannot hold the character U+0000.")
		}
		if template == LoginTexts {
			continue
		}
		if err := checkPlaceholders(text); err != nil {
			return err
		}
	}
	return nil
}

// SetMessageText replaces the text of a scope in a language; a part that is empty
// is inherited. To change nothing is fine.
func SetMessageText(tx *eventstore.Tx, s Scope, template, locale string, t MessageText) (Details, error) {
	locale, err := canonicalLanguage(locale)
	if err != nil {
		return Details{}, err
	}
	k := customTextKind(template, locale)
	r, err := k.lockLiving(tx, s, "write")
	if err == nil {
		err = checkMessageText(template, t)
	}
	if err == nil && !r.exists {
		err = roomForLanguage(tx, s, template)
	}
	if err != nil {
		return Details{}, err
	}
	d, now := k.details(r, s), MessageText{}
	maps.Copy(now, r.doc) // The folds below change the row's own.
	for _, key := range slices.Sorted(maps.Keys(over(t, now))) {
		e, kind := customText{Template: template, Language: locale, Key: key, Text: t[key]}, customTextOf(s).set
		if t[key] == now[key] {
			continue
		}
		if t[key] == "" {
			kind = customTextOf(s).removed
		}
		if d, err = kind.Emit(tx, s.Aggregate(), e); err != nil {
			return d, err
		}
	}
	return d, nil
}

func roomForLanguage(tx *eventstore.Tx, s Scope, template string) error {
	count, prefix := uint64(0), customTextPrefix(template)
	err := tx.Read(database.From("kind", "policies").Where("instance_id = ? AND org_id = ?", s.Instance, s.Org).
		Where("substr(kind, 1, ?) = ?", len(prefix), prefix).Count(&count))
	if err == nil && count >= maxLanguages {
		err = fault.Exhausted("TEXTS-languages", "There can be texts in %d languages at most.", maxLanguages)
	}
	return err
}

// ResetMessageText removes the text of a scope in a language.
func ResetMessageText(tx *eventstore.Tx, s Scope, template, locale string) (Details, error) {
	locale, err := canonicalLanguage(locale)
	if err != nil {
		return Details{}, err
	}
	k := customTextKind(template, locale)
	r, err := k.lock(tx, s, "delete")
	switch {
	case err != nil:
		return Details{}, err
	case !r.exists:
		return Details{}, fault.NotFound(scopedID(s, "customtext.not_reset"), "There is no own text in this language.")
	}
	return customTextOf(s).templateRemoved.Emit(tx, s.Aggregate(), customText{Template: template, Language: locale})
}

// BuiltInMessageText gives the text that holds without any setting: in the
// language, else in English.
func BuiltInMessageText(template, locale string) (State[MessageText], error) {
	locale, err := canonicalLanguage(locale)
	if err != nil {
		return State[MessageText]{}, err
	}
	t, ok := builtInText(template, locale)
	if !ok {
		t = builtIn["en"][template]
	}
	return State[MessageText]{Doc: over(nil, t), IsDefault: true}, nil
}

// builtInText gives the built-in text in a language, or in the one that it is a
// form of, such as de of de-CH.
func builtInText(template, locale string) (MessageText, bool) {
	if t, ok := builtIn[locale][template]; ok {
		return t, true
	}
	t, ok := builtIn[baseLanguage(locale)][template]
	return t, ok
}

func baseLanguage(locale string) string {
	base, _ := language.Make(locale).Base()
	return base.String()
}

// over gives the parts of t, and of below those that t has not.
func over(t, below MessageText) MessageText {
	out := MessageText{}
	for _, texts := range []MessageText{below, t} {
		for key, text := range texts {
			if text != "" {
				out[key] = text
			}
		}
	}
	return out
}

// ResolveMessageText gives the text that holds in a scope in a language: its own,
// over the instance's, over the built-in one. It is a default where the scope has
// no part of its own.
func ResolveMessageText(ctx context.Context, r database.Reader, s Scope, template, locale string) (State[MessageText], error) {
	out, err := BuiltInMessageText(template, locale)
	if err != nil {
		return out, err
	}
	locale, _ = canonicalLanguage(locale)
	out.Details.Owner = s.Aggregate().Owner
	err = readMessageTexts(ctx, r, s, []string{customTextName(template, locale)}, func(at Scope, _ string, row *row[MessageText]) {
		out.Doc = over(row.doc, out.Doc)
		if at == s && len(row.doc) > 0 {
			out.IsDefault, out.Details = false, customTextKind(template, locale).details(row, s)
		}
	})
	return out, err
}

// MessageTextFor gives the text for somebody who wants the first of the languages
// that there is any text in; the last is the one that there is. A form of a
// language, such as de-CH, is over the language itself.
func MessageTextFor(ctx context.Context, r database.Reader, s Scope, template string, languages ...string) (MessageText, error) {
	var wanted, names []string
	for _, l := range append(languages, "en") {
		if locale, err := canonicalLanguage(l); err == nil {
			wanted = append(wanted, locale)
			names = append(names, customTextName(template, locale), customTextName(template, baseLanguage(locale)))
		}
	}
	custom := map[string]MessageText{}
	if err := readMessageTexts(ctx, r, s, names, func(_ Scope, name string, row *row[MessageText]) {
		custom[name] = over(row.doc, custom[name])
	}); err != nil {
		return nil, err
	}
	fallback := builtIn["en"][template]
	for _, l := range wanted {
		own := over(custom[customTextName(template, l)], custom[customTextName(template, baseLanguage(l))])
		if base, ok := builtInText(template, l); ok || len(own) > 0 {
			return over(own, over(base, fallback)), nil
		}
	}
	return fallback, nil
}

// readMessageTexts reads the texts of the names that hold in a scope, the
// instance's first.
func readMessageTexts(ctx context.Context, r database.Reader, s Scope, names []string, each func(at Scope, name string, row *row[MessageText])) error {
	return r.Read(ctx, askTexts(s, names, each))
}

// askTexts is the query of readMessageTexts. Those of a language come before those of its
// forms.
func askTexts(s Scope, names []string, each func(at Scope, name string, row *row[MessageText])) database.Query {
	q := database.From("org_id, kind, document, created, changed, sequence", "policies").
		Where("instance_id = ? AND org_id IN (?, '')", s.Instance, s.Org).In("kind", names).Order("length(kind), length(org_id)")
	return q.Rows(func(scan database.Scan) error {
		var row row[MessageText]
		var org, name string
		var doc []byte
		if err := scan(&org, &name, &doc, &row.created, &row.changed, &row.sequence); err != nil {
			return err
		}
		if err := json.Unmarshal(doc, &row.doc); err != nil {
			return fmt.Errorf("%s of %+v: %w", name, s, err)
		}
		each(Scope{Instance: s.Instance, Org: org}, name, &row)
		return nil
	})
}
