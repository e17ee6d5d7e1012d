//go:build !sabotage_untold

package server

import "net/http"

// tellToLeave asks a client to make its next call on another connection: it might find this one
// closed. HTTP/2 says it by GOAWAY. The other build of this function says nothing, and is there
// to show that the tests notice.
func tellToLeave(w http.ResponseWriter) { w.Header().Set("Connection", "close") }
