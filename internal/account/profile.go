package account

import (
	"strconv"

	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/web"
)

func profilePages() []page {
	return []page{
		deed{path: "profile", page: showProfile, do: takeProfile, to: "profile", done: "saved"}.pages(),
		deed{path: "profile/name", page: showProfile, do: takeUserName, to: "profile", done: "saved"}.pages(),
		deed{path: "profile/picture", page: showProfile, do: takePicture, to: "profile", done: "saved"}.pages(),
		question{
			path: "profile/picture/remove", name: "remove-picture", to: "profile", done: "removed",
			do: func(v *visit) error { return v.do(&authpb.RemoveMyAvatarRequest{}) },
		}.pages(),
	}
}

// profilePage is what the page shows.
type profilePage struct {
	UserName  string
	ID        string // for administrators who may not look for it
	Profile   *userpb.Profile
	Languages []choice
	Genders   []choice
}

// choice is a value to choose.
type choice struct {
	Value, Text string
	Chosen      bool
}

// showProfile asks how somebody is called, and in which language.
func showProfile(v *visit) error {
	known, err := call[*authpb.GetMyProfileResponse](v, &authpb.GetMyProfileRequest{})
	if err != nil {
		return err
	}
	languages, err := call[*authpb.GetSupportedLanguagesResponse](v, &authpb.GetSupportedLanguagesRequest{})
	if err != nil {
		return err
	}
	p := profilePage{UserName: v.me.GetUserName(), ID: v.me.GetId(), Profile: known.GetProfile()}
	if v.refused != nil {
		v.takeTyped(p.Profile)
	}
	p.Languages = v.languages(languages.GetLanguages(), p.Profile.GetPreferredLanguage())
	for _, g := range []userpb.Gender{userpb.Gender_GENDER_UNSPECIFIED, userpb.Gender_GENDER_FEMALE, userpb.Gender_GENDER_MALE, userpb.Gender_GENDER_DIVERSE} {
		p.Genders = append(p.Genders, choice{strconv.Itoa(int(g)), v.Texts.T(g.String()), g == p.Profile.GetGender()})
	}
	return v.show("profile", v.Texts.T("nav-profile"), p)
}

// languages are those to choose from. One that is chosen and not among them stays.
func (v *visit) languages(supported []string, chosen string) []choice {
	out, among := []choice{{"", v.Texts.T("lang-browser"), chosen == ""}}, chosen == ""
	for _, l := range supported {
		text := l
		if v.Texts.Has("lang-" + l) {
			text = v.Texts.T("lang-" + l)
		}
		out, among = append(out, choice{l, text, l == chosen}), among || l == chosen
	}
	if !among {
		out = append(out, choice{chosen, chosen, true})
	}
	return out
}

var errGender = fault.Invalid("ACCOUNT-gender", "Choose one of the values that are offered.")

// takeTyped puts what was typed in the place of what is known.
func (v *visit) takeTyped(p *userpb.Profile) {
	if !v.R.PostForm.Has("first") { // Another form of the page was sent.
		return
	}
	p.FirstName, p.LastName, p.NickName, p.DisplayName = v.typed("first"), v.typed("last"), v.typed("nick"), v.typed("display")
	p.PreferredLanguage = v.typed("language")
	if n, err := strconv.ParseInt(v.typed("gender"), 10, 32); err == nil {
		p.Gender = userpb.Gender(n)
	}
}

func takeProfile(v *visit) error {
	var p userpb.Profile
	v.takeTyped(&p)
	if _, ok := userpb.Gender_name[int32(p.GetGender())]; !ok {
		return errGender
	}
	if p.GetDisplayName() == "" {
		p.DisplayName = p.GetFirstName() + " " + p.GetLastName()
	}
	return v.do(&authpb.UpdateMyProfileRequest{
		FirstName: p.GetFirstName(), LastName: p.GetLastName(), NickName: p.GetNickName(), DisplayName: p.GetDisplayName(),
		PreferredLanguage: p.GetPreferredLanguage(), Gender: p.GetGender(),
	})
}

// takePicture takes the visitor's picture.
func takePicture(v *visit) error {
	data, err := web.ReadFile(v.R)
	if err != nil {
		return err
	}
	return v.calls.UploadAvatar(v.Ctx, api.Errand{Token: v.session.Token}, data)
}

func takeUserName(v *visit) error {
	return v.do(&authpb.UpdateMyUserNameRequest{UserName: v.typed("userName")})
}
