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

var errURLHost = fault.Invalid("MESSAGE-url-host", "In the host of a URL template can stand none of %s.", strings.Join(chosen, ", "))

// chosen are the placeholders for what people choose of themselves: they may not say where
// a link leads.
var chosen = []string{"LoginName", "DisplayName", "PreferredLanguage"}

// CheckURLTemplate refuses a template that gives no link that people can follow. An
// empty one stands for our own page.
func CheckURLTemplate(template string) error {
	if template == "" {
		return nil
	}
	values := map[string]string{}
	plain, err := FillURL(template, values)
	if err != nil {
		return err
	}
	for _, name := range chosen {
		values[name] = "0" // Which can be part of a name and of a port.
	}
	filled, err := FillURL(template, values)
	if err != nil || hostOf(filled) != hostOf(plain) {
		return errURLHost.Because(err)
	}
	return nil
}

// hostOf is host and port of an address that FillURL gave.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
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
