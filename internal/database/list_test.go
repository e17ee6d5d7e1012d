package database

import (
	"strings"
	"testing"
)

func TestSuccessor(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{
		"": "", "a": "b", "az": "a{", "é": "ê", "a\uD7FF": "a\uE000", "a\U0010FFFF": "b", "\U0010FFFF": "", "\u007F": "\u0080",
	} {
		if got := successor(prefix); got != want {
			t.Errorf("%q: %q, want %q", prefix, got, want)
		}
	}
}

// TestCounted: only conditions about the counted columns alone are met by the counts.
func TestCounted(t *testing.T) {
	t.Parallel()
	for condition, counted := range map[string]bool{
		"u.org_id = ?": true,
		"(u.org_id = ? OR 1 = 0 OR u.org_id IN (?))": true,
		"u.kind = 'human'":                           false,
		"u.user_id = ?":                              false,
		"NOT COALESCE((u.org_id = ?), FALSE)":        false,
		"EXISTS (SELECT 1 FROM o)":                   false,
		"u.org_id_lower = ?":                         false,
	} {
		q := From("u.user_id", "users u").Counted("user_counts", "u.instance_id", "u.org_id").
			Where("u.instance_id = ?", "1").Where(condition).Count(new(uint64))
		if got := strings.Contains(q.SQL, "FROM user_counts u WHERE"); got != counted {
			t.Errorf("%s: %s", condition, q.SQL)
		}
	}
	if q := From("u.user_id", "users u").Count(new(uint64)); q.SQL != "SELECT count(*) FROM users u" {
		t.Error(q.SQL)
	}
}
