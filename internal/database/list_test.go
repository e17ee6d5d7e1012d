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

// TestUneven: how many rows begin with a text depends on the text, wherever in the conditions it is.
func TestUneven(t *testing.T) {
	t.Parallel()
	name := Text{Exact: "u.name", Lower: "u.name_lower"}
	users := func() *Select { return From("u.user_id", "users u") }
	begins, is := name.Match(StartsWith, "a"), name.Match(EqualsFold, "a")
	for want, all := range map[bool][]*Select{
		true: {
			users().Filter(begins), users().Filter(AnyOf(is, begins)), users().Filter(Not(begins)), users().Filter(AllOf(begins, is)),
			users().InSelect("u.user_id", users().Filter(begins)), users().OrFirst("u.user_id", 1, users().Filter(begins)),
		},
		false: {users(), users().Filter(is), users().Filter(AnyOf(is), Not(is))},
	} {
		for _, s := range all {
			if q := s.Rows(nil); q.Uneven != want || s.Count(nil).Uneven != want || s.Tally([]string{"u.kind"}, nil, nil).Uneven != want {
				t.Errorf("%s is uneven: %v", q.SQL, q.Uneven)
			}
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
