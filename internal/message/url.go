package message

import (
	"net/url"
	"strings"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// placeholders are what a URL template can leave open.
var placeholders = []string{"UserID", "OrgID", "Code", "CodeID", "SessionID", "LoginName", "DisplayName", "PreferredLanguage"}

var errURL = fault.Invalid("MESSAGE-url",
	"The URL template must make an http or https address; between {{. and }} can stand %s.", strings.Join(placeholders, ", "))

// CheckURLTemplate refuses a template that gives no link that people can follow. An
// empty one stands for our own page.
func CheckURLTemplate(template string) error {
	if template == "" {
		return nil
	}
	_, err := FillURL(template, nil)
	return err
}

// FillURL puts values into the places that a URL template leaves open.
func FillURL(template string, values map[string]string) (string, error) {
	var pairs []string
	for _, name := range placeholders {
		pairs = append(pairs, "{{."+name+"}}", url.QueryEscape(values[name]))
	}
	filled := strings.NewReplacer(pairs...).Replace(template)
	u, err := url.Parse(filled)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(filled, "{}<>\"\\ ") {
		return "", errURL
	}
	return filled, nil
}
