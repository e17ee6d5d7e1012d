package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// router finds the method for a REST path. Paths are trees of segments, in which
// a literal wins over a variable, and a variable for one segment over one for all
// that follow, with a step back where it leads nowhere.
type router struct {
	literal  map[string]*router
	variable *router
	rest     *router // of a variable for one or more segments, which ends a path
	name     string  // of the variable that led here
	ends     map[string]*endpoint
}

// endpoint is what a path ends at for one HTTP method.
type endpoint struct {
	method *Method
	route  Route
}

type pathValue struct{ name, value string }

func newRouter() *router { return &router{literal: map[string]*router{}} }

// manySegments ends a variable that stands for the rest of a path.
const manySegments = "=**}"

// add enters a route. Two routes of one shape may differ in the names of their
// variables, but not in the method they lead to.
func (r *router) add(m *Method, route Route) error {
	n := r
	for _, seg := range segments(route.Path) {
		if strings.HasSuffix(seg, manySegments) {
			if n.rest == nil {
				n.rest = newRouter()
			}
			n = n.rest
			continue
		}
		if name, ok := strings.CutPrefix(seg, "{"); ok {
			if n.variable == nil {
				n.variable = newRouter()
			}
			n = n.variable
			n.name = strings.TrimSuffix(name, "}")
			continue
		}
		next := n.literal[seg]
		if next == nil {
			next = newRouter()
			n.literal[seg] = next
		}
		n = next
	}
	if n.ends == nil {
		n.ends = map[string]*endpoint{}
	}
	if other := n.ends[route.Verb]; other != nil {
		return fmt.Errorf("%s %s belongs to both %s and %s", route.Verb, route.Path, other.method.Procedure, m.Procedure)
	}
	n.ends[route.Verb] = &endpoint{method: m, route: route}
	return nil
}

// find gives the endpoint of a decoded path. ok is false where no method has the
// path; a nil endpoint with ok means that only another HTTP method has it.
func (r *router) find(verb, path string) (e *endpoint, values []pathValue, ok bool) {
	segs := segments(path)
	n, vals := r.walk(segs, verb, nil)
	if n == nil {
		if n, _ = r.walk(segs, "", nil); n == nil {
			return nil, nil, false
		}
		return nil, nil, true
	}
	e = n.ends[verb]
	for i, name := range variables(e.route.Path) {
		values = append(values, pathValue{name, vals[i]})
	}
	return e, values, true
}

// walk finds the node at the end of segs that has verb, or has any where verb is
// empty. It collects what variables stand for.
func (r *router) walk(segs []string, verb string, vals []string) (*router, []string) {
	if len(segs) == 0 {
		if len(r.ends) > 0 && (verb == "" || r.ends[verb] != nil) {
			return r, vals
		}
		return nil, nil
	}
	if next := r.literal[segs[0]]; next != nil {
		if n, v := next.walk(segs[1:], verb, vals); n != nil {
			return n, v
		}
	}
	if r.variable != nil {
		if n, v := r.variable.walk(segs[1:], verb, append(slices.Clip(vals), segs[0])); n != nil {
			return n, v
		}
	}
	if r.rest != nil {
		return r.rest.walk(nil, verb, append(slices.Clip(vals), strings.Join(segs, "/")))
	}
	return nil, nil
}

func segments(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

func variables(path string) []string {
	var out []string
	for _, seg := range segments(path) {
		if name, ok := strings.CutPrefix(seg, "{"); ok {
			out = append(out, strings.TrimSuffix(strings.TrimSuffix(name, manySegments), "}"))
		}
	}
	return out
}

// verbs are the HTTP methods that a REST call can have.
var verbs = []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch}
