package oidc

import (
	"net/http"
	"strings"
)

// Pages of any origin may ask here, as at the API: they bring what they show with them,
// and no cookie is taken from other origins. What is public, and what went wrong, they
// may read too. What a client or a token gives, pages of the application's own origins
// alone may read. So a preflight needs no look at who might ask, and nobody learns from
// one which applications there are.

// readable lets the page that asked read an answer, if it is of an origin that allows
// names as the application's.
func readable(w http.ResponseWriter, r *http.Request, allows func(origin string) bool) {
	switch origin := r.Header.Get("Origin"); {
	case origin == "":
	case allows(origin):
		w.Header().Set("Access-Control-Allow-Origin", origin)
	default:
		unreadable(w)
	}
}

// unreadable keeps an answer from the scripts of other origins.
func unreadable(w http.ResponseWriter) {
	h := w.Header()
	for name := range h {
		if strings.HasPrefix(name, "Access-Control-") {
			h.Del(name)
		}
	}
}
