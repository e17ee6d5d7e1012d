package policy

import (
	"slices"

	"github.com/gatehouse/gatehouse/internal/fault"
)

// The features. What is built in is what an instance has that sets nothing.
var (
	// FeatureLoginDefaultOrg logs in with the settings of the instance's default
	// organization where a client names none.
	FeatureLoginDefaultOrg = feature("login_default_org", false, nil)
	FeatureUserSchema      = feature("user_schema", false, nil)
	// FeatureImprovedPerformance is kept for clients; every path is fast already.
	FeatureImprovedPerformance = feature("improved_performance", []int32(nil), checkPaths)
	// FeatureOIDCSingleV1SessionTermination ends one session, and not all of the
	// browser's, where a client of the old login logs out with an ID token.
	FeatureOIDCSingleV1SessionTermination = feature("oidc_single_v1_session_termination", false, nil)
	// FeatureLoginV2 sends users to a login application of one's own.
	FeatureLoginV2                = feature("login_v2", LoginV2{}, LoginV2.validate)
	FeaturePermissionCheckV2      = feature("permission_check_v2", false, nil)
	FeatureEnableRelationalTables = feature("enable_relational_tables", false, nil)
	// FeatureDebugOIDCParentError tells clients of OIDC the cause of an error.
	FeatureDebugOIDCParentError = instanceFeature("debug_oidc_parent_error", false, nil)
	// FeatureConsoleUseV2UserAPI is read by web consoles that are served elsewhere.
	FeatureConsoleUseV2UserAPI = instanceFeature("console_use_v2_user_api", false, nil)
)

// LoginV2 says whether logins go to another application, and where it is.
type LoginV2 struct {
	Required bool   `json:"required"`
	BaseURI  string `json:"baseURI,omitempty"`
}

func (l LoginV2) validate() error {
	if l.BaseURI != "" && (len(l.BaseURI) > maxAddress || !isWebAddress(l.BaseURI)) {
		return fault.Invalid("FEATURE-uri", "The base URI must be an http or https address of %d bytes at most, such as https://login.example.com/.", maxAddress)
	}
	return nil
}

// checkPaths holds execution paths against those of the wire, 2 to 5.
func checkPaths(paths []int32) error {
	for i, p := range paths {
		if p < 2 || p > 5 || slices.Contains(paths[:i], p) {
			return fault.Invalid("FEATURE-path", "Each execution path must exist and be named once.")
		}
	}
	return nil
}
