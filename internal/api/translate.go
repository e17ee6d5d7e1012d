package api

import (
	"cmp"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"

	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/policy"
)

//go:embed locales/*.yaml
var localeFiles embed.FS

// locales maps a language to its translations of the English texts of faults.
var locales = sync.OnceValue(func() map[string]map[string]string {
	out := map[string]map[string]string{}
	entries, err := localeFiles.ReadDir("locales")
	if err != nil {
		return out
	}
	for _, e := range entries {
		data, err := localeFiles.ReadFile("locales/" + e.Name())
		texts := map[string]string{}
		if err == nil && yaml.Unmarshal(data, &texts) == nil {
			out[strings.TrimSuffix(e.Name(), ".yaml")] = texts
		}
	}
	return out
})

// translate gives the fault's sentence in the first language that has it, else
// in English.
func translate(langs []language.Tag, f *fault.Error) string {
	for _, l := range langs {
		base, _ := l.Base()
		if base.String() == "en" {
			break
		}
		if texts := locales()[base.String()]; texts[f.Text] != "" {
			return inLanguage(texts, f.Text, f.Args)
		}
	}
	return f.Message()
}

// inLanguage looks the text up, and the phrases among its arguments. What has no
// translation stays English.
func inLanguage(texts map[string]string, text string, args []any) string {
	text = cmp.Or(texts[text], text)
	if len(args) == 0 {
		return text
	}
	args = slices.Clone(args)
	for i, a := range args {
		if p, ok := a.(*fault.Phrase); ok {
			args[i] = inLanguage(texts, p.Text, p.Args)
		}
	}
	return fmt.Sprintf(text, args...)
}

// SupportedLanguages lists the languages that there are texts in, sorted.
func SupportedLanguages() []string {
	return slices.Sorted(func(yield func(string) bool) {
		if !yield("en") {
			return
		}
		maps.Keys(locales())(yield)
	})
}

// AllowedLanguages lists the languages that an instance with these restrictions
// offers.
func AllowedLanguages(r policy.RestrictionsDoc) []string {
	if len(r.AllowedLanguages) > 0 {
		return r.AllowedLanguages
	}
	return SupportedLanguages()
}

// Sentence is an error in the words for people, without its id: in the first of the
// languages that has it, else in English.
func Sentence(langs []language.Tag, err error) string { return translate(langs, fault.Of(err)) }

// Say is a phrase in the first of the languages that has it, else in English.
func Say(langs []language.Tag, p *fault.Phrase) string {
	return translate(langs, &fault.Error{Text: p.Text, Args: p.Args})
}
