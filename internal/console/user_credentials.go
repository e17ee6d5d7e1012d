package console

import (
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	filterpb "github.com/gatehouse/gatehouse/gen/zitadel/filter/v2"
	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
)

const atCredentials = atUser + "/credentials"

// lasts is how long a new credential is proposed to last.
const lasts = 90 * 24 * time.Hour

// credentialPages are what a machine proves who it is with.
func credentialPages() (out []page) {
	out = append(out, view{path: atCredentials, permission: userRead, read: readCredentials}.pages()...)
	for _, f := range []form{
		{
			path: atCredentials + "/key", title: "key-new", help: "key-new-help", button: "create", then: backTo(atCredentials, "created"),
			load: func(v *visit) (proto.Message, error) {
				return &userv2.AddKeyRequest{UserId: v.userID(), ExpirationDate: v.in(lasts)}, nil
			},
			fields: []field{{path: "expiration_date", required: true, help: "f-expiration_date-help"}, {path: "public_key", kind: "area", help: "f-public_key-help"}},
			once: func(_ *visit, res proto.Message) []fact {
				r := res.(*userv2.AddKeyResponse) //nolint:forcetypeassert // the contract's
				if len(r.GetKeyContent()) == 0 {
					return nil
				}
				return []fact{{Text: "id", Value: r.GetKeyId(), Code: true}, {Text: "key-file", Value: string(r.GetKeyContent()), File: r.GetKeyId() + ".json", Help: "key-file-help"}}
			},
		},
		{
			path: atCredentials + "/token", title: "token-new", help: "token-new-help", button: "create", then: backTo(atCredentials, "created"),
			load: func(v *visit) (proto.Message, error) {
				return &userv2.AddPersonalAccessTokenRequest{UserId: v.userID(), ExpirationDate: v.in(lasts)}, nil
			},
			fields: []field{{path: "expiration_date", required: true, help: "f-expiration_date-help"}},
			once: func(_ *visit, res proto.Message) []fact {
				return []fact{{Text: "token", Value: res.(*userv2.AddPersonalAccessTokenResponse).GetToken(), Code: true}} //nolint:forcetypeassert // the contract's
			},
		},
	} {
		f.permission, f.crumbs = userWrite, inCredentials
		out = append(out, f.pages()...)
	}
	for _, a := range []action{
		{
			path: atCredentials + "/secret", title: "secret-new", help: "secret-new-help", then: backTo(atCredentials, "created"), once: secretOnce,
			request: func(v *visit) proto.Message { return &userv2.AddSecretRequest{UserId: v.userID()} },
		},
		{
			path: atCredentials + "/secret/remove", title: "secret-remove", help: "secret-remove-help", danger: true,
			request: func(v *visit) proto.Message { return &userv2.RemoveSecretRequest{UserId: v.userID()} },
		},
		{
			path: atCredentials + "/keys/{key}/remove", title: "key-remove", help: "key-remove-help", danger: true,
			request: func(v *visit) proto.Message {
				return &userv2.RemoveKeyRequest{UserId: v.userID(), KeyId: v.R.PathValue("key")}
			},
		},
		{
			path: atCredentials + "/tokens/{token}/remove", title: "token-remove", help: "token-remove-help", danger: true,
			request: func(v *visit) proto.Message {
				return &userv2.RemovePersonalAccessTokenRequest{UserId: v.userID(), TokenId: v.R.PathValue("token")}
			},
		},
	} {
		if a.then == nil {
			a.then = backTo(atCredentials, "removed")
		}
		a.permission, a.crumbs = userWrite, inCredentials
		out = append(out, a.pages()...)
	}
	return out
}

func inCredentials(v *visit) []crumb {
	return append(inUser(v), crumb{URL: v.at(atCredentials), Text: v.Texts.T("credentials")})
}

// in is the time that a while from now will be, to the minute.
func (v *visit) in(d time.Duration) *timestamppb.Timestamp {
	return timestamppb.New(v.Store.Now().Add(d).Truncate(time.Minute))
}

func secretOnce(v *visit, res proto.Message) []fact {
	facts := []fact{{Text: "client-secret", Value: res.(*userv2.AddSecretResponse).GetClientSecret(), Code: true}} //nolint:forcetypeassert // the contract's
	if u, err := v.user(); err == nil {
		facts = append([]fact{{Text: "client-id", Value: u.GetUsername(), Code: true}}, facts...)
	}
	return facts
}

// mostParts is how many rows a part of a page shows: more belong into a list of their own.
const mostParts = 100

func readCredentials(v *visit) (viewed, error) {
	out, err := atHand(v)
	if err != nil {
		return viewed{}, err
	}
	m := v.about.GetMachine()
	if m == nil {
		return viewed{}, errNoPage
	}
	all := &filterpb.PaginationRequest{Limit: mostParts}
	of := &filterpb.IDFilter{Id: v.userID()}
	keys, err := call[*userv2.ListKeysResponse](v, &userv2.ListKeysRequest{Pagination: all, Filters: []*userv2.KeysSearchFilter{{Filter: &userv2.KeysSearchFilter_UserIdFilter{UserIdFilter: of}}}})
	if err != nil {
		return viewed{}, err
	}
	tokens, err := call[*userv2.ListPersonalAccessTokensResponse](v, &userv2.ListPersonalAccessTokensRequest{
		Pagination: all, Filters: []*userv2.PersonalAccessTokensSearchFilter{{Filter: &userv2.PersonalAccessTokensSearchFilter_UserIdFilter{UserIdFilter: of}}},
	})
	if err != nil {
		return viewed{}, err
	}
	columns := []string{"id", "created", "expires"}
	keyPart := part{Title: v.Texts.T("keys"), Help: v.Texts.T("keys-help"), Columns: columns, Empty: v.Texts.T("keys-empty"), Add: []entry{{atCredentials + "/key", "key-new", userWrite}}}
	for _, k := range keys.GetResult() {
		keyPart.Rows = append(keyPart.Rows, v.credential("/keys/", k))
	}
	tokenPart := part{Title: v.Texts.T("tokens"), Help: v.Texts.T("tokens-help"), Columns: columns, Empty: v.Texts.T("tokens-empty"), Add: []entry{{atCredentials + "/token", "token-new", userWrite}}}
	for _, k := range tokens.GetResult() {
		tokenPart.Rows = append(tokenPart.Rows, v.credential("/tokens/", k))
	}
	out.Parts = []part{keyPart, tokenPart, secretPart(v, m.GetHasSecret())}
	return out, nil
}

// credential is a row of a key or a token.
func (v *visit) credential(at string, c interface {
	GetId() string
	GetCreationDate() *timestamppb.Timestamp
	GetExpirationDate() *timestamppb.Timestamp
},
) viewRow {
	expires := cell{Text: when(c.GetExpirationDate())}
	switch at := c.GetExpirationDate().AsTime(); {
	case at.Year() > 9000: // That far away stands for never.
		expires = cell{Text: v.Texts.T("never")}
	case at.Before(v.Store.Now()):
		expires = cell{Text: v.Texts.T("expired"), State: "bad"}
	}
	return viewRow{
		row:     row{Cells: []cell{{Text: c.GetId()}, {Text: when(c.GetCreationDate())}, expires}},
		Actions: v.entries([]entry{{atCredentials + at + c.GetId() + "/remove", "remove", userWrite}}),
	}
}

// secretPart says whether there is a secret: what it is, nobody can see.
func secretPart(v *visit, has bool) part {
	p := part{Title: v.Texts.T("secret"), Help: v.Texts.T("secret-help"), Columns: []string{"state"}, Empty: v.Texts.T("secret-empty"), Add: []entry{{atCredentials + "/secret", "secret-new", userWrite}}}
	if has {
		p.Rows = []viewRow{{row: row{Cells: []cell{{Text: v.Texts.T("secret-there"), State: "good"}}}, Actions: v.entries([]entry{{atCredentials + "/secret/remove", "remove", userWrite}})}}
	}
	return p
}
