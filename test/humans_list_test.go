package test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// TestHumanList looks for people by what only they have.
func TestHumanList(t *testing.T) {
	t.Parallel()
	s := startPeople(t)
	add := func(id, first, last, nick, email, phone string) testkit.Call {
		return testkit.Call{
			Name: "add " + id, As: "clerk", Do: "POST /v2/users/human", Events: []string{"user.human.added", "user.human.email.verified", "user.human.phone.verified"},
			Body: fmt.Sprintf(`{"userId":%q,"username":%q,"profile":{"givenName":%q,"familyName":%q,"nickName":%q},"email":{"email":%q,"isVerified":true},"phone":{"phone":%q,"isVerified":true}}`,
				id, id, first, last, nick, email, phone),
		}
	}
	s.Run(t,
		add("ada", "Ada", "Lovelace", "Zoe", "Ada@example.com", "+41446681800"),
		add("bob", "Björn", "Ångström", "Yves", "bob@example.org", "+41446681801"),
		add("carl", "Ada", "Carlsson", "Xaver", "carl@example.com", "+4930901820"),
		testkit.Call{Name: "metadata", As: "clerk", Do: "POST /v2/users/bob/metadata", Body: `{"metadata":[{"key":"Team","value":"eA=="}]}`, Events: []string{"user.metadata.set"}},
		testkit.Call{Name: "more", As: "clerk", Do: "POST /v2/users/carl/metadata", Body: `{"metadata":[{"key":"team","value":"eQ=="}]}`, Events: []string{"user.metadata.set"}},
	)
	list := func(name, path, field, body string, want ...string) {
		t.Helper()
		result := "null"
		if len(want) > 0 {
			result = `[{"` + field + `":"` + strings.Join(want, `"},{"`+field+`":"`) + `"}]`
		}
		s.Run(t, testkit.Call{Name: name, As: "clerk", Do: "POST " + path, Body: `{"query":{"asc":true},` + body + `}`, Want: `{"result":` + result + `}`})
	}
	v2 := func(name, q string, want ...string) {
		t.Helper()
		list(name, "/v2/users", "userId", `"queries":[`+q+`]`, want...)
	}
	both := func(name, q string, want ...string) {
		t.Helper()
		v2(name, q, want...)
		list(name+" over v1", "/management/v1/users/_search", "id", `"queries":[`+q+`]`, want...)
	}
	boss, clerk := s.Var("boss"), s.Var("clerk")
	both("given name", `{"firstNameQuery":{"firstName":"Ada"}}`, "ada", "carl")
	both("in its case", `{"firstNameQuery":{"firstName":"ADA"}}`)
	both("in any case", `{"firstNameQuery":{"firstName":"BJÖRN","method":1}}`, "bob")
	both("family name", `{"lastNameQuery":{"lastName":"ång","method":3}}`, "bob")
	both("nickname", `{"nickNameQuery":{"nickName":"ave","method":4}}`, "carl")
	both("address", `{"emailQuery":{"emailAddress":"ada@EXAMPLE.com","method":1}}`, "ada")
	both("end of an address", `{"emailQuery":{"emailAddress":"example.com","method":6}}`, "ada", "carl")
	both("addresses", `{"inUserEmailsQuery":{"userEmails":["ADA@example.com","bob@example.org","x@example.com"]}}`, "ada", "bob")
	both("everybody else", `{"notQuery":{"query":{"firstNameQuery":{"firstName":"Ada"}}}}`, boss, clerk, "bob")
	both("title", `{"displayNameQuery":{"displayName":"Ada Lovelace"}}`, "ada")
	both("people", `{"typeQuery":{"type":"TYPE_HUMAN"}}`, "ada", "bob", "carl")
	v2("number", `{"phoneQuery":{"number":"+41446681801"}}`, "bob")
	v2("start of a number", `{"phoneQuery":{"number":"+41","method":2}}`, "ada", "bob")
	v2("key", `{"metadataKeyFilter":{"key":"team"}}`, "carl")
	v2("key in any case", `{"metadataKeyFilter":{"key":"TEAM","method":1}}`, "bob", "carl")
	v2("value", `{"metadataValueFilter":{"value":"eA=="}}`, "bob")
	v2("another value", `{"metadataValueFilter":{"value":"eA==","method":1}}`, "carl")
	v2("without the key", `{"andQuery":{"queries":[{"typeQuery":{"type":1}},{"notQuery":{"query":{"metadataKeyFilter":{"key":"team","method":1}}}}]}}`, "ada")
	const people = `"queries":[{"typeQuery":{"type":1}}]`
	for column, want := range map[string][]string{
		"FIRST_NAME": {"ada", "carl", "bob"}, "LAST_NAME": {"carl", "ada", "bob"}, "NICK_NAME": {"carl", "bob", "ada"}, "EMAIL": {"ada", "bob", "carl"},
	} {
		list("by "+column, "/v2/users", "userId", `"sortingColumn":"USER_FIELD_NAME_`+column+`",`+people, want...)
		list("by "+column+" over v1", "/management/v1/users/_search", "id", `"sortingColumn":"USER_FIELD_NAME_`+column+`",`+people, want...)
	}
}
