package login

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/hostname"
	"github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/user"
)

// Where the links lead by which people register a passkey, often on another device: those
// of mails, and those that an application got.
const (
	atPasskeyMail = "login/passwordless/init"
	atPasskeyLink = "passkey/register"
)

const (
	fieldCode   = "code"
	fieldCodeID = "codeID"
)

// passkeyLink is the page that a link leads to. Both kinds of links name the same things,
// and write the names in ways of their own.
func (v *visit) passkeyLink() (user.Ref, data) {
	v.current = nil
	for name, values := range v.R.Form {
		for _, known := range []string{fieldUser, fieldOrg, fieldCodeID} {
			if strings.EqualFold(name, known) {
				v.R.Form[known] = values
			}
		}
	}
	r := v.linked()
	return r, data{
		Path:   "enrol/" + kindPasskey,
		More:   newKeyPage{Kind: kindPasskey, Path: atPasskeyLink, Options: atPasskeyLink + "/options", Name: v.keyName()},
		Hidden: map[string]string{fieldUser: r.UserID, fieldOrg: r.Org, fieldCodeID: v.R.Form.Get(fieldCodeID), fieldCode: v.R.Form.Get(fieldCode)},
	}
}

// showPasskeyLink asks for the passkey. The link alone does nothing, since programs that
// look at mails follow links.
func showPasskeyLink(v *visit) error {
	_, d := v.passkeyLink()
	v.show(http.StatusOK, "newkey", d)
	return nil
}

// passkeyLinkOptions uses the code up and gives the script what the browser asks the
// passkey.
func passkeyLinkOptions(v *visit) error {
	r, d := v.passkeyLink()
	q := user.KeyRequest{Kind: user.Passkey, Domain: hostname.Canonical(v.Call.Host)}
	begun, err := flow.RegisterPasskeyByCode(v.AsNobody(), v.Store, v.vault, r, q, d.Hidden[fieldCodeID], strings.TrimSpace(d.Hidden[fieldCode]))
	if err != nil {
		return err
	}
	return v.JSON(begun.Options)
}

// takePasskeyLink finishes the registration. Only who used the code knows the challenge
// that the passkey has answered.
func takePasskeyLink(v *visit) error {
	r, d := v.passkeyLink()
	form := v.R.PostForm
	if _, err := user.VerifyKey(v.AsSystem(), v.Store, r, user.Passkey, "", form.Get("name"), []byte(form.Get("credential"))); err != nil {
		return v.again(err, "newkey", d)
	}
	v.show(http.StatusOK, "verify", data{Note: v.T("passkey-set")})
	return nil
}

// atAnyPasskey is where a passkey lets somebody in who has not said who they are.
const atAnyPasskey = "login/passkey"

// anyPasskeyOptions gives the script what the browser asks any passkey of the instance.
func anyPasskeyOptions(v *visit) error {
	login, err := policy.Login.Resolve(v.Ctx, v.Store, v.Scope(v.Org))
	switch {
	case err != nil:
		return err
	case login.Doc.PasswordlessAllowed != 1:
		return errNoPage
	}
	options, kept, err := v.sessions.AskPasskey(v.AsNobody(), hostname.Canonical(v.Call.Host))
	if err != nil {
		return err
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal(options, &out); err != nil {
		return err
	}
	if out["kept"], err = json.Marshal(kept); err != nil {
		return err
	}
	message, err := json.Marshal(out)
	if err != nil {
		return err
	}
	return v.JSON(message)
}

// takeAnyPasskey begins a session for whose passkey has answered.
func takeAnyPasskey(v *visit) error {
	form := v.R.PostForm
	out, err := v.sessions.CreateByPasskey(v.AsSystem(), form.Get("kept"), []byte(form.Get("credential")), v.agent())
	if err != nil {
		return v.askName("", err)
	}
	v.hold(out, "")
	return v.next()
}
