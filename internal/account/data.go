package account

import (
	"bytes"
	"encoding/json"
	"slices"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	changepb "github.com/gatehouse/gatehouse/gen/zitadel/change/v1"
	objectpb "github.com/gatehouse/gatehouse/gen/zitadel/object/v2"
	sessionpb "github.com/gatehouse/gatehouse/gen/zitadel/session/v2"
	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/web"
)

// permRemove lets people remove their own account.
const permRemove = "user.self.delete"

func dataPages() []page {
	return []page{
		{path: "data", get: showData},
		{path: "data/export", get: showData, post: export},
		{path: "data/remove", get: askRemoval, post: remove},
	}
}

// showData offers what is known about the visitor, and to remove it where they may.
func showData(v *visit) error {
	removable, err := v.removable()
	if err != nil {
		return err
	}
	return v.show("data", v.Texts.T("nav-data"), removable)
}

// removable reports whether the visitor's roles let them remove their own account.
func (v *visit) removable() (bool, error) {
	may, err := call[*authpb.ListMyZitadelPermissionsResponse](v, &authpb.ListMyZitadelPermissionsRequest{})
	return slices.Contains(may.GetResult(), permRemove), err
}

// exported is how many there are at most of each part of an export, the newest.
const exported = 1000

// parts are the parts of an export with the calls that give them. Secrets are in no answer
// of the contract.
func (v *visit) parts() map[string]proto.Message {
	return map[string]proto.Message{
		"user":              &authpb.GetMyUserRequest{},
		"secondFactors":     &authpb.ListMyAuthFactorsRequest{},
		"passkeys":          &authpb.ListMyPasswordlessRequest{},
		"methods":           &userv2.ListAuthenticationMethodTypesRequest{UserId: v.me.GetId()},
		"linkedAccounts":    &authpb.ListMyLinkedIDPsRequest{Query: everything()},
		"applicationLogins": &authpb.ListMyRefreshTokensRequest{},
		"grants":            &authpb.ListMyUserGrantsRequest{Query: everything()},
		"memberships":       &authpb.ListMyMembershipsRequest{Query: everything()},
		"metadata":          &authpb.ListMyMetadataRequest{Query: everything()},
		"sessions": &sessionpb.ListSessionsRequest{
			Query:   &objectpb.ListQuery{Limit: exported},
			Queries: []*sessionpb.SearchQuery{{Query: &sessionpb.SearchQuery_UserIdQuery{UserIdQuery: &sessionpb.UserIDQuery{Id: v.me.GetId()}}}},
		},
	}
}

// export answers with a file of all that is known about the visitor.
func export(v *visit) error {
	out := map[string]json.RawMessage{}
	for name, req := range v.parts() {
		res, err := call[proto.Message](v, req)
		if err != nil {
			return err
		}
		if out[name], err = protojson.Marshal(res); err != nil {
			return err
		}
	}
	history, err := v.history()
	if err != nil {
		return err
	}
	if out["history"], err = protojson.Marshal(history); err != nil {
		return err
	}
	compact, err := json.Marshal(out)
	if err != nil {
		return err
	}
	var file bytes.Buffer
	if err := json.Indent(&file, compact, "", "  "); err != nil {
		return err
	}
	h := v.W.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Disposition", `attachment; filename="account.json"`)
	_, _ = v.W.Write(file.Bytes())
	return nil
}

// history is all that happened to the account, the newest first.
func (v *visit) history() (*authpb.ListMyUserChangesResponse, error) {
	out := &authpb.ListMyUserChangesResponse{}
	for from := uint64(0); ; {
		res, err := call[*authpb.ListMyUserChangesResponse](v, &authpb.ListMyUserChangesRequest{Query: &changepb.ChangeQuery{Sequence: from, Limit: exported}})
		if err != nil {
			return nil, err
		}
		out.Result = append(out.Result, res.GetResult()...)
		if len(res.GetResult()) < exported {
			return out, nil
		}
		from = res.GetResult()[exported-1].GetSequence()
	}
}

var errTyped = fault.Invalid("ACCOUNT-confirm", "Write your login name as it is shown to confirm.")

// askRemoval asks whether the account is to go, where the visitor may decide that.
func askRemoval(v *visit) error {
	switch removable, err := v.removable(); {
	case err != nil:
		return err
	case !removable:
		return errNoPage
	}
	return v.show("remove", v.Texts.T("remove-account"), nil)
}

// remove removes the account, once its login name is typed.
func remove(v *visit) error {
	err := error(errTyped)
	if v.typed("loginName") == v.me.GetPreferredLoginName() {
		err = v.do(&authpb.RemoveMyUserRequest{})
	}
	switch {
	case err != nil && isTheirs(err):
		v.refused = err
		return askRemoval(v)
	case err != nil:
		return err
	}
	v.Keep(v.Jar.Without(v.session.ID))
	return v.Redirect(web.Login + "login")
}
