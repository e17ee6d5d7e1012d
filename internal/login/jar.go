package login

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// maxSessions is how many sessions a browser keeps; the oldest goes first.
const maxSessions = 10

// entry is a session that the browser holds the token of.
type entry struct {
	ID    string `json:"i"`
	Token string `json:"t"`
}

// jar is the sessions of a browser, the newest first.
type jar []entry

// find gives the session with an id or, without one, the newest.
func (j jar) find(id string) *entry {
	for i := range j {
		if id == "" || j[i].ID == id {
			return &j[i]
		}
	}
	return nil
}

// with is the jar with a session in front.
func (j jar) with(e entry) jar {
	out := append(jar{e}, j.without(e.ID)...)
	return out[:min(len(out), maxSessions)]
}

func (j jar) without(id string) jar {
	return slices.DeleteFunc(slices.Clone(j), func(e entry) bool { return e.ID == id })
}

// cookieName is bound to host and path by browsers where there is TLS (RFC 6265bis,
// section 4.1.3.2): no other page of the site can set it.
func (v *visit) cookieName() string {
	if v.secure() {
		return "__Host-gatehouse-login"
	}
	return "gatehouse-login"
}

// secure reports whether the browser reached the page over TLS.
func (v *visit) secure() bool { return v.call.Secure || v.external.Scheme == "https" }

// readJar reads the cookie. What is no jar of ours is an empty one.
func (v *visit) readJar() (j jar) {
	c, err := v.r.Cookie(v.cookieName())
	if err != nil {
		return nil
	}
	data, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || json.Unmarshal(data, &j) != nil || len(j) > maxSessions {
		return nil
	}
	return j
}

// keep gives the browser its jar.
func (v *visit) keep(j jar) {
	v.jar = j
	data, err := json.Marshal(j)
	if err != nil { // Texts always have a JSON form.
		panic(err)
	}
	c := &http.Cookie{ //nolint:gosec // Secure wherever there is TLS
		Name: v.cookieName(), Value: base64.RawURLEncoding.EncodeToString(data), Path: "/",
		Secure: v.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: int((400 * 24 * time.Hour).Seconds()),
	}
	if len(j) == 0 {
		c.Value, c.MaxAge = "", -1
	}
	http.SetCookie(v.w, c)
}
