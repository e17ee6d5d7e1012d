package policy

import (
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// MessagePlaceholders are the values that a text can name as {{.Name}}.
var MessagePlaceholders = []string{
	"Code", "OTP", "Expiry", "UserName", "FirstName", "LastName", "NickName", "DisplayName", "LoginName", "PreferredLoginName",
	"LoginNames", "LastEmail", "VerifiedEmail", "LastPhone", "VerifiedPhone", "CreationDate", "ChangeDate",
	"Domain", "TempUsername", "ApplicationName", "Organization", "Instance",
}

var placeholder = regexp.MustCompile(`\{\{\s*\.([A-Za-z]+)\s*\}\}`)

// checkPlaceholders refuses a text that names a value which no message has, or
// that means to do more than to name values.
func checkPlaceholders(text string) error {
	rest := placeholder.ReplaceAllStringFunc(text, func(found string) string {
		if slices.Contains(MessagePlaceholders, placeholder.FindStringSubmatch(found)[1]) {
			return ""
		}
		return found
	})
	if strings.Contains(rest, "{{") || strings.Contains(rest, "}}") {
		return fault.Invalid("TEXTS-placeholder", "A text can hold these placeholders only: {{.%s}}.", strings.Join(MessagePlaceholders, "}}, {{."))
	}
	return nil
}

// Fill puts values in the place of their placeholders. One without a value is
// left out.
func Fill(text string, values map[string]string) string {
	return placeholder.ReplaceAllStringFunc(text, func(found string) string {
		return values[placeholder.FindStringSubmatch(found)[1]]
	})
}
