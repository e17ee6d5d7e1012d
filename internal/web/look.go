package web

import (
	"cmp"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// Place is a text of an area by its key: on one page or, where none is named, on all.
type Place struct{ Page, Key string }

// look is what an instance and an organization say about how pages look, and what they say.
type look struct {
	read    bool
	org     string // whose
	tag     string // in which language
	label   policy.State[policy.LabelPolicy]
	privacy policy.State[policy.PrivacyPolicy]
	own     policy.MessageText
}

// openLook reads the look of the page's organization, once. Without it pages are plain, and work
// all the same.
func (v *Visit) openLook() {
	if v.Instance == "" || v.look.read && v.look.org == v.Org && v.look.tag == v.Texts.tag {
		return
	}
	v.look = look{read: true, org: v.Org, tag: v.Texts.tag}
	s := v.Scope(v.Org)
	ask := []database.Query{policy.AskActiveLabel(s, &v.look.label), policy.Privacy.Ask(s, &v.look.privacy)}
	if v.Replaced != nil {
		ask = append(ask, policy.AskOwnTexts(s, v.Own, v.look.tag, &v.look.own))
	}
	if v.Store.Read(v.Ctx, ask...) != nil {
		v.look = look{read: true, org: v.Org, tag: v.Texts.tag}
	}
}

// texts are the texts of the page, with those in their place that somebody wrote. One for
// this page goes before one for all.
func (v *Visit) texts() Texts {
	v.openLook()
	t := v.Texts
	t.own = make(map[string]string, len(v.look.own))
	for _, page := range []string{"", cmp.Or(v.Page, v.Path())} {
		for key, text := range v.look.own {
			for _, place := range v.Replaced[key] {
				if place.Page == page {
					t.own[place.Key] = text
				}
			}
		}
	}
	return t
}

// T is the text of a key with its arguments, as the page has it.
func (v *Visit) T(key string, args ...any) string { return v.texts().T(key, args...) }
