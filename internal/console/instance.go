package console

import (
	"google.golang.org/protobuf/proto"

	adminpb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	webkeypb "github.com/gatehouse/gatehouse/gen/zitadel/webkey/v2"
)

// The paths of the instance as a whole, and of the keys that sign its tokens.
const (
	atInstance = "instance"
	atTrusted  = atInstance + "/trusted"
	atKeys     = atInstance + "/keys"
)

// The permissions on keys.
const (
	keyRead   = "iam.web_key.read"
	keyWrite  = "iam.web_key.write"
	keyDelete = "iam.web_key.delete"
)

// instancePages are about the instance as a whole.
func instancePages() (out []page) {
	out = append(out, view{path: atInstance, permission: iamRead, read: readInstance}.pages()...)
	out = append(out, form{
		path: atTrusted + "-new", permission: iamWrite, title: "trusted-new", help: "trusted-help", button: "create", fields: []field{{path: "domain", required: true, help: "f-domain-help"}},
		then: backTo(atInstance, "created"), crumbs: aboveInstance,
		load: func(*visit) (proto.Message, error) { return &adminpb.AddInstanceTrustedDomainRequest{}, nil },
	}.pages()...)
	out = append(out, action{
		path: atTrusted + "/{domain}/remove", permission: iamWrite, title: "remove", help: "trusted-remove-help", danger: true, then: backTo(atInstance, "removed"), crumbs: aboveInstance,
		request: func(v *visit) proto.Message {
			return &adminpb.RemoveInstanceTrustedDomainRequest{Domain: v.R.PathValue("domain")}
		},
	}.pages()...)
	out = append(out, view{path: atKeys, permission: keyRead, read: readKeys}.pages()...)
	for _, k := range []struct {
		name string
		key  func() *webkeypb.CreateWebKeyRequest
	}{
		{"rsa", func() *webkeypb.CreateWebKeyRequest {
			return &webkeypb.CreateWebKeyRequest{Key: &webkeypb.CreateWebKeyRequest_Rsa{Rsa: &webkeypb.RSA{}}}
		}},
		{"ecdsa", func() *webkeypb.CreateWebKeyRequest {
			return &webkeypb.CreateWebKeyRequest{Key: &webkeypb.CreateWebKeyRequest_Ecdsa{Ecdsa: &webkeypb.ECDSA{}}}
		}},
		{"ed25519", func() *webkeypb.CreateWebKeyRequest {
			return &webkeypb.CreateWebKeyRequest{Key: &webkeypb.CreateWebKeyRequest_Ed25519{Ed25519: &webkeypb.ED25519{}}}
		}},
	} {
		out = append(out, action{
			path: atKeys + "/new-" + k.name, permission: keyWrite, title: "web-key-" + k.name, help: "web-key-new-help", then: backTo(atKeys, "created"), crumbs: inKeys,
			request: func(*visit) proto.Message { return k.key() },
		}.pages()...)
	}
	for _, a := range []action{
		{
			path: atKeys + "/{key}/activate", permission: keyWrite, title: "web-key-activate", help: "web-key-activate-help", then: backTo(atKeys, "saved"),
			request: func(v *visit) proto.Message { return &webkeypb.ActivateWebKeyRequest{Id: v.R.PathValue("key")} },
		},
		{
			path: atKeys + "/{key}/remove", permission: keyDelete, title: "remove", help: "web-key-remove-help", danger: true, then: backTo(atKeys, "removed"),
			request: func(v *visit) proto.Message { return &webkeypb.DeleteWebKeyRequest{Id: v.R.PathValue("key")} },
		},
	} {
		a.crumbs = inKeys
		out = append(out, a.pages()...)
	}
	return out
}

// readInstance is the page of the instance.
func readInstance(v *visit) (viewed, error) {
	res, err := call[*adminpb.GetMyInstanceResponse](v, &adminpb.GetMyInstanceRequest{})
	if err != nil {
		return viewed{}, err
	}
	trusted, err := call[*adminpb.ListInstanceTrustedDomainsResponse](v, &adminpb.ListInstanceTrustedDomainsRequest{})
	if err != nil {
		return viewed{}, err
	}
	in := res.GetInstance()
	out := viewed{Title: in.GetName(), Facts: []fact{
		{Text: "id", Value: in.GetId(), Code: true}, {Text: "issuer", Value: v.Call.Origin(v.External), Code: true},
		{Text: "created", Value: when(in.GetDetails().GetCreationDate())},
	}}
	domains := part{Title: v.Texts.T("domains"), Help: v.Texts.T("instance-domains-help"), Columns: []string{"domain", "kind"}}
	for _, d := range in.GetDomains() {
		kind := v.Texts.T("domain-custom")
		switch {
		case d.GetPrimary():
			kind = v.Texts.T("primary")
		case d.GetGenerated():
			kind = v.Texts.T("domain-generated")
		}
		domains.Rows = append(domains.Rows, viewRow{row: row{Cells: []cell{{Text: d.GetDomain()}, {Text: kind}}}})
	}
	others := part{
		Title: v.Texts.T("trusted"), Help: v.Texts.T("trusted-help"), Columns: []string{"domain"}, Empty: v.Texts.T("trusted-empty"), Add: []entry{{atTrusted + "-new", "trusted-new", iamWrite}},
	}
	for _, d := range trusted.GetResult() {
		others.Rows = append(others.Rows, viewRow{
			row: row{Cells: []cell{{Text: d.GetDomain()}}}, Actions: v.entries([]entry{{atTrusted + "/" + d.GetDomain() + "/remove", "remove", iamWrite}}),
		})
	}
	out.Parts = []part{domains, others}
	return out, nil
}

// readKeys is the page of the keys that sign tokens.
func readKeys(v *visit) (viewed, error) {
	res, err := call[*webkeypb.ListWebKeysResponse](v, &webkeypb.ListWebKeysRequest{})
	if err != nil {
		return viewed{}, err
	}
	p := part{Columns: []string{"id", "kind", "state", "created"}, Empty: v.Texts.T("nothing-found")}
	for _, k := range res.GetWebKeys() {
		kind := "Ed25519"
		switch {
		case k.GetRsa() != nil:
			kind = "RSA"
		case k.GetEcdsa() != nil:
			kind = "ECDSA"
		}
		state := cell{Text: v.Texts.T("KEY_" + k.GetState().String()), State: "idle"}
		ways := []entry{{atKeys + "/" + k.GetId() + "/activate", "web-key-activate", keyWrite}, {atKeys + "/" + k.GetId() + "/remove", "remove", keyDelete}}
		if k.GetState() == webkeypb.State_STATE_ACTIVE {
			state.State, ways = "good", nil
		}
		p.Rows = append(p.Rows, viewRow{row: row{Cells: []cell{{Text: k.GetId()}, {Text: kind}, state, {Text: when(k.GetCreationDate())}}}, Actions: v.entries(ways)})
	}
	return viewed{Title: v.Texts.T("web-keys"), Help: v.Texts.T("web-keys-help"), Parts: []part{p}, Actions: []entry{
		{atKeys + "/new-rsa", "web-key-rsa", keyWrite}, {atKeys + "/new-ecdsa", "web-key-ecdsa", keyWrite}, {atKeys + "/new-ed25519", "web-key-ed25519", keyWrite},
	}}, nil
}

// aboveInstance and inKeys are the pages above those of the instance, and of its keys.
func aboveInstance(v *visit) []crumb {
	return []crumb{{URL: v.at(atInstance), Text: v.Texts.T("instance")}}
}

func inKeys(v *visit) []crumb { return []crumb{{URL: v.at(atKeys), Text: v.Texts.T("web-keys")}} }
