package notify

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"maps"
	"strings"
	"time"

	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/policy"
)

// content is a message as it is read: the parts of its text with their values.
type content struct {
	Title, PreHeader, Subject, Greeting, Text, Button, Footer string
	URL                                                       string // where the button leads
	Language                                                  string
	Primary, Background, Font                                 string // colors
	values                                                    map[string]string
}

// compose makes the content of a message.
func compose(f facts, m message.Message) content {
	c := content{
		Language: f.language, Primary: f.label.PrimaryColor, Background: f.label.BackgroundColor, Font: f.label.FontColor,
		values: values(f, m), URL: link(f, m),
	}
	for key, part := range map[string]*string{
		policy.TextTitle: &c.Title, policy.TextPreHeader: &c.PreHeader, policy.TextSubject: &c.Subject, policy.TextGreeting: &c.Greeting,
		policy.TextText: &c.Text, policy.TextButton: &c.Button, policy.TextFooter: &c.Footer,
	} {
		*part = policy.Fill(f.text[key], c.values)
	}
	if m.Channel == message.SMS && c.URL != "" { // It has no button.
		c.Text += "\n" + c.URL
	}
	return c
}

// values are what placeholders stand for.
func values(f facts, m message.Message) map[string]string {
	h := f.user.Human
	out := map[string]string{
		"Code": m.Code, "OTP": m.Code, "UserName": f.user.UserName, "FirstName": h.FirstName, "LastName": h.LastName,
		"NickName": h.NickName, "DisplayName": f.user.DisplayName(), "LoginName": f.user.LoginName, "PreferredLoginName": f.user.LoginName,
		"LoginNames": strings.Join(f.user.LoginNames, ", "), "LastEmail": h.Email, "LastPhone": h.Phone,
		"CreationDate": day(f.user.Details.Created), "ChangeDate": day(f.user.Details.Changed),
		"Domain": f.origin.Hostname(), "ApplicationName": f.instance.Name, "Instance": f.instance.Name,
	}
	if h.EmailVerified {
		out["VerifiedEmail"] = h.Email
	}
	if h.PhoneVerified {
		out["VerifiedPhone"] = h.Phone
	}
	if !m.Expires.IsZero() {
		out["Expiry"] = span(m.Expires.Sub(m.Queued))
	}
	maps.Copy(out, m.Args)
	return out
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// span says in every language how long something lasts.
func span(d time.Duration) string {
	if d >= time.Hour && d%time.Hour == 0 {
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d min", max(1, d/time.Minute))
}

// link is where the button of a message leads: by the template that its event was
// given, or to our own page at the instance's primary domain. No request has a
// say in it.
func link(f facts, m message.Message) string {
	given := map[string]string{
		"UserID": m.UserID, "OrgID": m.Org, "Code": m.Code, "CodeID": m.CodeID, "SessionID": m.SessionID,
		"LoginName": f.user.LoginName, "DisplayName": f.user.DisplayName(), "PreferredLanguage": f.language,
	}
	if m.URLTemplate != "" {
		if filled, err := message.FillURL(m.URLTemplate, given); err == nil {
			return filled
		}
	}
	return m.Link(f.origin)
}

// plain is the text of a mail for programs that show no HTML.
func (c content) plain() string {
	parts := []string{c.Greeting, c.Text}
	if c.Button != "" && c.URL != "" {
		parts = append(parts, c.Button+":\n"+c.URL)
	}
	var out []string
	for _, p := range append(parts, c.Footer) {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "\n\n") + "\n"
}

//go:embed mail.html
var mailHTML string

var mailTemplate = template.Must(template.New("mail").Parse(mailHTML))

// html is the text of a mail in HTML. Every value is escaped where it stands.
func (c content) html() (string, error) {
	var out bytes.Buffer
	err := mailTemplate.Execute(&out, c)
	return out.String(), err
}
