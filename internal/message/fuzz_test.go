package message

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzURLTemplate: what people choose of themselves does not change where a link leads, only
// what it says there.
func FuzzURLTemplate(f *testing.F) {
	f.Add("https://app.example/verify?code={{.Code}}&user={{.UserID}}&n={{.LoginName}}", "a&b=c")
	f.Add("https://{{.OrgID}}.example/{{.DisplayName}}#{{.PreferredLanguage}}", "../x?y#z")
	f.Add("https://app.example{{.LoginName}}/", ".evil.example/")
	f.Add("http://[::1]:80{{.LoginName}}", "0")
	f.Fuzz(func(t *testing.T, template, chosen string) {
		if CheckURLTemplate(template) != nil || template == "" {
			return
		}
		ours := map[string]string{"Code": "123", "UserID": "1", "OrgID": "2", "CodeID": "3", "SessionID": "4"}
		plain, err := FillURL(template, ours)
		if err != nil {
			return // An id in the place of the port.
		}
		want, err := url.Parse(plain)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"LoginName", "DisplayName", "PreferredLanguage"} {
			ours[name] = chosen
		}
		filled, err := FillURL(template, ours)
		if err != nil {
			t.Fatalf("%q takes no %q: %v", template, chosen, err)
		}
		u, err := url.Parse(filled)
		if err != nil || u.Host != want.Host || u.Scheme != want.Scheme || u.User != nil {
			t.Errorf("%q with %q leads to %q (%v)", template, chosen, filled, err)
		}
		if strings.ContainsAny(filled, "\r\n<>\"{} ") {
			t.Errorf("%q with %q is %q", template, chosen, filled)
		}
	})
}
