package login

import (
	_ "embed"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/web"
)

//go:embed screens.yaml
var screensFile []byte

// oneOrMore are the texts that a field stands for: usually one.
type oneOrMore []string

func (o *oneOrMore) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*o = oneOrMore{n.Value}
		return nil
	}
	return n.Decode((*[]string)(o))
}

// screens says where a text that somebody wrote for these pages stands, by its key.
var screens = func() map[string][]web.Place {
	var table map[string]map[string]oneOrMore
	if err := yaml.Unmarshal(screensFile, &table); err != nil {
		panic(fmt.Sprintf("login: screens: %v", err))
	}
	out := map[string][]web.Place{}
	for screen, fields := range table {
		for field, texts := range fields {
			for _, text := range texts {
				out[screen+"."+field] = append(out[screen+"."+field], places(text)...)
			}
		}
	}
	return out
}()

// places reads "key" or "key @ page page".
func places(text string) (out []web.Place) {
	key, pages, some := strings.Cut(text, " @ ")
	if !some {
		return []web.Place{{Key: key}}
	}
	for page := range strings.FieldsSeq(pages) {
		out = append(out, web.Place{Page: page, Key: key})
	}
	return out
}

// What our own texts are in the words of the contract, for who wants to write others.
func init() {
	byLanguage := map[string]policy.MessageText{}
	for lang, texts := range web.ReadTexts(files) {
		byLanguage[lang] = policy.MessageText{}
		for key, places := range screens {
			byLanguage[lang][key] = texts[places[0].Key]
		}
	}
	policy.DeclareTexts(policy.LoginTexts, byLanguage)
}
