package account

import (
	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
)

func contactPages() []page {
	return []page{
		{path: "contact", get: showContact},
		deed{path: "contact/email", page: showContact, to: "contact", done: "code-sent", do: func(v *visit) error {
			return v.do(&authpb.SetMyEmailRequest{Email: v.typed("email")})
		}}.pages(),
		deed{path: "contact/email/verify", page: showContact, to: "contact", done: "verified", do: func(v *visit) error {
			return v.do(&authpb.VerifyMyEmailRequest{Code: v.typed("emailCode")})
		}}.pages(),
		deed{path: "contact/email/resend", page: showContact, to: "contact", done: "code-sent", do: func(v *visit) error {
			return v.do(&authpb.ResendMyEmailVerificationRequest{})
		}}.pages(),
		deed{path: "contact/phone", page: showContact, to: "contact", done: "code-sent", do: func(v *visit) error {
			return v.do(&authpb.SetMyPhoneRequest{Phone: v.typed("phone")})
		}}.pages(),
		deed{path: "contact/phone/verify", page: showContact, to: "contact", done: "verified", do: func(v *visit) error {
			return v.do(&authpb.VerifyMyPhoneRequest{Code: v.typed("phoneCode")})
		}}.pages(),
		deed{path: "contact/phone/resend", page: showContact, to: "contact", done: "code-sent", do: func(v *visit) error {
			return v.do(&authpb.ResendMyPhoneVerificationRequest{})
		}}.pages(),
		question{
			path: "contact/phone/remove", name: "remove-phone", to: "contact", done: "removed",
			about: func(v *visit) (string, error) { return v.me.GetHuman().GetPhone().GetPhone(), nil },
			do:    func(v *visit) error { return v.do(&authpb.RemoveMyPhoneRequest{}) },
		}.pages(),
	}
}

// contactPage is what the page shows.
type contactPage struct {
	Email, Phone                 string
	EmailVerified, PhoneVerified bool
}

// showContact shows at which address and number somebody can be reached.
func showContact(v *visit) error {
	human := v.me.GetHuman()
	return v.show("contact", v.Texts.T("nav-contact"), contactPage{
		Email: human.GetEmail().GetEmail(), EmailVerified: human.GetEmail().GetIsEmailVerified(),
		Phone: human.GetPhone().GetPhone(), PhoneVerified: human.GetPhone().GetIsPhoneVerified(),
	})
}
