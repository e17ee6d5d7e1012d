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

// jarCookie is the cookie with the sessions, and jarLifetime is for how long browsers keep it.
const (
	jarCookie   = "gatehouse-login"
	jarLifetime = 400 * 24 * time.Hour
)

// cookieName is bound to host and path by browsers where there is TLS (RFC 6265bis,
// section 4.1.3.2): no other page of the site can set it.
func (v *Visit) cookieName(name string) string {
	if v.secure() {
		return "__Host-" + name
	}
	return name
}

// secure reports whether the browser reached the page over TLS.
func (v *Visit) secure() bool { return v.Call.Secure || v.External.Scheme == "https" }

// Cookie reads what SetCookie gave the browser under a name. It reports whether there is
// something; whoever has the browser can have put anything there.
func (v *Visit) Cookie(name string, value any) bool {
	c, err := v.R.Cookie(v.cookieName(name))
	if err != nil {
		return false
	}
	data, err := base64.RawURLEncoding.DecodeString(c.Value)
	return err == nil && json.Unmarshal(data, value) == nil
}

// SetCookie gives the browser a value to keep under a name, which pages elsewhere cannot
// read; nil takes it away.
func (v *Visit) SetCookie(name string, value any, lifetime time.Duration) {
	c := &http.Cookie{ //nolint:gosec // Secure wherever there is TLS
		Name: v.cookieName(name), Path: "/", Secure: v.secure(), HttpOnly: true, SameSite: http.SameSiteLaxMode, MaxAge: -1,
	}
	if value != nil {
		data, err := json.Marshal(value)
		if err != nil { // Texts always have a JSON form.
			panic(err)
		}
		c.Value, c.MaxAge = base64.RawURLEncoding.EncodeToString(data), int(lifetime.Seconds())
	}
	http.SetCookie(v.W, c)
}

// readJar reads the cookie. What is no jar of ours is an empty one.
func (v *Visit) readJar() (j Jar) {
	if !v.Cookie(jarCookie, &j) || len(j) > maxSessions {
		return nil
	}
	return j
}

// Keep gives the browser its jar.
func (v *Visit) Keep(j Jar) {
	v.Jar = j
	if len(j) == 0 {
		v.SetCookie(jarCookie, nil, 0)
		return
	}
	v.SetCookie(jarCookie, j, jarLifetime)
}
