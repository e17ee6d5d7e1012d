//go:build sabotage_untold

package server

import "net/http"

// tellToLeave says nothing. No server is built like this: see make chaos-sabotage.
func tellToLeave(http.ResponseWriter) {}
