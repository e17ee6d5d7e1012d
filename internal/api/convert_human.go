package api

import (
	"context"

	managementpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/user"
)

func human(ctx context.Context, h flow.Human) *userpb.Human {
	return &userpb.Human{Profile: Profile(ctx, h), Email: Email(h), Phone: Phone(h), PasswordChanged: Timestamp(h.PasswordChanged)}
}

// Profile is who a human is, as v1 shows it.
func Profile(ctx context.Context, h flow.Human) *userpb.Profile {
	return &userpb.Profile{
		FirstName: h.FirstName, LastName: h.LastName, NickName: h.NickName, DisplayName: h.DisplayName,
		PreferredLanguage: h.PreferredLanguage, Gender: userpb.Gender(h.Gender), AvatarUrl: AssetURL(ctx, h.Avatar),
	}
}

// Email is a human's address as v1 shows it.
func Email(h flow.Human) *userpb.Email {
	return &userpb.Email{Email: h.Email, IsEmailVerified: h.EmailVerified}
}

// Phone is a human's number as v1 shows it; nil where there is none.
func Phone(h flow.Human) *userpb.Phone {
	if h.Phone == "" {
		return nil
	}
	return &userpb.Phone{Phone: h.Phone, IsPhoneVerified: h.PhoneVerified}
}

// SetProfile writes a profile of v1 into a human.
func SetProfile(h *user.Human, p interface {
	GetFirstName() string
	GetLastName() string
	GetNickName() string
	GetDisplayName() string
	GetPreferredLanguage() string
	GetGender() userpb.Gender
},
) {
	h.FirstName, h.LastName, h.NickName, h.DisplayName = p.GetFirstName(), p.GetLastName(), p.GetNickName(), p.GetDisplayName()
	h.PreferredLanguage, h.Gender = p.GetPreferredLanguage(), int32(p.GetGender())
}

// NewHuman is what requests of v1 that make a human share. Who has neither a password nor a
// verified address is sent a code by which to begin.
func NewHuman(userName string, profile interface {
	GetFirstName() string
	GetLastName() string
	GetNickName() string
	GetDisplayName() string
	GetPreferredLanguage() string
	GetGender() userpb.Gender
}, email interface {
	GetEmail() string
	GetIsEmailVerified() bool
}, phone interface {
	GetPhone() string
	GetIsPhoneVerified() bool
},
) flow.NewHuman {
	n := flow.NewHuman{
		Initialize:  true,
		VerifyEmail: user.Verification{Vouched: email.GetIsEmailVerified()}, VerifyPhone: user.Verification{Vouched: phone.GetIsPhoneVerified()},
	}
	SetProfile(&n.Human, profile)
	n.UserName, n.Email, n.Phone = userName, email.GetEmail(), phone.GetPhone()
	return n
}

// ImportedHuman makes what is to be made of an import. The password is the caller's to add.
func ImportedHuman(r *managementpb.ImportHumanUserRequest) flow.NewHuman {
	n := NewHuman(r.GetUserName(), r.GetProfile(), r.GetEmail(), r.GetPhone())
	n.TOTP, n.PasskeyLink = r.GetOtpCode(), r.GetRequestPasswordlessRegistration()
	for _, l := range r.GetIdps() {
		n.Links = append(n.Links, user.Link{IDP: l.GetConfigId(), ExternalID: l.GetExternalUserId(), Name: l.GetDisplayName()})
	}
	for _, c := range r.GetRecoveryCodes() {
		if hash := c.GetHash(); hash != "" {
			n.Recovery.Hashed = append(n.Recovery.Hashed, hash)
		} else {
			n.Recovery.Plain = append(n.Recovery.Plain, c.GetRaw())
		}
	}
	return n
}

// The one state that v1 numbers differently.
const initialV1 = 6

// UserStateV1 is the state of a user as v1 shows it.
func UserStateV1(state int) userpb.UserState {
	if state == user.Initial {
		state = initialV1
	}
	return userpb.UserState(state)
}

// UserState is a state of v1. Nobody is suspended.
func UserState(s userpb.UserState) int {
	if s == userpb.UserState_USER_STATE_INITIAL {
		return user.Initial
	}
	if s == userpb.UserState_USER_STATE_SUSPEND {
		return 0
	}
	return int(s)
}
