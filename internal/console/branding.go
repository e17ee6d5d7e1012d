package console

import (
	"net/http"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	adminpb "github.com/gatehouse/gatehouse/gen/zitadel/admin/v1"
	mgmtpb "github.com/gatehouse/gatehouse/gen/zitadel/management/v1"
	policypb "github.com/gatehouse/gatehouse/gen/zitadel/policy/v1"
	"github.com/gatehouse/gatehouse/internal/api"
	rules "github.com/gatehouse/gatehouse/internal/policy"
	"github.com/gatehouse/gatehouse/internal/web"
)

// branding is how the login of an organization looks. A change shows in the preview only,
// until it is put in use.
var branding = func() policy {
	p := policy{path: "branding", title: "branding", fields: []field{
		{path: "theme_mode"},
		{path: "primary_color", kind: "color", heading: "light-theme"}, {path: "background_color", kind: "color"}, {path: "font_color", kind: "color"}, {path: "warn_color", kind: "color"},
		{path: "primary_color_dark", text: "f-primary_color", kind: "color", heading: "dark-theme"}, {path: "background_color_dark", text: "f-background_color", kind: "color"},
		{path: "font_color_dark", text: "f-font_color", kind: "color"}, {path: "warn_color_dark", text: "f-warn_color", kind: "color"},
	}}
	p.ofOrg, p.ofInstance = both("LabelPolicy")
	p.ofOrg.read, p.ofInstance.read = ofManagement+"GetPreviewLabelPolicyRequest", ofAdmin+"GetPreviewLabelPolicyRequest"
	return p
}()

// brandingPages are about it: the preview, the form, and what puts it in use.
func brandingPages() (out []page) {
	for base, c := range map[string]calls{policiesOfInstance: branding.ofInstance, policiesOfOrg: branding.ofOrg} {
		at := base + "/" + branding.path
		out = append(out,
			page{path: at, permission: c.canRead, get: showBranding},
			page{path: at + "/preview.css", permission: c.canRead, get: showPreviewColors},
		)
		out = append(out, form{
			path: at + "/edit", permission: c.canWrite, title: branding.title, help: "branding-edit-help", load: branding.load, fields: branding.fields, then: backTo(at, "previewed"), crumbs: branding.below,
		}.pages()...)
		for _, a := range brandingAssets {
			out = append(out, page{path: at + "/" + a.path, permission: c.canWrite, post: func(v *visit) error { return v.upload(a.of, at) }})
			out = append(out, action{
				path: at + "/" + a.path + "/remove", permission: c.canWrite, title: "remove", help: "asset-remove-help", danger: true, then: backTo(at, "previewed"), crumbs: branding.below,
				request: func(v *visit) proto.Message {
					return either(v, request(ofManagement+"RemoveCustomLabelPolicy"+a.rpc+"Request"), request(ofAdmin+"RemoveLabelPolicy"+a.rpc+"Request"))
				},
			}.pages()...)
		}
		out = append(out, action{
			path: at + "/use", permission: c.canWrite, title: "branding-use", help: "branding-use-help", then: backTo(at, "saved"), crumbs: branding.below,
			request: func(v *visit) proto.Message {
				return either(v, &mgmtpb.ActivateCustomLabelPolicyRequest{}, &adminpb.ActivateLabelPolicyRequest{})
			},
		}.pages()...)
		if c.reset != "" {
			out = append(out, action{
				path: at + "/follow", permission: c.mayReset(), title: "login-follow", help: "policy-follow-help", danger: true, then: backTo(at, "saved"), crumbs: branding.below,
				request: func(v *visit) proto.Message { return branding.make(v, c.reset) },
			}.pages()...)
		}
	}
	return out
}

// showBranding is the page of the preview.
func showBranding(v *visit) error { return v.branding(nil) }

// branding shows the preview, with what was wrong with a file.
func (v *visit) branding(problem error) error {
	now, inherited, err := branding.now(v)
	if err != nil {
		return err
	}
	c, base := branding.of(v)
	at := base + "/" + branding.path
	used, err := v.inUse(now)
	if err != nil {
		return err
	}
	actions := []entry{{at + "/edit", "edit", c.canWrite}}
	if !used {
		actions = append(actions, entry{at + "/use", "branding-use", c.canWrite})
	}
	if v.org != "" {
		actions = append(actions, entry{at + "/follow", "login-follow", c.mayReset()})
	}
	if v.org != "" && inherited {
		actions = []entry{{at + "/edit", "login-own", c.canWrite}}
	}
	p := brandingPage{Inherited: v.org != "" && inherited, Ways: v.entries(actions), Colors: v.at(at) + "/preview.css", Themes: []string{"light", "dark"}}
	for _, a := range brandingAssets {
		fields := now.ProtoReflect().Descriptor().Fields()
		_, key, _ := strings.Cut(now.ProtoReflect().Get(fields.ByName(protoreflect.Name(a.url))).String(), api.AssetPrefix)
		row := brandingAsset{Text: v.Texts.T("asset-" + a.rpc), Path: v.at(at) + "/" + a.path, Picture: a.of != rules.Font, There: key != "", MayChange: v.can[c.canWrite] && !p.Inherited}
		if key != "" {
			row.URL = api.AssetPrefix + key
		}
		p.Assets = append(p.Assets, row)
	}
	f := frame{Title: v.Texts.T(branding.title), Crumbs: aboveOf(v, base), More: p}
	status := http.StatusOK
	if problem != nil {
		status = http.StatusUnprocessableEntity
		v.explain(&f, problem)
	}
	v.show(status, "branding", f)
	return nil
}

// inUse reports whether the login looks like the preview already.
func (v *visit) inUse(preview proto.Message) (bool, error) {
	res, err := call[interface {
		proto.Message
		GetPolicy() *policypb.LabelPolicy
	}](v, either(v, &mgmtpb.GetLabelPolicyRequest{}, &adminpb.GetLabelPolicyRequest{}))
	if err != nil {
		return false, err
	}
	was, now := res.GetPolicy(), proto.CloneOf(preview.(*policypb.LabelPolicy)) //nolint:forcetypeassert // the contract's
	was.Details, now.Details = nil, nil                                         // They tell when, and not how it looks.
	return proto.Equal(was, now), nil
}

// assetNames are how an asset is called: the parts of paths, of RPCs and of fields of the
// policy are made of its name in events, such as logo.dark.
type assetNames struct {
	path, rpc, url string
	of             rules.LabelAsset
}

var brandingAssets = func() (out []assetNames) {
	for _, of := range rules.LabelAssets {
		kind, theme, _ := strings.Cut(string(of), ".")
		a := assetNames{path: strings.ReplaceAll(string(of), ".", "-"), rpc: capital(kind) + capital(theme), url: kind + "_url", of: of}
		if theme != "" {
			a.url += "_" + theme
		}
		out = append(out, a)
	}
	return out
}()

// brandingAsset is a picture or the font as the page shows it.
type brandingAsset struct {
	Text, Path, URL string
	Picture, There  bool
	MayChange       bool
}

// upload takes a file into the preview.
func (v *visit) upload(of rules.LabelAsset, at string) error {
	data, err := web.ReadFile(v.R)
	if err == nil {
		err = v.calls.Upload(v.Ctx, api.Errand{Token: v.session.Token, Org: v.org}, of, data)
	}
	switch {
	case err != nil && isTheirs(err):
		return v.branding(err)
	case err != nil:
		return err
	}
	return v.doneAt(v.at(at), "previewed")
}

// brandingPage is what the page shows.
type brandingPage struct {
	Inherited bool
	Ways      []crumb
	Colors    string // the address of the colors of the preview
	Themes    []string
	Assets    []brandingAsset
}

// showPreviewColors is the stylesheet of the samples: a page holds no styles.
func showPreviewColors(v *visit) error {
	now, _, err := branding.now(v)
	if err != nil {
		return err
	}
	l := now.(*policypb.LabelPolicy) //nolint:forcetypeassert // the contract's
	light, dark := web.Themes(rules.LabelPolicy{
		PrimaryColor: l.GetPrimaryColor(), BackgroundColor: l.GetBackgroundColor(), WarnColor: l.GetWarnColor(), FontColor: l.GetFontColor(),
		PrimaryColorDark: l.GetPrimaryColorDark(), BackgroundColorDark: l.GetBackgroundColorDark(), WarnColorDark: l.GetWarnColorDark(), FontColorDark: l.GetFontColorDark(),
	})
	v.W.Header().Set("Content-Type", "text/css; charset=utf-8")
	_, _ = v.W.Write([]byte(".sample.light{" + light + "}.sample.dark{" + dark + "}\n"))
	return nil
}
