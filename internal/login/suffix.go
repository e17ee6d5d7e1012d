package login

import (
	"strings"

	"github.com/gatehouse/gatehouse/internal/flow"
)

// openSuffix finds out what is left out of login names, where the application asked for
// somebody of one organization.
func (v *visit) openSuffix() (err error) {
	if v.Org != "" {
		v.suffix, err = flow.HiddenSuffix(v.AsNobody(), v.Store, v.Scope(v.Org))
	}
	return err
}

// short is a login name as pages show it.
func (v *visit) short(name string) string {
	if at := len(name) - len(v.suffix); v.suffix != "" && at > 0 && strings.EqualFold(name[at:], v.suffix) {
		return name[:at]
	}
	return name
}

// full is the login name that somebody means who typed a short one. What could be an address
// or a number could be a short name too: others are then names that they may mean.
func (v *visit) full(typed string) (name string, others []string) {
	switch {
	case v.suffix == "" || typed == "":
		return typed, nil
	case strings.Contains(typed, "@") || strings.HasPrefix(typed, "+"):
		return typed, []string{typed + v.suffix}
	}
	return typed + v.suffix, nil
}
