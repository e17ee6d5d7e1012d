package policy

import (
	"context"
	"regexp"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// ThemeMode says which of the two themes pages use.
type ThemeMode int32

// The modes, numbered as in policy v1. Settings v2 numbers dark and light the
// other way round.
const (
	ThemeAuto  ThemeMode = 1 // as the visitor's device has it
	ThemeDark  ThemeMode = 2
	ThemeLight ThemeMode = 3
)

// LabelPolicy says how pages and mails look. An empty color leaves the built-in one.
type LabelPolicy struct {
	PrimaryColor        string    `json:"primaryColor"`
	BackgroundColor     string    `json:"backgroundColor"`
	WarnColor           string    `json:"warnColor"`
	FontColor           string    `json:"fontColor"`
	PrimaryColorDark    string    `json:"primaryColorDark"`
	BackgroundColorDark string    `json:"backgroundColorDark"`
	WarnColorDark       string    `json:"warnColorDark"`
	FontColorDark       string    `json:"fontColorDark"`
	HideLoginNameSuffix bool      `json:"hideLoginNameSuffix"`
	DisableWatermark    bool      `json:"disableWatermark"`
	ThemeMode           ThemeMode `json:"themeMode"`
	// The keys of pictures and a font; empty: none.
	Logo     string `json:"logoStoreKey,omitempty"`
	LogoDark string `json:"logoDarkStoreKey,omitempty"`
	Icon     string `json:"iconStoreKey,omitempty"`
	IconDark string `json:"iconDarkStoreKey,omitempty"`
	Font     string `json:"fontStoreKey,omitempty"`
}

// DefaultLabel is the label policy of a new instance.
func DefaultLabel() LabelPolicy {
	return LabelPolicy{
		PrimaryColor: "#5469d4", BackgroundColor: "#fafafa", WarnColor: "#cd3d56", FontColor: "#000000",
		PrimaryColorDark: "#2073c4", BackgroundColorDark: "#111827", WarnColorDark: "#ff3b5b", FontColorDark: "#ffffff",
		ThemeMode: ThemeAuto,
	}
}

// Label is the label policy under preparation: what it resolves to is the
// preview. Visitors see what ResolveActiveLabel gives, which changes only when
// the preview is activated. The active version is a row of its own, so that the
// rule "the organization's, else the instance's" holds for it as for any policy:
// an organization that never activated its own shows the instance's.
var Label = declareLabel()

// activeLabel has rows and no events.
var activeLabel = &Kind[LabelPolicy]{name: "policy.label.active"}

var (
	instanceLabelActivated = eventstore.Declare("instance.policy.label.activated", foldLabelActivated)
	orgLabelActivated      = eventstore.Declare("org.policy.label.activated", foldLabelActivated)
)

func declareLabel() *Kind[LabelPolicy] {
	k := Declare("policy.label", fault.Say("label policy"), IDs{}, (*LabelPolicy).validate)
	k.shadow = activeLabel
	return k
}

// color is #RGB, #RRGGBB or #RRGGBBAA.
var color = regexp.MustCompile(`^#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})$`)

func (p *LabelPolicy) validate() error {
	for _, c := range []string{
		p.PrimaryColor, p.BackgroundColor, p.WarnColor, p.FontColor,
		p.PrimaryColorDark, p.BackgroundColorDark, p.WarnColorDark, p.FontColorDark,
	} {
		if c != "" && !color.MatchString(c) {
			return fault.Invalid("LABEL-color", "A color must look like #5469d4.")
		}
	}
	if p.ThemeMode == 0 {
		p.ThemeMode = ThemeAuto
	}
	if p.ThemeMode < ThemeAuto || p.ThemeMode > ThemeLight {
		return fault.Invalid("LABEL-theme", "There is no such theme mode.")
	}
	return nil
}

// ActivateLabel shows the scope's preview to visitors.
func ActivateLabel(tx *eventstore.Tx, s Scope) (Details, error) {
	r, err := Label.lock(tx, s, "write")
	if err != nil {
		return Details{}, err
	}
	if !r.exists {
		return Details{}, noOwn("policy.label.missing", Label.title)(s)
	}
	event := orgLabelActivated
	if s.IsDefault() {
		event = instanceLabelActivated
	}
	return event.Emit(tx, Label.aggregate(s), eventstore.None{})
}

// ResolveActiveLabel gives the label policy that visitors of the scope see.
func ResolveActiveLabel(ctx context.Context, store database.Reader, s Scope) (State[LabelPolicy], error) {
	return activeLabel.Resolve(ctx, store, s)
}

// AskActiveLabel is the query of ResolveActiveLabel, for who has more to ask.
func AskActiveLabel(s Scope, out *State[LabelPolicy]) database.Query { return activeLabel.Ask(s, out) }

func foldLabelActivated(f *eventstore.Fold, _ eventstore.None) error {
	preview, _, err := Label.stored(f)
	if err != nil || !preview.exists {
		return err
	}
	return activeLabel.upsert(f, func(doc *LabelPolicy) error {
		*doc = preview.doc
		return nil
	})
}
