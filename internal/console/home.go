package console

import (
	"net/http"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	applicationpb "github.com/gatehouse/gatehouse/gen/zitadel/application/v2"
	grouppb "github.com/gatehouse/gatehouse/gen/zitadel/group/v2"
	orgpb "github.com/gatehouse/gatehouse/gen/zitadel/org/v2"
	projectpb "github.com/gatehouse/gatehouse/gen/zitadel/project/v2"
	userpb "github.com/gatehouse/gatehouse/gen/zitadel/user/v1"
	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
)

// homePages are where everybody begins, and what leads everywhere.
func homePages() []page {
	return []page{
		{path: "", get: showHome},
		{path: "search", get: showSearch},
	}
}

// showHome leads to what the visitor administers: who has one organization only, right to
// it.
func showHome(v *visit) error {
	res, err := call[*orgpb.ListOrganizationsResponse](v, listOrgs("", 2))
	if err != nil {
		return err
	}
	if found := res.GetResult(); len(found) == 1 && !v.can["iam.read"] {
		return v.Redirect(prefix + "orgs/" + found[0].GetId())
	}
	if len(res.GetResult()) > 0 {
		return v.Redirect(prefix + "orgs")
	}
	if v.inside {
		return v.Redirect(prefix + atMine)
	}
	v.show(http.StatusOK, "home", frame{Title: v.Texts.T("home")})
	return nil
}

// found is a group of what a search found.
type found struct {
	Text string
	Rows []row
}

// searchSize is how many of each kind a search shows.
const searchSize = 10

// showSearch looks for something in all that the visitor may see.
func showSearch(v *visit) error {
	find := v.R.URL.Query().Get("q")
	f := frame{Title: v.Texts.T("search"), Find: find}
	if find != "" {
		var groups []found
		for _, s := range searches {
			rows, err := s.look(v, find)
			if err != nil {
				return err
			}
			if len(rows) > 0 {
				groups = append(groups, found{v.Texts.T(s.text), rows})
			}
		}
		f.More = groups
	}
	v.show(http.StatusOK, "search", f)
	return nil
}

// searches are what the search looks through.
var searches = []struct {
	text string
	look func(v *visit, find string) ([]row, error)
}{
	{"orgs", func(v *visit, find string) ([]row, error) {
		return searched(v, listOrgs(find, searchSize), func(res *orgpb.ListOrganizationsResponse) ([]row, uint64) { return orgRows(v, res) })
	}},
	{"users", func(v *visit, find string) ([]row, error) {
		return searched(v, listUsers("", find, "", searchSize), func(res *userv2.ListUsersResponse) ([]row, uint64) { return userRows(v, res) })
	}},
	{"groups", func(v *visit, find string) ([]row, error) {
		return searched(v, listGroups("", find, searchSize), func(res *grouppb.ListGroupsResponse) ([]row, uint64) { return groupRows(v, res) })
	}},
	{"projects", func(v *visit, find string) ([]row, error) {
		return searched(v, listProjects("", find, searchSize), func(res *projectpb.ListProjectsResponse) ([]row, uint64) { return projectRows(v, res) })
	}},
	{"apps", func(v *visit, find string) ([]row, error) {
		return searched(v, listApps("", find, searchSize), func(res *applicationpb.ListApplicationsResponse) ([]row, uint64) {
			return appRows(v, prefix+"apps", res)
		})
	}},
}

// searched gives the rows of one kind. What the visitor may not list, holds none.
func searched[S proto.Message](v *visit, req proto.Message, rows func(S) ([]row, uint64)) ([]row, error) {
	res, err := call[S](v, req)
	if err != nil {
		if isTheirs(err) {
			return nil, nil
		}
		return nil, err
	}
	out, _ := rows(res)
	return out, nil
}

// displayName is how a user is called.
func displayName(u *userpb.User) string {
	if name := u.GetHuman().GetProfile().GetDisplayName(); name != "" {
		return name
	}
	if name := u.GetMachine().GetName(); name != "" {
		return name
	}
	return u.GetUserName()
}

// when writes a time for people: to the minute, in UTC.
func when(t *timestamppb.Timestamp) string {
	if !t.IsValid() || t.AsTime().Unix() == 0 {
		return ""
	}
	return t.AsTime().UTC().Format(time.DateOnly + " 15:04")
}
