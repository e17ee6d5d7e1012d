package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	_ "image/jpeg"
	"image/png"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/gatehouse/gatehouse/internal/database"
	"github.com/gatehouse/gatehouse/internal/testkit"
)

// myAvatar is where people send their picture.
const myAvatar = "users/me/avatar"

// startAvatars has ann and bob, with tokens of their own, of the same organization.
func startAvatars(t *testing.T) *testkit.Server {
	t.Helper()
	s, _ := startSessions(t)
	for _, name := range []string{"ann", "bob"} {
		id := person(t, s, s.OrgID, name)
		s.Set(name, id)
		s.Run(t, newSession(name+"In", with(name), checkedPassword...))
	}
	return s
}

// avatarOf is the address of a user's picture, below the server's, as the API gives it.
func avatarOf(t *testing.T, s *testkit.Server, name string) string {
	t.Helper()
	var shown struct {
		User struct {
			Human struct{ Profile struct{ AvatarURL string } }
		}
	}
	if err := json.Unmarshal(s.Send(t, testkit.Call{Do: "GET /v2/users/$" + name}).Body, &shown); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(shown.User.Human.Profile.AvatarURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Path
}

// stored counts the files that the database keeps.
func stored(t *testing.T, s *testkit.Server) (n uint64) {
	t.Helper()
	if err := s.DB.Read(t.Context(), database.From("asset_key", "assets").Where("user_id <> ''").Count(&n)); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestAvatars: people give themselves a picture, which is made small and shown wherever they
// are, replace it and take it away.
func TestAvatars(t *testing.T) {
	t.Parallel()
	s := startAvatars(t)
	if avatarOf(t, s, "ann") != "" {
		t.Fatal("ann has a picture before she sent one")
	}
	before := len(s.Events(t))
	for _, size := range [][2]int{{1024, 512}, {16, 2000}} {
		if status, body := upload(t, s, s.Var("annInToken"), myAvatar, "me.png", pictureOf(t, size[0], size[1])); status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
	}
	if got := s.Events(t)[before:]; len(got) != 2 || got[0] != "user.human.avatar.added" || got[1] != got[0] {
		t.Errorf("the events are %q", got)
	}
	if n := stored(t, s); n != 1 {
		t.Errorf("%d pictures are kept of one person", n)
	}
	if _, body := upload(t, s, s.Var("annInToken"), myAvatar, "me.png", pictureOf(t, 1024, 512)); body != "{}" {
		t.Fatal(body)
	}
	address := avatarOf(t, s, "ann")
	got := newBrowser(t, s).open(t, address)
	for name, want := range map[string]string{"Content-Type": "image/jpeg", "X-Content-Type-Options": "nosniff", "Content-Security-Policy": "default-src 'none'; sandbox"} {
		if got.header.Get(name) != want {
			t.Errorf("%s is %q", name, got.header.Get(name))
		}
	}
	if strings.Contains(got.header.Get("Cache-Control"), "public") {
		t.Errorf("caches that others share may keep a person's picture: %s", got.header.Get("Cache-Control"))
	}
	c, _, err := image.DecodeConfig(bytes.NewReader([]byte(got.body)))
	if err != nil || c.Width != 256 || c.Height != 128 {
		t.Errorf("the picture is %dx%d: %v", c.Width, c.Height, err)
	}
	s.Run(t,
		testkit.Call{Name: "v1", Do: "GET /management/v1/users/$ann", Want: `{"user":{"human":{"profile":{"avatarUrl":"*"}}}}`},
		testkit.Call{Name: "profile", Do: "GET /management/v1/users/$ann/profile", Want: `{"profile":{"avatarUrl":"*"}}`},
		testkit.Call{Name: "lists", Do: "POST /v2/users", Body: `{"queries":[{"userNameQuery":{"userName":"ann"}}]}`, Want: `{"result":[{"human":{"profile":{"avatarUrl":"*"}}}]}`},
		testkit.Call{Name: "bob has none", Do: "GET /management/v1/users/$bob", Want: `{"user":{"human":{"profile":{"avatarUrl":null}}}}`},
		testkit.Call{Name: "her sessions", As: "annIn", Do: "POST /auth/v1/users/me/sessions/_search", Want: `{"result":[{"avatarUrl":"*"}]}`},
		testkit.Call{Name: "the log does not list the bytes", Do: "POST /admin/v1/events/_search", Body: `{"eventTypes":["user.human.avatar.added"],"limit":1}`, Want: `{"events":[{"payload":{"storeKey":"*","mediaType":"image/jpeg","data":null}}]}`},
		testkit.Call{Name: "she takes it away", As: "annIn", Do: "DELETE /auth/v1/users/me/avatar", Want: `{"details":{"changeDate":"*"}}`, Events: []string{"user.human.avatar.removed"}},
		testkit.Call{Name: "once", As: "annIn", Do: "DELETE /auth/v1/users/me/avatar", Status: 404},
		testkit.Call{Name: "gone", Do: "GET /management/v1/users/$ann", Want: `{"user":{"human":{"profile":{"avatarUrl":null}}}}`},
	)
	if got := newBrowser(t, s).open(t, address); got.status != http.StatusNotFound || stored(t, s) != 0 {
		t.Errorf("the picture is there still: %d", got.status)
	}
}

// TestAvatarAbuse: a picture is taken of nobody but the caller, and nothing but pictures.
func TestAvatarAbuse(t *testing.T) {
	t.Parallel()
	s := startAvatars(t)
	s.Run(t, testkit.Call{
		Name: "another organization", Do: "POST /v2/organizations", Body: `{"name":"Elsewhere"}`, Status: 201, Keep: map[string]string{"elsewhere": "organizationId"},
		Events: []string{"org.added", "org.domain.added", "org.domain.verified", "org.domain.primary.set", "org.member.added"},
	})
	ann := s.Var("annInToken")
	before := len(s.Events(t))
	for name, c := range map[string]struct {
		token, path string
		data        []byte
		status      int
	}{
		"SVG":             {ann, myAvatar, []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), http.StatusBadRequest},
		"a page":          {ann, myAvatar, []byte("<html><script>alert(1)</script></html>"), http.StatusBadRequest},
		"a font":          {ann, myAvatar, append([]byte("wOF2"), picture(t, 8)...), http.StatusBadRequest},
		"half a picture":  {ann, myAvatar, picture(t, 64)[:60], http.StatusBadRequest},
		"too wide":        {ann, myAvatar, pictureOf(t, 2049, 8), http.StatusBadRequest},
		"too high":        {ann, myAvatar, pictureOf(t, 8, 2049), http.StatusBadRequest},
		"too large":       {ann, myAvatar, append(picture(t, 8), make([]byte, 512<<10)...), http.StatusBadRequest},
		"much too large":  {ann, myAvatar, append(picture(t, 8), make([]byte, 4<<20)...), http.StatusBadRequest},
		"nobody":          {"", myAvatar, picture(t, 8), http.StatusUnauthorized},
		"a wrong token":   {ann + "x", myAvatar, picture(t, 8), http.StatusUnauthorized},
		"a machine":       {s.Token, myAvatar, picture(t, 8), http.StatusBadRequest},
		"of another user": {ann, "users/" + s.Var("bob") + "/avatar", picture(t, 8), http.StatusMethodNotAllowed},
	} {
		if status, body := upload(t, s, c.token, c.path, "x.png", c.data); status != c.status && (c.status != http.StatusMethodNotAllowed || status < 400) {
			t.Errorf("%s: %d %s", name, status, body)
		}
	}
	if got := s.Events(t)[before:]; len(got) != 0 {
		t.Errorf("what is refused leaves %q", got)
	}
	if status, body := upload(t, s, s.Var("bobInToken"), myAvatar, "x.png", picture(t, 8), "x-zitadel-orgid", s.Var("elsewhere")); status != http.StatusOK {
		t.Fatalf("bob's own, whatever the request is about: %d %s", status, body)
	}
	s.Run(t,
		testkit.Call{Name: "ann may not take it away", As: "annIn", Do: "DELETE /management/v1/users/$bob/avatar", Status: 404},
		testkit.Call{Name: "in another organization there is none", In: "$elsewhere", Do: "DELETE /management/v1/users/$bob/avatar", Status: 404},
		testkit.Call{Name: "a machine has none", Do: "DELETE /management/v1/users/$owner/avatar", Status: 400},
		testkit.Call{Name: "who administers users may", Do: "DELETE /management/v1/users/$bob/avatar", Events: []string{"user.human.avatar.removed"}},
		testkit.Call{Name: "once", Do: "DELETE /management/v1/users/$bob/avatar", Status: 404},
	)
}

// TestAvatarGoesWithTheUser: of who is erased no picture is left, in no table and in the log.
func TestAvatarGoesWithTheUser(t *testing.T) {
	t.Parallel()
	s := startAvatars(t)
	s.Run(t, testkit.Call{Name: "erase", Do: "PUT /gatehouse/v1/policies/erasure", Body: `{"mode":2}`, Events: []string{"instance.policy.erasure.set"}})
	for _, name := range []string{"ann", "bob"} {
		if status, body := upload(t, s, s.Var(name+"InToken"), myAvatar, "x.png", picture(t, 8)); status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
	}
	ann, bob := avatarOf(t, s, "ann"), avatarOf(t, s, "bob")
	if ann == bob {
		t.Fatal("the same picture of two people has one address")
	}
	s.Run(t, testkit.Call{Name: "remove", Do: "DELETE /v2/users/$ann", Events: []string{"user.removed", "session.terminated"}})
	later(t, s)
	if told := telling(t, s, "image/jpeg"); len(told) != 1 || told[s.Var("bob")] != 1 {
		t.Errorf("the log tells of pictures of %v", told)
	}
	if n := stored(t, s); n != 1 {
		t.Errorf("%d pictures are left", n)
	}
	if newBrowser(t, s).open(t, ann).status != http.StatusNotFound || newBrowser(t, s).open(t, bob).status != http.StatusOK {
		t.Error("the wrong picture is gone")
	}
}

// portrait is a picture in colors, larger than a page may be.
func portrait(t *testing.T) string {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 700, 900))
	for y := range 900 {
		for x := range 700 {
			dx, dy := x-350, y-400
			m.SetRGBA(x, y, color.RGBA{uint8(x * 255 / 700), uint8(y * 255 / 900), 160, 255})
			if dx*dx+dy*dy < 200*200 {
				m.SetRGBA(x, y, color.RGBA{250, 210, 170, 255})
			}
		}
	}
	file := filepath.Join(t.TempDir(), "me.png")
	out, err := os.Create(file)
	if err == nil {
		err = errors.Join(png.Encode(out, m), out.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// TestBrowserAvatar is a person who uploads a picture: it stands where their initials stood, in
// the account, in the choice of accounts and for who administers users.
func TestBrowserAvatar(t *testing.T) {
	t.Parallel()
	s, w := openConsole(t, "IAM_OWNER")
	w.open(t, "/ui/account/profile")
	w.sees(t, "Shown beside your name")
	if shown := w.text(t, ".portrait .face"); shown != "AL" {
		t.Errorf("the initials are %q", shown)
	}
	file := filepath.Join(t.TempDir(), "me.svg")
	if err := os.WriteFile(file, []byte("<svg/>"), 0o600); err != nil {
		t.Fatal(err)
	}
	choose := func(file string) {
		w.do(t, "choose a picture", chromedp.SetUploadFiles(`input[type=file]`, []string{file}, chromedp.ByQuery))
		w.press(t, "Upload")
	}
	choose(file)
	w.sees(t, "The file is no picture that is taken here")
	choose(portrait(t))
	w.sees(t, "Saved.")
	looks := func(where string) {
		t.Helper()
		var width int
		w.do(t, "look at the picture", chromedp.Evaluate(`document.querySelector("main .face img")?.naturalWidth ?? 0`, &width))
		if width != 199 {
			t.Errorf("%s: the picture is %d pixels wide", where, width)
		}
	}
	looks("account")
	w.open(t, "/ui/login/account?next=%2Fui%2Faccount%2F")
	w.sees(t, "Choose an account")
	looks("choice of accounts")
	w.open(t, "/ui/console/orgs/"+s.OrgID+"/users/"+s.Var("ann"))
	w.sees(t, "Picture")
	looks("console")
	w.dark(t)
	w.phone(t)
	w.open(t, "/ui/login/account?next=%2Fui%2Faccount%2F")
	w.sees(t, "Choose an account")
	w.open(t, "/ui/account/profile")
	w.sees(t, "Shown beside your name")
	w.press(t, "Remove")
	w.sees(t, "Your initials are shown in its place")
	w.press(t, "Remove the picture")
	w.sees(t, "It is removed.")
	if shown := w.text(t, ".portrait .face"); shown != "AL" {
		t.Errorf("the initials are %q", shown)
	}
	w.open(t, "/ui/login/account?next=%2Fui%2Faccount%2F")
	w.sees(t, "Choose an account")
}

// TestAvatarPagesOfOthers: nobody gives somebody else a picture by a form that they did not
// send themselves, and who may not administer users takes none away.
func TestAvatarPagesOfOthers(t *testing.T) {
	t.Parallel()
	s := startAvatars(t)
	if status, body := upload(t, s, s.Var("bobInToken"), myAvatar, "x.png", picture(t, 8)); status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	b := newBrowser(t, s)
	b.submit(t, b.submit(t, b.open(t, "/ui/login/login"), "login", "loginName", "ann"), "password", "proof", password)
	before := len(s.Events(t))
	if p := b.do(t, http.MethodPost, s.URL+s.Expand("/ui/console/orgs/$org/users/$bob/picture/remove"), url.Values{}); p.status < http.StatusBadRequest {
		t.Errorf("ann takes the picture of bob away: %d", p.status)
	}
	b.header.Set("Sec-Fetch-Site", "cross-site")
	for _, path := range []string{"profile/picture", "profile/picture/remove"} {
		if p := b.do(t, http.MethodPost, s.URL+"/ui/account/"+path, url.Values{}); p.status != http.StatusForbidden {
			t.Errorf("%s by another site: %d", path, p.status)
		}
	}
	if got := s.Events(t)[before:]; len(got) != 0 {
		t.Errorf("what is refused leaves %q", got)
	}
}
