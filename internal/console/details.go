package console

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	eventpb "github.com/gatehouse/gatehouse/gen/zitadel/event/v1"
	policypb "github.com/gatehouse/gatehouse/gen/zitadel/policy/v1"
)

// detail is a value of events that tells a reader something: its key in their payloads,
// and that of what it is called.
type detail struct{ key, text string }

// details are those that a timeline shows, the most telling first. What is not among them
// is in the payload only. Of secrets no reader of the log gets any: see Event.Visible.
var details = []detail{
	{"name", "name"}, {"key", "key"}, {"displayName", "f-display_name"}, {"userName", "user-name"}, {"firstName", "f-given_name"}, {"lastName", "f-family_name"}, {"nickName", "f-nick_name"},
	{"email", "email"}, {"phone", "phone"}, {"preferredLanguage", "f-preferred_language"}, {"language", "language"}, {"domain", "domain"}, {"description", "description"},
	{"roles", "roles"}, {"roleKeys", "roles"}, {"group", "f-group"}, {"reason", "d-reason"},
	{"mfaType", "d-mfaType"}, {"secondFactor", "d-mfaType"}, {"multiFactor", "d-mfaType"},
	{"senderName", "f-sender_name"}, {"senderAddress", "f-sender_address"}, {"senderNumber", "f-sender_number"}, {"host", "f-host"}, {"endpoint", "f-endpoint"},
	{"redirectUris", "f-redirect_uris"}, {"postLogoutRedirectUris", "f-post_logout_redirect_uris"},
	{"projectRoleAssertion", "f-project_role_assertion"}, {"projectRoleCheck", "f-authorization_required"}, {"hasProjectCheck", "f-project_access_required"}, {"devMode", "f-development_mode"},
	{"forceMFA", "d-forceMFA"}, {"forceMFALocalOnly", "d-forceMFALocalOnly"}, {"allowUsernamePassword", "f-allow_username_password"}, {"allowRegister", "f-allow_register"},
	{"allowExternalIdp", "f-allow_external_idp"}, {"hidePasswordReset", "f-hide_password_reset"}, {"ignoreUnknownUsernames", "f-ignore_unknown_usernames"},
	{"allowDomainDiscovery", "f-allow_domain_discovery"}, {"disableLoginWithEmail", "f-disable_login_with_email"}, {"disableLoginWithPhone", "f-disable_login_with_phone"},
	{"defaultRedirectURI", "f-default_redirect_uri"},
	{"minLength", "f-min_length"}, {"hasLowercase", "f-has_lowercase"}, {"hasUppercase", "f-has_uppercase"}, {"hasNumber", "f-has_number"}, {"hasSymbol", "f-has_symbol"},
	{"maxAgeDays", "f-max_age_days"}, {"expireWarnDays", "f-expire_warn_days"}, {"maxPasswordAttempts", "f-max_password_attempts"}, {"maxOTPAttempts", "f-max_otp_attempts"},
	{"passwordChange", "f-password_change"}, {"tosLink", "f-tos_link"}, {"privacyLink", "f-privacy_link"}, {"supportEmail", "f-support_email"}, {"docsLink", "f-docs_link"},
	{"userLoginMustBeDomain", "f-user_login_must_be_domain"}, {"validateOrgDomains", "f-validate_org_domains"},
	{"smtpSenderAddressMatchesInstanceDomain", "f-smtp_sender_address_matches_instance_domain"},
	{"enable_impersonation", "f-enable_impersonation"}, {"enable_iframe_embedding", "f-enable_iframe_embedding"}, {"disallowPublicOrgRegistration", "f-disallow_public_org_registration"},
	{"primaryColor", "f-primary_color"}, {"backgroundColor", "f-background_color"}, {"fontColor", "f-font_color"}, {"warnColor", "f-warn_color"},
	{"enabled", "f-rotation-enabled"}, {"userId", "user"}, {"grantedOrgId", "org"}, {"projectId", "project"}, {"clientId", "client-id"},
}

// maxDetails is how many details of an event a timeline shows: who wants to know all of
// them, unfolds the payload.
const maxDetails = 8

// details are what an event tells a reader.
func (v *visit) details(e *eventpb.Event) (out []fact) {
	for _, d := range details {
		value, there := e.GetPayload().GetFields()[d.key]
		text := v.detail(e.GetType().GetType(), d.key, value)
		if !there || text == "" {
			continue
		}
		if len(out) == maxDetails {
			break
		}
		out = append(out, fact{Text: v.Texts.T(d.text), Value: short(text)})
	}
	return out
}

// detail is a value in words; empty: it has none.
func (v *visit) detail(event, key string, value *structpb.Value) string {
	switch x := value.GetKind().(type) {
	case *structpb.Value_StringValue:
		return x.StringValue
	case *structpb.Value_BoolValue:
		return v.Texts.T("is-" + strconv.FormatBool(x.BoolValue))
	case *structpb.Value_NumberValue:
		return v.number(event, key, x.NumberValue)
	case *structpb.Value_ListValue:
		var parts []string
		for _, one := range x.ListValue.GetValues() {
			if s := one.GetStringValue(); key == "roles" {
				parts = append(parts, v.Texts.Or("role-"+s, s))
			} else if s != "" {
				parts = append(parts, s)
			}
		}
		return strings.Join(parts, ", ")
	}
	return ""
}

// number is one in words: factors are numbers in events.
func (v *visit) number(event, key string, n float64) string {
	switch {
	case key == "multiFactor" || key == "mfaType" && strings.Contains(event, ".multifactor."):
		return v.Texts.Or(policypb.MultiFactorType(n).String(), "")
	case key == "secondFactor" || key == "mfaType":
		return v.Texts.Or(policypb.SecondFactorType(n).String(), "")
	}
	return strconv.FormatFloat(n, 'f', -1, 64)
}
