package message

import (
	"testing"

	"github.com/gatehouse/gatehouse/internal/fault"
)

func TestURLTemplates(t *testing.T) {
	t.Parallel()
	values := map[string]string{"UserID": "1", "Code": "A&B", "OrgID": "2"}
	for template, want := range map[string]string{
		"https://app.example/reset?u={{.UserID}}&o={{.OrgID}}&c={{.Code}}": "https://app.example/reset?u=1&o=2&c=A%26B",
		"http://localhost:3000/{{.UserID}}/{{.Code}}#x":                    "http://localhost:3000/1/A%26B#x",
		"https://app.example": "https://app.example",
	} {
		if got, err := FillURL(template, values); err != nil || got != want || CheckURLTemplate(template) != nil {
			t.Errorf("%s gives %q, want %q (%v)", template, got, want, err)
		}
	}
	for _, template := range []string{
		"javascript:alert({{.Code}})", "data:text/html,{{.Code}}", "//app.example/{{.Code}}", "/reset", "https:///x", "https://a@b.example/{{.Code}}",
		"https://app.example/{{.Password}}", "https://app.example/{{ .Code }}", "https://app.example/{{if}}", "https://app.example/\"><b>", "https://{{.Code}}/",
		"ftp://app.example", "https://app.example/ x", "https://app.example/\n", "https:\\\\app.example",
		"https://app.example{{.LoginName}}/", "https://app.example:80{{.DisplayName}}/", "https://{{.PreferredLanguage}}.app.example/",
	} {
		if err := CheckURLTemplate(template); fault.KindOf(err) != fault.KindInvalid {
			t.Errorf("%q: %v", template, err)
		}
	}
	if err := CheckURLTemplate(""); err != nil {
		t.Error(err)
	}
}
