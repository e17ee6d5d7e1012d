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
	shown   map[string]map[string]string // what stands of them on each page, once it was asked for
}

// openLook reads the look of the page's organization, once. Without it pages are plain, and work
// all the same.
func (v *Visit) openLook() {
	if v.Instance == "" || v.look.read && v.look.org == v.Org && v.look.tag == v.Texts.tag {
		return
	}
	plain := look{read: true, org: v.Org, tag: v.Texts.tag, shown: map[string]map[string]string{}}
	v.look = plain
	s := v.Scope(v.Org)
	ask := []database.Query{policy.AskActiveLabel(s, &v.look.label), policy.Privacy.Ask(s, &v.look.privacy)}
	if v.Replaced != nil {
		ask = append(ask, policy.AskOwnTexts(s, v.Own, v.look.tag, &v.look.own))
	}
	if v.Store.Read(v.Ctx, ask...) != nil {
		v.look = plain
	}
}

// texts are the texts of the page, with those in their place that somebody wrote.
func (v *Visit) texts() Texts {
	v.openLook()
	t, page := v.Texts, cmp.Or(v.Page, v.Path())
	if v.look.shown[page] == nil && v.look.own != nil {
		v.look.shown[page] = v.placed(page)
	}
	t.own = v.look.shown[page]
	return t
}

// placed are the texts that somebody wrote, where they stand on a page. One for this page goes
// before one for all.
func (v *Visit) placed(page string) map[string]string {
	out := make(map[string]string, len(v.look.own))
	for _, at := range []string{"", page} {
		for key, text := range v.look.own {
			for _, place := range v.Replaced[key] {
				if place.Page == at {
					out[place.Key] = text
				}
			}
		}
	}
	return out
}

// T is the text of a key with its arguments, as the page has it.
func (v *Visit) T(key string, args ...any) string { return v.texts().T(key, args...) }
