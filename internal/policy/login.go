package policy

import (
	"context"
	"net/url"
	"slices"
	"time"

	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/fault"
)

// SecondFactor is a way to prove a second thing after a password.
type SecondFactor int32

// The second factors, numbered as on the wire.
const (
	TOTP          SecondFactor = 1 // an authenticator app
	U2F           SecondFactor = 2 // a security key, without user verification
	OTPEmail      SecondFactor = 3
	OTPSMS        SecondFactor = 4
	RecoveryCodes SecondFactor = 5
)

// MultiFactor is a way that proves two things at once.
type MultiFactor int32

// U2FWithVerification is a passkey: a key that also verified its user.
const U2FWithVerification MultiFactor = 1

// maxLoginIDPs is the most identity providers that a login policy can list.
const maxLoginIDPs = 1000

// LoginIDP links an identity provider to a login policy.
type LoginIDP struct {
	ID string `json:"idpConfigId"`
	// Owner: 1 the instance, 2 the organization. The field is known to events as
	// the provider's type.
	Owner int32 `json:"idpProviderType,omitempty"`
}

// LoginPolicy says how people may log in.
type LoginPolicy struct {
	AllowUsernamePassword  bool   `json:"allowUsernamePassword"`
	AllowRegister          bool   `json:"allowRegister"`
	AllowExternalIDP       bool   `json:"allowExternalIdp"`
	ForceMFA               bool   `json:"forceMFA"`
	ForceMFALocalOnly      bool   `json:"forceMFALocalOnly"`
	PasswordlessAllowed    int32  `json:"passwordlessType"` // 0 not allowed, 1 allowed
	HidePasswordReset      bool   `json:"hidePasswordReset"`
	IgnoreUnknownUsernames bool   `json:"ignoreUnknownUsernames"`
	AllowDomainDiscovery   bool   `json:"allowDomainDiscovery"`
	DisableLoginWithEmail  bool   `json:"disableLoginWithEmail"`
	DisableLoginWithPhone  bool   `json:"disableLoginWithPhone"`
	DefaultRedirectURI     string `json:"defaultRedirectURI"`
	// For how long each check counts. Durations are nanoseconds in events.
	PasswordCheckLifetime      time.Duration `json:"passwordCheckLifetime"`
	ExternalLoginCheckLifetime time.Duration `json:"externalLoginCheckLifetime"`
	MFAInitSkipLifetime        time.Duration `json:"mfaInitSkipLifetime"`
	SecondFactorCheckLifetime  time.Duration `json:"secondFactorCheckLifetime"`
	MultiFactorCheckLifetime   time.Duration `json:"multiFactorCheckLifetime"`
	// The lists change by events of their own and keep the order of addition.
	SecondFactors []SecondFactor `json:"secondFactors,omitempty"`
	MultiFactors  []MultiFactor  `json:"multiFactors,omitempty"`
	IDPs          []LoginIDP     `json:"idps,omitempty"`
	// Retirements are the plans of factors that are listed and shall go. See At.
	Retirements []Retirement `json:"retirements,omitempty"`
}

// DefaultLogin is the login policy of a new instance.
func DefaultLogin() LoginPolicy {
	return LoginPolicy{
		AllowUsernamePassword: true, AllowRegister: true, AllowExternalIDP: true,
		PasswordlessAllowed: 1, AllowDomainDiscovery: true,
		PasswordCheckLifetime: 240 * time.Hour, ExternalLoginCheckLifetime: 240 * time.Hour,
		MFAInitSkipLifetime: 720 * time.Hour, SecondFactorCheckLifetime: 18 * time.Hour,
		MultiFactorCheckLifetime: 12 * time.Hour,
		SecondFactors:            []SecondFactor{TOTP, U2F},
		MultiFactors:             []MultiFactor{U2FWithVerification},
	}
}

// Login is the login policy.
var Login = Declare("policy.login", fault.Say("login policy"),
	IDs{Exists: "Dgfb2", Missing: "M0sif", Unchanged: "5M9vdd", NotReset: "GHB37"}, (*LoginPolicy).validate)

func (p *LoginPolicy) validate() error {
	if p.DefaultRedirectURI != "" {
		if u, err := url.Parse(p.DefaultRedirectURI); err != nil || len(p.DefaultRedirectURI) > maxAddress || u.Scheme == "" || slices.Contains([]string{"javascript", "data", "vbscript"}, u.Scheme) {
			return fault.Invalid("LOGIN-redirect", "The default redirect URI must be an absolute URI of %d bytes at most, such as https://example.com/.", maxAddress)
		}
	}
	for _, d := range []time.Duration{
		p.PasswordCheckLifetime, p.ExternalLoginCheckLifetime, p.MFAInitSkipLifetime,
		p.SecondFactorCheckLifetime, p.MultiFactorCheckLifetime,
	} {
		if d < 0 || d > maxLifetime {
			return fault.Invalid("LOGIN-lifetime", "A lifetime cannot be negative or longer than %d days.", maxAge)
		}
	}
	return nil
}

type secondFactorEvent struct {
	Type SecondFactor `json:"mfaType"`
}

type multiFactorEvent struct {
	Type MultiFactor `json:"mfaType"`
}

type idpEvent struct {
	ID string `json:"idpConfigId"`
}

var (
	secondFactorAdded = Part(Login, "secondfactor.added", noOwn(Login.ids.Missing, Login.title),
		func(s Scope, p *LoginPolicy, e secondFactorEvent) error {
			if slices.Contains(p.SecondFactors, e.Type) {
				return fault.AlreadyExists(scopedID(s, "2B0ps"), "The login policy lists this second factor already.")
			}
			return nil
		},
		func(p *LoginPolicy, e secondFactorEvent) { p.SecondFactors = append(p.SecondFactors, e.Type) })

	secondFactorRemoved = Part(Login, "secondfactor.removed", secondFactorMissing,
		func(s Scope, p *LoginPolicy, e secondFactorEvent) error {
			if !slices.Contains(p.SecondFactors, e.Type) {
				return secondFactorMissing(s)
			}
			return nil
		},
		func(p *LoginPolicy, e secondFactorEvent) { p.remove(Factor{Second: e.Type}) })

	multiFactorAdded = Part(Login, "multifactor.added", noOwn(Login.ids.Missing, Login.title),
		func(s Scope, p *LoginPolicy, e multiFactorEvent) error {
			if slices.Contains(p.MultiFactors, e.Type) {
				return fault.AlreadyExists(scopedID(s, "3M9od"), "The login policy lists this multi factor already.")
			}
			return nil
		},
		func(p *LoginPolicy, e multiFactorEvent) { p.MultiFactors = append(p.MultiFactors, e.Type) })

	multiFactorRemoved = Part(Login, "multifactor.removed", multiFactorMissing,
		func(s Scope, p *LoginPolicy, e multiFactorEvent) error {
			if !slices.Contains(p.MultiFactors, e.Type) {
				return multiFactorMissing(s)
			}
			return nil
		},
		func(p *LoginPolicy, e multiFactorEvent) { p.remove(Factor{Multi: e.Type}) })

	idpAdded = Part(Login, "idpprovider.added", noOwn("Ffgw2", Login.title),
		func(s Scope, p *LoginPolicy, e LoginIDP) error {
			if p.idp(e.ID) >= 0 {
				return fault.AlreadyExists(scopedID(s, "2B0ps"), "The login policy lists this identity provider already.")
			}
			if len(p.IDPs) >= maxLoginIDPs {
				return fault.Exhausted("LOGIN-idps", "A login policy can list %d identity providers at most.", maxLoginIDPs)
			}
			return nil
		},
		func(p *LoginPolicy, e LoginIDP) { p.IDPs = append(p.IDPs, e) })

	idpRemoved = Part(Login, "idpprovider.removed", idpMissing,
		func(s Scope, p *LoginPolicy, e idpEvent) error {
			if p.idp(e.ID) < 0 {
				return idpMissing(s)
			}
			return nil
		},
		func(p *LoginPolicy, e idpEvent) {
			p.IDPs = slices.DeleteFunc(p.IDPs, func(l LoginIDP) bool { return l.ID == e.ID })
		})
)

func (p *LoginPolicy) idp(id string) int {
	return slices.IndexFunc(p.IDPs, func(l LoginIDP) bool { return l.ID == id })
}

func secondFactorMissing(s Scope) error {
	return fault.NotFound(scopedID(s, "3M9od"), "The login policy does not list this second factor.")
}

func multiFactorMissing(s Scope) error {
	return fault.NotFound(scopedID(s, "3M9df"), "The login policy does not list this multi factor.")
}

func idpMissing(s Scope) error {
	return fault.NotFound(scopedID(s, "Ffgw2"), "The login policy does not list this identity provider.")
}

// without removes one value; an empty list becomes nil, as in a new document.
func without[T comparable](list []T, value T) []T {
	list = slices.DeleteFunc(list, func(v T) bool { return v == value })
	if len(list) == 0 {
		return nil
	}
	return list
}

// AddLogin gives the scope a login policy with its lists.
func AddLogin(tx *eventstore.Tx, s Scope, p LoginPolicy) (Details, error) {
	second, multi, idps := p.SecondFactors, p.MultiFactors, p.IDPs
	p.SecondFactors, p.MultiFactors, p.IDPs = nil, nil, nil
	d, err := Login.Add(tx, s, p)
	if err == nil && (repeats(second) || repeats(multi) || repeats(idps)) {
		err = fault.Invalid(scopedID(s, "SFeea"), "A factor or identity provider is listed twice.")
	}
	for _, f := range second {
		if err == nil {
			d, err = AddSecondFactor(tx, s, f)
		}
	}
	for _, f := range multi {
		if err == nil {
			d, err = AddMultiFactor(tx, s, f)
		}
	}
	for _, l := range idps {
		if err == nil {
			d, err = AddLoginIDP(tx, s, l)
		}
	}
	return d, err
}

func repeats[T comparable](list []T) bool {
	seen := make(map[T]bool, len(list))
	for _, v := range list {
		seen[v] = true
	}
	return len(seen) < len(list)
}

// AddSecondFactor lets users authenticate with the factor.
func AddSecondFactor(tx *eventstore.Tx, s Scope, f SecondFactor) (Details, error) {
	if f < TOTP || f > RecoveryCodes {
		return Details{}, fault.Invalid(scopedID(s, "SFeea"), "Name a second factor.")
	}
	if err := endRetired(tx, s, Factor{Second: f}); err != nil {
		return Details{}, err
	}
	return secondFactorAdded.Apply(tx, s, secondFactorEvent{f})
}

// RemoveSecondFactor ends the factor: from the commit on nobody in the scope can
// authenticate with it, and what was proved with it before counts for nothing.
func RemoveSecondFactor(tx *eventstore.Tx, s Scope, f SecondFactor) (Details, error) {
	if err := guardLastFactor(tx, s, func(p *LoginPolicy) { p.remove(Factor{Second: f}) }); err != nil {
		return Details{}, err
	}
	return secondFactorRemoved.Apply(tx, s, secondFactorEvent{f})
}

// AddMultiFactor lets users authenticate with the factor.
func AddMultiFactor(tx *eventstore.Tx, s Scope, f MultiFactor) (Details, error) {
	if f != U2FWithVerification {
		return Details{}, fault.Invalid(scopedID(s, "SFeea"), "Name a multi factor.")
	}
	if err := endRetired(tx, s, Factor{Multi: f}); err != nil {
		return Details{}, err
	}
	return multiFactorAdded.Apply(tx, s, multiFactorEvent{f})
}

// RemoveMultiFactor ends the factor, as RemoveSecondFactor does.
func RemoveMultiFactor(tx *eventstore.Tx, s Scope, f MultiFactor) (Details, error) {
	if err := guardLastFactor(tx, s, func(p *LoginPolicy) { p.remove(Factor{Multi: f}) }); err != nil {
		return Details{}, err
	}
	return multiFactorRemoved.Apply(tx, s, multiFactorEvent{f})
}

type guardKey struct{}

// WithGuards makes the changes that run with the context refuse what the API
// allows, but hardly anybody wants: to take away the last factor while one is
// demanded of everybody.
func WithGuards(ctx context.Context) context.Context {
	return context.WithValue(ctx, guardKey{}, true)
}

func guardLastFactor(tx *eventstore.Tx, s Scope, remove func(*LoginPolicy)) error {
	if tx.Context().Value(guardKey{}) == nil {
		return nil
	}
	r, err := Login.lock(tx, s, "write")
	if err != nil || !r.exists {
		return err
	}
	after, err := clone(r.doc)
	if err != nil {
		return err
	}
	had := len(after.SecondFactors) + len(after.MultiFactors)
	remove(&after)
	left := len(after.SecondFactors) + len(after.MultiFactors)
	if (r.doc.ForceMFA || r.doc.ForceMFALocalOnly) && left == 0 && had > 0 {
		return fault.Precondition("LOGIN-last",
			"This is the last factor, and the policy demands one: nobody could log in. Add another factor first, or do not force MFA.")
	}
	return nil
}

// AddLoginIDP lets users log in with an identity provider.
func AddLoginIDP(tx *eventstore.Tx, s Scope, l LoginIDP) (Details, error) {
	return idpAdded.Apply(tx, s, l)
}

// RemoveLoginIDP ends logins with an identity provider.
func RemoveLoginIDP(tx *eventstore.Tx, s Scope, id string) (Details, error) {
	return idpRemoved.Apply(tx, s, idpEvent{id})
}
