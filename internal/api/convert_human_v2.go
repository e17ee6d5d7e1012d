package api

import (
	"cmp"
	"context"

	pb "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/eventstore"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

// newHuman is what the requests that make a human share.
type newHuman interface {
	GetProfile() *pb.SetHumanProfile
	GetEmail() *pb.SetHumanEmail
	GetPhone() *pb.SetHumanPhone
	GetPassword() *pb.Password
	GetHashedPassword() *pb.HashedPassword
	GetIdpLinks() []*pb.IDPLink
	GetTotpSecret() string
}

// HumanV2 makes what is to be made of a request. It hashes the password.
func HumanV2(ctx context.Context, store *eventstore.Store, s eventstore.Scope, r newHuman, id, userName string) (n flow.NewHuman, err error) {
	n = flow.NewHuman{ID: id, VerifyEmail: VerifyEmailV2(r.GetEmail()), VerifyPhone: VerifyPhoneV2(r.GetPhone())}
	SetProfileV2(&n.Human, r.GetProfile())
	n.UserName = cmp.Or(userName, r.GetEmail().GetEmail())
	n.TOTP, n.Links = r.GetTotpSecret(), Each(r.GetIdpLinks(), LinkV2)
	n.Email, n.Phone = r.GetEmail().GetEmail(), r.GetPhone().GetPhone()
	n.Password, err = flow.FirstPassword(ctx, store, s, r.GetPassword().GetPassword(), r.GetHashedPassword().GetHash(),
		r.GetPassword().GetChangeRequired() || r.GetHashedPassword().GetChangeRequired())
	return n, err
}

// SetProfileV2 writes all of a profile into a human.
func SetProfileV2(h *user.Human, p *pb.SetHumanProfile) {
	h.FirstName, h.LastName, h.NickName, h.DisplayName = p.GetGivenName(), p.GetFamilyName(), p.GetNickName(), p.GetDisplayName()
	h.PreferredLanguage, h.Gender = p.GetPreferredLanguage(), int32(p.GetGender())
}

// VerifyEmailV2 is how a request wants an address verified.
func VerifyEmailV2(r interface {
	GetSendCode() *pb.SendEmailVerificationCode
	GetReturnCode() *pb.ReturnEmailVerificationCode
	GetIsVerified() bool
},
) user.Verification {
	return user.Verification{Vouched: r.GetIsVerified(), Return: r.GetReturnCode() != nil, URLTemplate: r.GetSendCode().GetUrlTemplate()}
}

// VerifyPhoneV2 is how a request wants a number verified.
func VerifyPhoneV2(r interface {
	GetReturnCode() *pb.ReturnPhoneVerificationCode
	GetIsVerified() bool
},
) user.Verification {
	return user.Verification{Vouched: r.GetIsVerified(), Return: r.GetReturnCode() != nil}
}
