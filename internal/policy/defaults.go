package policy

import "github.com/gatehouse/gatehouse/internal/eventstore"

// SetDefaults gives a new instance its policies. Settings and features need no
// event to have their defaults.
func SetDefaults(tx *eventstore.Tx, instance string) error {
	s := Scope{Instance: instance}
	steps := []func() (Details, error){
		func() (Details, error) { return AddLogin(tx, s, DefaultLogin()) },
		func() (Details, error) { return PasswordComplexity.Add(tx, s, DefaultPasswordComplexity()) },
		func() (Details, error) { return PasswordAge.Add(tx, s, PasswordAgePolicy{}) },
		func() (Details, error) { return Lockout.Add(tx, s, DefaultLockout()) },
		func() (Details, error) { return Domain.Add(tx, s, DomainPolicy{}) },
		func() (Details, error) { return Label.Add(tx, s, DefaultLabel()) },
		func() (Details, error) { return ActivateLabel(tx, s) },
		func() (Details, error) { return Privacy.Add(tx, s, PrivacyPolicy{}) },
		func() (Details, error) { return Notification.Add(tx, s, DefaultNotification()) },
		func() (Details, error) { return OIDC.Add(tx, s, DefaultOIDC()) },
	}
	for _, g := range DefaultSecretGenerators() {
		steps = append(steps, func() (Details, error) { return secretGenerator(g.Type).Add(tx, s, g) })
	}
	for _, step := range steps {
		if _, err := step(); err != nil {
			return err
		}
	}
	return nil
}
