package policy

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse/gatehouse/internal/database"
)

// Own are policies and texts that an organization has of its own; nil where it has none.
type Own struct {
	Domain             *DomainPolicy
	Label              *LabelPolicy // that visitors see
	Lockout            *LockoutPolicy
	Login              *LoginPolicy
	PasswordComplexity *PasswordComplexityPolicy
	Privacy            *PrivacyPolicy
	Texts              []OwnText
}

// OwnText is a text of a template in a language.
type OwnText struct {
	Template, Language string
	Text               MessageText
}

const anyText = "customtext."

// kinds are the places of the policies, by their names in the table.
func (o *Own) kinds() map[string]any {
	return map[string]any{
		Domain.name: &o.Domain, activeLabel.name: &o.Label, Lockout.name: &o.Lockout, Login.name: &o.Login,
		PasswordComplexity.name: &o.PasswordComplexity, Privacy.name: &o.Privacy,
	}
}

// OwnRows is the filter of a table of policies, whose alias is p, for what Take reads.
func OwnRows(s *database.Select) {
	texts := func(s *database.Select) { s.Where("substr(p.kind, 1, ?) = ?", len(anyText), anyText) }
	s.Where("p.org_id <> ''").Filter(database.AnyOf(texts, database.OneOf("p.kind", slices.Sorted(maps.Keys((&Own{}).kinds())))))
}

// Take reads a row of the table.
func (o *Own) Take(kind string, document []byte) error {
	if name, ok := strings.CutPrefix(kind, anyText); ok {
		t := OwnText{}
		t.Template, t.Language, _ = strings.Cut(name, ".")
		if err := json.Unmarshal(document, &t.Text); err != nil {
			return err
		}
		if len(t.Text) > 0 {
			o.Texts = append(o.Texts, t)
		}
		return nil
	}
	return json.Unmarshal(document, o.kinds()[kind])
}
