package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"time"
)

// maxSessions is how many sessions a browser keeps; the oldest goes first.
const maxSessions = 10

// Session is one that the browser holds the token of.
type Session struct {
	ID    string `json:"i"`
	Token string `json:"t"`
	Name  string `json:"n"` // as it was typed
}

// Jar is the sessions of a browser, the newest first.
type Jar []Session

// Find gives the session with an id or, without one, the newest.
func (j Jar) Find(id string) *Session {
	for i := range j {
		if id == "" || j[i].ID == id {
			return &j[i]
		}
	}
	return nil
}

// With is the jar with a session in front.
func (j Jar) With(e Session) Jar {
	out := append(Jar{e}, j.Without(e.ID)...)
	return out[:min(len(out), maxSessions)]
}

// Without is the jar without a session.
func (j Jar) Without(id string) Jar {
	return slices.DeleteFunc(slices.Clone(j), func(e Session) bool { return e.ID == id })
}

// cookieName is bound to host and path by browsers where there is TLS (RFC 6265bis,
// section 4.1.3.2): no other page of the site can set it.
func (v *Visit) cookieName() string {
	if v.secure() {
		return "__Host-gatehouse-login"
	}
	return "gatehouse-login"
}

// secure reports whether the browser reached the page over TLS.
func (v *Visit) secure() bool { return v.Call.Secure || v.External.Scheme == "https" }

// readJar reads the cookie. What is no jar of ours is an empty one.
func (v *Visit) readJar() (j Jar) {
	c, err := v.R.Cookie(v.cookieName())
	if err != nil {
		return nil
	}
	data, err := base64.RawURLEncoding.DecodeString(c.Value)
	if err != nil || json.Unmarshal(data, &j) != nil || len(j) > maxSessions {
		return nil
	}
	return j
}

// Keep gives the browser its jar.
func (v *Visit) Keep(j Jar) {
	v.Jar = j
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
	http.SetCookie(v.W, c)
}
