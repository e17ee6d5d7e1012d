package policy

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse/gatehouse/internal/fault"
)

func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	login, complexity, label, oidc := DefaultLogin(), DefaultPasswordComplexity(), DefaultLabel(), DefaultOIDC()
	documents := map[string]error{
		"login": login.validate(), "complexity": complexity.validate(), "label": label.validate(), "oidc": oidc.validate(),
		"age": (&PasswordAgePolicy{}).validate(), "privacy": (&PrivacyPolicy{}).validate(),
		"security": (&SecurityPolicy{}).validate(), "restrictions": (&RestrictionsDoc{}).validate(),
	}
	for name, err := range documents {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if label != DefaultLabel() {
		t.Error("label: validation changes the default")
	}
	for i, g := range DefaultSecretGenerators() {
		if err := g.validate(); err != nil || int(g.Type) != i+1 {
			t.Errorf("secret generator %d at place %d: %v", g.Type, i, err)
		}
	}
}

// TestValidate: id is that of the refusal, empty where the document is fine.
func TestValidate(t *testing.T) {
	t.Parallel()
	code := SecretGenerator{Type: SecretInitCode, Length: 6, IncludeDigits: true}
	generator := func(edit func(*SecretGenerator)) *SecretGenerator {
		g := code
		edit(&g)
		return &g
	}
	for _, c := range []struct {
		name string
		doc  interface{ validate() error }
		id   string
	}{
		{"complexity 0", &PasswordComplexityPolicy{MinLength: 0}, "PASSWORD-length"},
		{"complexity 1", &PasswordComplexityPolicy{MinLength: 1}, ""},
		{"complexity 72", &PasswordComplexityPolicy{MinLength: 72}, ""},
		{"complexity 73", &PasswordComplexityPolicy{MinLength: 73}, "PASSWORD-length"},
		{"age a century", &PasswordAgePolicy{MaxAgeDays: 36500, ExpireWarnDays: 10}, ""},
		{"age longer", &PasswordAgePolicy{MaxAgeDays: 36501}, "PASSWORD-age"},
		{"warning longer", &PasswordAgePolicy{ExpireWarnDays: 1 << 63}, "PASSWORD-age"},
		{"color short", &LabelPolicy{PrimaryColor: "#AbC"}, ""},
		{"color with alpha", &LabelPolicy{FontColorDark: "#01234567"}, ""},
		{"color of four digits", &LabelPolicy{WarnColor: "#1234"}, "LABEL-color"},
		{"color by name", &LabelPolicy{WarnColorDark: "red"}, "LABEL-color"},
		{"color with more", &LabelPolicy{BackgroundColor: "#fff;x"}, "LABEL-color"},
		{"color with a newline", &LabelPolicy{BackgroundColor: "#fff\n"}, "LABEL-color"},
		{"theme 4", &LabelPolicy{ThemeMode: 4}, "LABEL-theme"},
		{"theme negative", &LabelPolicy{ThemeMode: -1}, "LABEL-theme"},
		{"link", &PrivacyPolicy{TOSLink: "https://example.com/tos?a=b", HelpLink: "http://localhost:1/"}, ""},
		{"link with language", &PrivacyPolicy{PrivacyLink: "https://example.com/{{.Lang}}/p"}, ""},
		{"link script", &PrivacyPolicy{CustomLink: "javascript:alert(1)"}, "PRIVACY-link"},
		{"link without host", &PrivacyPolicy{DocsLink: "https:///x"}, "PRIVACY-link"},
		{"link relative", &PrivacyPolicy{TOSLink: "/tos"}, "PRIVACY-link"},
		{"email", &PrivacyPolicy{SupportEmail: " help@example.com "}, ""},
		{"email with name", &PrivacyPolicy{SupportEmail: "Help <help@example.com>"}, "PRIVACY-email"},
		{"email without at", &PrivacyPolicy{SupportEmail: "help"}, "PRIVACY-email"},
		{"origins", &SecurityPolicy{AllowedOrigins: list{"https://a.example", "https://*.b.example"}}, ""},
		{"origin empty", &SecurityPolicy{AllowedOrigins: list{""}}, "SECURITY-origin"},
		{"origin that ends the directive", &SecurityPolicy{AllowedOrigins: list{"https://a.example; script-src"}}, "SECURITY-origin"},
		{"origin with a newline", &SecurityPolicy{AllowedOrigins: list{"https://a.example\r\nX: y"}}, "SECURITY-origin"},
		{"languages", &RestrictionsDoc{AllowedLanguages: list{"en", "de-CH", "zh-Hant"}}, ""},
		{"language unknown", &RestrictionsDoc{AllowedLanguages: list{"english please"}}, "RESTRICTIONS-language"},
		{"language undetermined", &RestrictionsDoc{AllowedLanguages: list{"und"}}, "RESTRICTIONS-language"},
		{"language empty", &RestrictionsDoc{AllowedLanguages: list{""}}, "RESTRICTIONS-language"},
		{"language twice", &RestrictionsDoc{AllowedLanguages: list{"de-CH", "de-ch"}}, "RESTRICTIONS-twice"},
		{"lifetime zero", &OIDCSettings{time.Hour, time.Hour, time.Hour, 0}, "OIDC-lifetime"},
		{"lifetime negative", &OIDCSettings{-1, time.Hour, time.Hour, time.Hour}, "OIDC-lifetime"},
		{"long link", &PrivacyPolicy{DocsLink: "https://a.example/" + strings.Repeat("a", 2000)}, "PRIVACY-link"},
		{"long text", &PrivacyPolicy{CustomLinkText: strings.Repeat("a", 501)}, "PRIVACY-text"},
		{"long redirect", &LoginPolicy{DefaultRedirectURI: "app:" + strings.Repeat("a", 2000)}, "LOGIN-redirect"},
		{"redirect script", &LoginPolicy{DefaultRedirectURI: "JavaScript:alert(1)"}, "LOGIN-redirect"},
		{"redirect relative", &LoginPolicy{DefaultRedirectURI: "//evil.example"}, "LOGIN-redirect"},
		{"many origins", &SecurityPolicy{AllowedOrigins: slices.Repeat(list{"https://a.example"}, 101)}, "SECURITY-origins"},
		{"long origin", &SecurityPolicy{AllowedOrigins: list{"https://" + strings.Repeat("a", 500)}}, "SECURITY-origin"},
		{"many languages", &RestrictionsDoc{AllowedLanguages: slices.Repeat(list{"en"}, 101)}, "RESTRICTIONS-many"},
		{"long language", &RestrictionsDoc{AllowedLanguages: list{"en-x-" + strings.Repeat("abcdefg-", 4) + "a"}}, "RESTRICTIONS-language"},
		{"login far away", LoginV2{BaseURI: "https://a.example/" + strings.Repeat("a", 2000)}, "FEATURE-uri"},
		{"lifetime of a century", &LoginPolicy{PasswordCheckLifetime: maxLifetime}, ""},
		{"lifetime longer", &LoginPolicy{MultiFactorCheckLifetime: maxLifetime + 1}, "LOGIN-lifetime"},
		{"token longer", &OIDCSettings{time.Hour, time.Hour, time.Hour, maxLifetime + 1}, "OIDC-lifetime"},
		{"generator of a far future", generator(func(g *SecretGenerator) { g.Expiry = maxLifetime + 1 }), "SECRETGEN-expiry"},
		{"generator", &code, ""},
		{"generator without length", generator(func(g *SecretGenerator) { g.Length = 0 }), "SECRETGEN-length"},
		{"generator too long", generator(func(g *SecretGenerator) { g.Length = 257 }), "SECRETGEN-length"},
		{"generator of nothing", generator(func(g *SecretGenerator) { g.IncludeDigits = false }), "SECRETGEN-characters"},
		{"generator of the past", generator(func(g *SecretGenerator) { g.Expiry = -1 }), "SECRETGEN-expiry"},
		{"login elsewhere", LoginV2{Required: true, BaseURI: "https://login.example.com/x"}, ""},
		{"login nowhere", LoginV2{BaseURI: "login"}, "FEATURE-uri"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			refused(t, c.doc.validate(), c.id)
		})
	}
	refused(t, checkPaths([]int32{2, 5}), "")
	refused(t, checkPaths([]int32{1}), "FEATURE-path")
	refused(t, checkPaths([]int32{3, 3}), "FEATURE-path")
}

func refused(t *testing.T, err error, id string) {
	t.Helper()
	switch f := fault.Of(err); {
	case id == "" && err != nil:
		t.Errorf("is refused: %v", err)
	case id != "" && (err == nil || f.Kind != fault.KindInvalid || f.ID != id):
		t.Errorf("got %v, want a refusal with %s", err, id)
	}
}

func TestValidateNormalizes(t *testing.T) {
	t.Parallel()
	label, privacy := LabelPolicy{}, PrivacyPolicy{SupportEmail: " a@b.example\n"}
	request := []string{"de-ch"}
	restrictions := RestrictionsDoc{AllowedLanguages: request}
	for _, err := range []error{label.validate(), privacy.validate(), restrictions.validate()} {
		refused(t, err, "")
	}
	if label.ThemeMode != ThemeAuto || privacy.SupportEmail != "a@b.example" || restrictions.AllowedLanguages[0] != "de-CH" {
		t.Errorf("got %v, %q, %v", label.ThemeMode, privacy.SupportEmail, restrictions.AllowedLanguages)
	}
	if request[0] != "de-ch" {
		t.Error("the request's list changed")
	}
}

// TestEdited: a changed event holds the keys that are new, and no others.
func TestEdited(t *testing.T) {
	t.Parallel()
	security := Security.kind
	generator := secretGenerator(SecretInitCode)
	on := SecurityPolicy{EnableImpersonation: true, AllowedOrigins: list{"https://a.example"}}
	for name, c := range map[string]struct {
		run  func() (changes, error)
		want string // keys and values, in the order of the keys
	}{
		"nothing": {func() (changes, error) { return security.edited(on, func(*SecurityPolicy) {}) }, ""},
		"none to empty": {func() (changes, error) {
			return security.edited(SecurityPolicy{}, func(p *SecurityPolicy) { p.AllowedOrigins = list{} })
		}, ""},
		"empty to none": {func() (changes, error) {
			return security.edited(SecurityPolicy{AllowedOrigins: list{}}, func(p *SecurityPolicy) { p.AllowedOrigins = nil })
		}, ""},
		"to zero": {func() (changes, error) {
			return security.edited(on, func(p *SecurityPolicy) { *p = SecurityPolicy{} })
		}, "allowedOrigins=[] enable_impersonation=false"},
		"one of two": {func() (changes, error) {
			return security.edited(on, func(p *SecurityPolicy) { p.EnableIframeEmbedding = true })
		}, "enable_iframe_embedding=true"},
		"a kept key comes along": {func() (changes, error) {
			return generator.edited(DefaultSecretGenerators()[0], func(g *SecretGenerator) { g.Length = 9 })
		}, "generatorType=1 length=9"},
		"a kept key alone is nothing": {func() (changes, error) {
			return generator.edited(DefaultSecretGenerators()[0], func(*SecretGenerator) {})
		}, ""},
	} {
		got, err := c.run()
		refused(t, err, "")
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(got)) {
			parts = append(parts, key+"="+string(got[key]))
		}
		if s := strings.Join(parts, " "); s != c.want {
			t.Errorf("%s: got %q, want %q", name, s, c.want)
		}
	}
}

// TestFeatureIn: the instance stands before the system, and the system before
// what is built in.
func TestFeatureIn(t *testing.T) {
	t.Parallel()
	system := featureValues{"login_v2": []byte(`{"required":true,"baseURI":"https://s.example"}`), "user_schema": []byte("true")}
	fs := Features{system: system, instance: featureValues{"user_schema": []byte("false")}}
	if v, source, _ := FeatureUserSchema.In(fs); v || source != FeatureFromInstance {
		t.Errorf("user_schema: %v from %d", v, source)
	}
	if v, source, _ := FeatureLoginV2.In(fs); v != (LoginV2{true, "https://s.example"}) || source != FeatureFromSystem {
		t.Errorf("login_v2: %v from %d", v, source)
	}
	if v, source, _ := FeaturePermissionCheckV2.In(fs); v || source != FeatureBuiltIn {
		t.Errorf("permission_check_v2: %v from %d", v, source)
	}
}

func TestPasswordComplexityCheck(t *testing.T) {
	t.Parallel()
	strict, lax := DefaultPasswordComplexity(), PasswordComplexityPolicy{MinLength: 3}
	for password, want := range map[string][2]bool{ // good enough for the strict and for the lax one
		"Correct-Horse-1": {true, true}, "Äbcdefg1!": {true, true}, "Abcde 1f": {true, true}, "Abcde1!": {false, true}, "correct-horse-1": {false, true},
		"CORRECT-HORSE-1": {false, true}, "Correct-Horse": {false, true}, "CorrectHorse1": {false, true}, "ab": {false, false}, "äö": {false, false}, "": {false, false},
		"PassWord2024": {false, false}, "P@ssw0rd1": {false, false},
	} {
		if got := [2]bool{strict.Check(password) == nil, lax.Check(password) == nil}; got != want {
			t.Errorf("%q: %v, want %v", password, got, want)
		}
	}
	refused(t, strict.Check("P@ssw0rd1"), "PASSWORD-common")
}
