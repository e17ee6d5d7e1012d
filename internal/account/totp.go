package account

import (
	"encoding/base64"
	"html/template"

	"rsc.io/qr"

	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	"github.com/gatehouse/gatehouse/internal/crypto"
	"github.com/gatehouse/gatehouse/internal/hostname"
)

func totpPages() []page {
	return []page{
		{path: "security/totp/new", get: showSecurity, post: beginTOTP},
		deed{path: "security/totp", page: againTOTP, to: "security", done: "set-up", do: func(v *visit) error {
			return v.do(&authpb.VerifyMyAuthFactorOTPRequest{Code: v.typed("code")})
		}}.pages(),
		question{path: "security/totp/remove", name: "remove-totp", to: "security", done: "removed", do: func(v *visit) error {
			return v.do(&authpb.RemoveMyAuthFactorOTPRequest{})
		}}.pages(),
	}
}

// totpPage is what the page of a new authenticator app shows.
type totpPage struct {
	QR, URI template.URL // of schemes that templates do not know
	Secret  string
}

// beginTOTP begins the registration of an authenticator app.
func beginTOTP(v *visit) error {
	res, err := call[*authpb.AddMyAuthFactorOTPResponse](v, &authpb.AddMyAuthFactorOTPRequest{})
	switch {
	case err != nil && isTheirs(err):
		v.refused = err
		return showSecurity(v)
	case err != nil:
		return err
	}
	return v.showTOTP(res.GetSecret())
}

// againTOTP shows the secret once more, which the form carries along, where the code was
// wrong.
func againTOTP(v *visit) error {
	if secret := v.typed("secret"); secret != "" {
		return v.showTOTP(secret)
	}
	return showSecurity(v)
}

// showTOTP shows the secret of an app that is not proved yet.
func (v *visit) showTOTP(secret string) error {
	uri := crypto.TOTPURI(hostname.Canonical(v.Call.Host), v.me.GetPreferredLoginName(), secret)
	code, err := qr.Encode(uri, qr.M)
	if err != nil {
		return err
	}
	return v.show("totp", v.Texts.T("factor-totp"), totpPage{
		QR:  template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(code.PNG())), //nolint:gosec // base64
		URI: template.URL(uri), Secret: secret,                                                      //nolint:gosec // our own, with escaped values
	})
}
