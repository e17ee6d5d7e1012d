package console

import (
	"google.golang.org/protobuf/proto"

	userv2 "github.com/gatehouse/gatehouse/gen/zitadel/user/v2"
)

// picker is a page on which somebody is looked for and chosen, for the page that goes on
// with them. It is a list whose rows lead there, so it needs no script.
type picker struct {
	path, permission string
	title, help      string // keys
	// then is the address that goes on with a user of an organization; nil: path with the
	// id of the user after it.
	then   func(v *visit, org, id string) string
	crumbs func(v *visit) []crumb
	// anywhere looks in all organizations that the visitor may see users of.
	anywhere bool
	// bulk takes several at once, in the place of then.
	bulk []bulk
	// blind is the page for who may not look for users; empty: there is none.
	blind string
}

func (p picker) pages() []page {
	pages := list[*userv2.ListUsersResponse]{
		path: p.path, permission: p.permission, title: p.title, help: p.help, empty: "users-empty", find: "users-find", columns: []string{"name", "login-name", "kind", "state"},
		ask: func(v *visit, find string) proto.Message {
			if p.anywhere {
				return listUsers("", find, "", pageSize)
			}
			return listUsers(v.org, find, "", pageSize)
		},
		rows: p.rows, crumbs: p.crumbs, bulk: p.bulk,
	}.pages()
	return blindly(pages, userRead, p.blind)
}

// blindly leads who lacks the permission to look for something to the page that asks for
// its id.
func blindly(pages []page, permission, to string) []page {
	for i, look := range pages {
		pages[i].get = func(v *visit) error {
			if to != "" && !v.can[permission] {
				return v.Redirect(v.at(to))
			}
			return look.get(v)
		}
	}
	return pages
}

func (p picker) rows(v *visit, res *userv2.ListUsersResponse) (out []row, total uint64) {
	rows, total := userRows(v, res)
	for i, r := range rows {
		switch {
		case len(p.bulk) > 0:
			r.Link = ""
		case p.then != nil:
			r.Link = p.then(v, res.GetResult()[i].GetDetails().GetResourceOwner(), r.ID)
		default:
			r.Link = v.at(p.path) + "/" + r.ID
		}
		r.Cells = r.Cells[:4]
		out = append(out, r)
	}
	return out, total
}

// person names the user of the page, wherever they are.
func (v *visit) person() []crumb {
	res, err := call[*userv2.GetUserByIDResponse](v, &userv2.GetUserByIDRequest{UserId: v.userID()})
	if err != nil { // The page itself says what is wrong.
		return nil
	}
	u := res.GetUser()
	if !v.can[userRead] {
		return []crumb{{Text: nameOf(u)}}
	}
	return []crumb{{URL: prefix + "orgs/" + u.GetDetails().GetResourceOwner() + "/users/" + u.GetUserId(), Text: nameOf(u)}}
}
