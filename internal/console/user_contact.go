package console

import (
	"google.golang.org/protobuf/proto"

	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/message"
)

// contactPages change where a human can be reached, and prove it.
func contactPages() (out []page) {
	for _, f := range []form{
		{
			path: atUser + "/email", title: "email-edit", help: "email-edit-help", load: loadEmail,
			choose: func(v *visit, _ proto.Message) ([]field, error) {
				return []field{{path: "email", text: "email", kind: "email", required: true}, {path: "verification", help: v.mailHelp("f-verification-help")}}, nil
			},
			once: func(v *visit, res proto.Message) []fact {
				return v.codeOnce(message.VerifyEmail, res.(*userv2.SetEmailResponse).GetVerificationCode()) //nolint:forcetypeassert // the contract's
			},
		},
		{
			path: atUser + "/email/code", title: "code-again", help: "email-code-help", button: "code-again", load: loadEmailCode,
			choose: func(v *visit, _ proto.Message) ([]field, error) {
				return []field{{path: "verification", text: "f-link", options: deliveries("f-link", "send_code"), help: v.mailHelp("f-link-help")}}, nil
			},
			then: backTo(atUser, "code"), once: func(v *visit, res proto.Message) []fact {
				return v.codeOnce(message.VerifyEmail, res.(*userv2.SendEmailCodeResponse).GetVerificationCode()) //nolint:forcetypeassert // the contract's
			},
		},
		{
			path: atUser + "/email/verify", title: "enter-code", help: "email-verify-help", button: "verify", then: backTo(atUser, "verified"),
			load:   func(v *visit) (proto.Message, error) { return &userv2.VerifyEmailRequest{UserId: v.userID()}, nil },
			fields: []field{{path: "verification_code", text: "code", required: true}},
		},
		{
			path: atUser + "/phone", title: "phone-edit", help: "phone-edit-help", load: loadPhone,
			fields: []field{{path: "phone", text: "phone", kind: "tel", required: true}, {path: "verification", text: "f-phone-verification"}},
			once: func(_ *visit, res proto.Message) []fact {
				return shownCode(res.(*userv2.SetPhoneResponse).GetVerificationCode()) //nolint:forcetypeassert // the contract's
			},
		},
		{
			path: atUser + "/phone/code", title: "code-again", help: "phone-code-help", button: "code-again", then: backTo(atUser, "code"),
			load: func(v *visit) (proto.Message, error) {
				return &userv2.ResendPhoneCodeRequest{UserId: v.userID(), Verification: &userv2.ResendPhoneCodeRequest_SendCode{SendCode: &userv2.SendPhoneVerificationCode{}}}, nil
			},
			fields: []field{{path: "verification", text: "f-phone-verification"}},
			once: func(_ *visit, res proto.Message) []fact {
				return shownCode(res.(*userv2.ResendPhoneCodeResponse).GetVerificationCode()) //nolint:forcetypeassert // the contract's
			},
		},
		{
			path: atUser + "/phone/verify", title: "enter-code", help: "phone-verify-help", button: "verify", then: backTo(atUser, "verified"),
			load:   func(v *visit) (proto.Message, error) { return &userv2.VerifyPhoneRequest{UserId: v.userID()}, nil },
			fields: []field{{path: "verification_code", text: "code", required: true}},
		},
	} {
		if f.then == nil {
			f.then = backTo(atUser, "saved")
		}
		f.permission, f.crumbs = userWrite, inUser
		out = append(out, f.pages()...)
	}
	return append(out, action{
		path: atUser + "/phone/remove", permission: userWrite, title: "phone-remove", help: "phone-remove-help", danger: true, crumbs: inUser,
		request: func(v *visit) proto.Message { return &userv2.RemovePhoneRequest{UserId: v.userID()} }, then: backTo(atUser, "removed"),
	}.pages()...)
}

func shownCode(code string) []fact {
	if code == "" {
		return nil
	}
	return []fact{{Text: "code", Value: code, Code: true}}
}

func loadEmail(v *visit) (proto.Message, error) {
	u, err := v.user()
	req := &userv2.SetEmailRequest{UserId: v.userID(), Email: u.GetHuman().GetEmail().GetEmail(), Verification: &userv2.SetEmailRequest_SendCode{SendCode: &userv2.SendEmailVerificationCode{}}}
	if !v.mails() {
		req.Verification = &userv2.SetEmailRequest_ReturnCode{ReturnCode: &userv2.ReturnEmailVerificationCode{}}
	}
	return req, err
}

func loadEmailCode(v *visit) (proto.Message, error) {
	req := &userv2.SendEmailCodeRequest{UserId: v.userID(), Verification: &userv2.SendEmailCodeRequest_SendCode{SendCode: &userv2.SendEmailVerificationCode{}}}
	if !v.mails() {
		req.Verification = &userv2.SendEmailCodeRequest_ReturnCode{ReturnCode: &userv2.ReturnEmailVerificationCode{}}
	}
	return req, nil
}

func loadPhone(v *visit) (proto.Message, error) {
	u, err := v.user()
	return &userv2.SetPhoneRequest{
		UserId: v.userID(), Phone: u.GetHuman().GetPhone().GetPhone(), Verification: &userv2.SetPhoneRequest_SendCode{SendCode: &userv2.SendPhoneVerificationCode{}},
	}, err
}
