package account

import (
	"cmp"

	"google.golang.org/protobuf/proto"

	authpb "github.com/gatehouse/gatehouse/gen/zitadel/auth/v1"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	"github.com/gatehouse/gatehouse/internal/web"
)

// keyKind is a kind of keys, with the calls that are about it.
type keyKind struct {
	kind   string
	begin  func(v *visit) (*userpb.WebAuthNKey, error)
	verify func(p *userpb.WebAuthNVerification) proto.Message
	remove func(id string) proto.Message
}

var keyKinds = []keyKind{
	{
		kind: kindPasskey,
		begin: func(v *visit) (*userpb.WebAuthNKey, error) {
			res, err := call[*authpb.AddMyPasswordlessResponse](v, &authpb.AddMyPasswordlessRequest{})
			return res.GetKey(), err
		},
		verify: func(p *userpb.WebAuthNVerification) proto.Message {
			return &authpb.VerifyMyPasswordlessRequest{Verification: p}
		},
		remove: func(id string) proto.Message { return &authpb.RemoveMyPasswordlessRequest{TokenId: id} },
	},
	{
		kind: kindU2F,
		begin: func(v *visit) (*userpb.WebAuthNKey, error) {
			res, err := call[*authpb.AddMyAuthFactorU2FResponse](v, &authpb.AddMyAuthFactorU2FRequest{})
			return res.GetKey(), err
		},
		verify: func(p *userpb.WebAuthNVerification) proto.Message {
			return &authpb.VerifyMyAuthFactorU2FRequest{Verification: p}
		},
		remove: func(id string) proto.Message { return &authpb.RemoveMyAuthFactorU2FRequest{TokenId: id} },
	},
}

func keyPages() (out []page) {
	for _, k := range keyKinds {
		out = append(out,
			page{path: "security/" + k.kind + "/new", get: showSecurity, post: k.start},
			page{path: "security/" + k.kind, get: showSecurity, post: k.take},
			question{
				path: "security/" + k.kind + "/remove/{id}", name: "remove-" + k.kind, about: k.name, to: "security", done: "removed",
				do: func(v *visit) error { return v.do(k.remove(v.R.PathValue("id"))) },
			}.pages(),
		)
	}
	return out
}

// keyPage is what the page of a new key shows: its kind, and what the browser asks it.
type keyPage struct{ Kind, Options, Name string }

// start begins the registration of a key, also anew where its answer was refused.
func (k keyKind) start(v *visit) error {
	key, err := k.begin(v)
	switch {
	case err != nil && isTheirs(err):
		v.refused = cmp.Or(v.refused, err)
		return showSecurity(v)
	case err != nil:
		return err
	}
	return v.show("key", v.Texts.T("add-"+k.kind), keyPage{k.kind, string(key.GetPublicKey()), web.Browser(v.R.UserAgent())})
}

// take finishes the registration of a key.
func (k keyKind) take(v *visit) error {
	err := v.do(k.verify(&userpb.WebAuthNVerification{PublicKeyCredential: []byte(v.typed("credential")), TokenName: v.typed("name")}))
	switch {
	case err != nil && isTheirs(err):
		v.refused = err
		return k.start(v)
	case err != nil:
		return err
	}
	return v.done("security", "set-up")
}

// name is how the key is called that the page is about, which is one of the visitor's.
func (k keyKind) name(v *visit) (string, error) {
	own, err := v.items()
	if err != nil {
		return "", err
	}
	for _, i := range own[k.kind] {
		if i.ID == v.R.PathValue("id") {
			return i.Name, nil
		}
	}
	return "", errNoPage
}
