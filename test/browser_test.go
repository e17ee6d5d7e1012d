package test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/gatehouse/gatehouse/internal/testkit"
)

// patience is how long a window waits for what it is to show.
const patience = time.Minute

// window is one of a real browser. BROWSER names the program, or is "none"; without it, Debian's is
// taken where it is installed. Screenshots are kept with -artifacts.
type window struct {
	ctx   context.Context //nolint:containedctx // the browser's tab
	s     *testkit.Server
	shots int
	key   webauthn.AuthenticatorID
}

func openWindow(t *testing.T, s *testkit.Server) *window {
	t.Helper()
	if os.Getenv("BROWSER") == "none" {
		t.Skip("BROWSER is none")
	}
	program, err := exec.LookPath(cmp.Or(os.Getenv("BROWSER"), "chromium"))
	switch {
	case err != nil && os.Getenv("BROWSER") == "":
		t.Skip("no browser is installed: Debian's package is chromium")
	case err != nil:
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("lang", "en"), chromedp.WindowSize(1000, 800), chromedp.WSURLReadTimeout(patience))
	ctx, closeBrowser := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	t.Cleanup(closeBrowser)
	ctx, closeTab := chromedp.NewContext(ctx)
	t.Cleanup(closeTab)
	w := &window{ctx: ctx, s: s}
	w.do(t, "start", chromedp.Navigate("about:blank"))
	return w
}

// do does something, and says what the page showed where that fails.
func (w *window) do(t *testing.T, what string, actions ...chromedp.Action) {
	t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if w.shots == 0 { // The first call starts the browser, which must outlive it.
		ctx = w.ctx
	}
	w.shots++
	if err := chromedp.Run(ctx, actions...); err != nil {
		ctx, cancel := context.WithTimeout(w.ctx, patience)
		defer cancel()
		var shown, where string
		_ = chromedp.Run(ctx, chromedp.Location(&where), chromedp.Text("body", &shown, chromedp.ByQuery))
		t.Fatalf("%s: %v; %s shows:\n%s", what, err, where, shown)
	}
}

// open goes to a path of the server.
func (w *window) open(t *testing.T, path string) {
	t.Helper()
	w.do(t, "open "+path, chromedp.Navigate(w.s.URL+path))
}

// sees waits until the page says a text, and keeps a picture of it.
func (w *window) sees(t *testing.T, text string) {
	t.Helper()
	says := fmt.Sprintf("document.readyState === 'complete' && document.body.innerText.includes(%q)", text)
	var picture []byte
	w.do(t, "see "+text, chromedp.ActionFunc(func(ctx context.Context) error {
		for there := false; ; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Millisecond):
			}
			_ = chromedp.Evaluate(says, &there).Do(ctx) // Pages go away while they are asked.
			if there && shoot(ctx, &picture) == nil {
				return nil
			}
		}
	}))
	var flaws []string
	w.do(t, "look at "+text, chromedp.Evaluate(flawsJS, &flaws, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	for _, f := range flaws {
		t.Errorf("the page that says %q: %s", text, f)
	}
	name := fmt.Sprintf("%02d-%s.png", w.shots, strings.NewReplacer(" ", "-", "/", "-").Replace(strings.ToLower(text)))
	if err := os.WriteFile(filepath.Join(t.ArtifactDir(), name), picture, 0o600); err != nil {
		t.Fatal(err)
	}
}

// shoot takes a picture. A page that goes away meanwhile never gives one.
func shoot(ctx context.Context, picture *[]byte) error {
	ctx, cancel := context.WithTimeout(ctx, patience/4)
	defer cancel()
	return chromedp.CaptureScreenshot(picture).Do(ctx)
}

// flawsJS lists what would keep people from using the page: texts that are hard to read
// (WCAG 2.2, success criterion 1.4.3), fields, buttons and pictures without a name, no
// language, a page wider than the window, what comes from elsewhere, more than 100 kB, and what
// moves while the page loads.
const flawsJS = `(async () => {
	const flaws = [];
	const parse = (c) => { const m = c.match(/[\d.]+/g).map(Number); return m.length < 4 ? [...m, 1] : m; };
	const light = (c) => { const [r, g, b] = c.slice(0, 3).map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
	const under = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; } return [255, 255, 255, 1]; };
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n; (n = walk.nextNode());) {
		const e = n.parentElement;
		if (!n.data.trim() || !e.checkVisibility() || ["SCRIPT", "NOSCRIPT"].includes(e.tagName)) continue;
		const style = getComputedStyle(e), a = light(parse(style.color)), b = light(under(e)), size = parseFloat(style.fontSize);
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
		if (ratio < least) flaws.push("the text " + n.data.trim() + " has a contrast of " + ratio.toFixed(2));
	}
	for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
		if (!e.labels.length && !e.ariaLabel) flaws.push("the field " + e.name + " has no label");
	for (const e of document.querySelectorAll("button, a")) if (!e.innerText.trim() && !e.ariaLabel && e.checkVisibility()) flaws.push("a button or link has no name: " + e.outerHTML);
	for (const e of document.querySelectorAll("img")) if (!e.hasAttribute("alt")) flaws.push("a picture has no text");
	if (document.body.innerText.includes("⟦")) flaws.push("a text is missing");
	if (!document.documentElement.lang) flaws.push("the page does not say its language");
	if (document.querySelectorAll("h1").length !== 1) flaws.push("the page has not one heading");
	if (document.documentElement.scrollWidth > innerWidth) flaws.push("the page is wider than the window");
	let weight = 0;
	for (const r of performance.getEntries()) {
		weight += r.transferSize || 0;
		if (r.name.startsWith("http") && !r.name.startsWith(location.origin)) flaws.push("it loads " + r.name);
	}
	if (weight > 100_000) flaws.push("it weighs " + weight + " bytes");
	const moved = await new Promise((done) => {
		let sum = 0;
		new PerformanceObserver((list) => { for (const e of list.getEntries()) if (!e.hadRecentInput) sum += e.value; }).observe({ type: "layout-shift", buffered: true });
		setTimeout(() => done(sum), 20);
	});
	if (moved > 0.001) flaws.push("its content moves by " + moved.toFixed(4));
	return flaws;
})()`

// fill types into the field with a name.
func (w *window) fill(t *testing.T, name, value string) {
	t.Helper()
	field := fmt.Sprintf("input[name=%q]:not([type=hidden])", name)
	w.do(t, "fill in "+name, chromedp.WaitVisible(field, chromedp.ByQuery), chromedp.Clear(field, chromedp.ByQuery), chromedp.SendKeys(field, value, chromedp.ByQuery))
}

// keys presses keys, in whatever has the focus.
func (w *window) keys(t *testing.T, keys string) {
	t.Helper()
	w.do(t, "type", chromedp.KeyEvent(keys))
}

// enter goes on by keys to what says a text, and presses it.
func (w *window) enter(t *testing.T, text string) {
	t.Helper()
	var on string
	for range 30 {
		w.keys(t, kb.Tab)
		w.do(t, "look where the focus is", chromedp.Evaluate("document.activeElement.innerText", &on))
		if strings.Contains(on, text) {
			w.keys(t, kb.Enter)
			return
		}
	}
	t.Fatalf("the key Tab never leads to %q", text)
}

// press presses the button or the link that says a text.
func (w *window) press(t *testing.T, text string) {
	t.Helper()
	it := fmt.Sprintf("//main//*[(self::button or self::a) and contains(normalize-space(.), %q)]", text)
	w.do(t, "press "+text, chromedp.WaitVisible(it, chromedp.BySearch), chromedp.Click(it, chromedp.BySearch))
}

// give fills in the only field of a page, and goes on.
func (w *window) give(t *testing.T, name, value string) {
	t.Helper()
	w.fill(t, name, value)
	w.press(t, "Go on")
}

// logIn says who is there, with a password.
func (w *window) logIn(t *testing.T, name, password string) {
	t.Helper()
	w.give(t, "loginName", name)
	w.give(t, "proof", password)
}

// text reads what an element shows.
func (w *window) text(t *testing.T, selector string) (shown string) {
	t.Helper()
	w.do(t, "read "+selector, chromedp.Text(selector, &shown, chromedp.ByQuery))
	return strings.TrimSpace(shown)
}

// plugIn gives the browser an authenticator that verifies its user.
func (w *window) plugIn(t *testing.T) {
	t.Helper()
	w.do(t, "plug in an authenticator", chromedp.ActionFunc(func(ctx context.Context) error {
		if err := webauthn.Enable().Do(ctx); err != nil {
			return err
		}
		id, err := webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}).Do(ctx)
		w.key = id
		return err
	}))
}

// touch says whether the authenticator is touched whenever it asks for it: then it answers
// also what a page offers by the way.
func (w *window) touch(t *testing.T, on bool) {
	t.Helper()
	w.do(t, "touch", chromedp.ActionFunc(func(ctx context.Context) error {
		return webauthn.SetAutomaticPresenceSimulation(w.key, on).Do(ctx)
	}))
}

// useKey says who is there and proves it with the key, which is asked for by a page.
func (w *window) useKey(t *testing.T, name, otherwise string) {
	t.Helper()
	w.touch(t, false)
	w.open(t, "/ui/login/login?new=true")
	w.give(t, "loginName", name)
	if otherwise != "" {
		w.press(t, otherwise)
	}
	w.sees(t, "Use your key")
	w.touch(t, true)
	w.press(t, "Use the key")
	w.sees(t, "You are logged in")
}

// dark shows pages as devices do that are set to dark.
func (w *window) dark(t *testing.T) {
	t.Helper()
	w.do(t, "darken", emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}}))
}

// TestBrowserLogin is a person's first days in a real browser: a password, an app set up,
// the next login with it, and what the page says when the factor ends meanwhile.
func TestBrowserLogin(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	w := openWindow(t, s)
	w.open(t, "/")
	w.sees(t, "Login name")
	w.give(t, "loginName", "ann")
	w.sees(t, "Password")
	w.give(t, "proof", "wrong")
	w.sees(t, "wrong")
	w.give(t, "proof", annsPassword)
	w.sees(t, "Protect your account")
	w.press(t, "Authenticator app")
	w.sees(t, "Scan the picture")
	secret := w.text(t, "main code")
	w.give(t, "code", totpCode(t, secret, s.Clock.Now()))
	w.sees(t, "Enter the code that your authenticator app shows")
	s.Clock.Advance(time.Minute)
	w.give(t, "proof", totpCode(t, secret, s.Clock.Now()))
	w.sees(t, "You are logged in")

	w.dark(t)
	w.open(t, "/")
	w.sees(t, "Choose an account")
	w.press(t, "Use another account")
	w.logIn(t, "ann", annsPassword)
	w.sees(t, "Enter the code")
	s.Run(t, testkit.Call{
		Name: "the factor ends", Do: "DELETE /admin/v1/policies/login/second_factors/SECOND_FACTOR_TYPE_OTP", Events: []string{"instance.policy.login.secondfactor.removed"},
	})
	s.Clock.Advance(time.Minute)
	w.give(t, "proof", totpCode(t, secret, s.Clock.Now()))
	w.sees(t, "“Authenticator app” does not count here any more.")
}

// TestBrowserPasskey sets up a passkey and logs in with nothing else.
func TestBrowserPasskey(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	w := openWindow(t, s)
	w.plugIn(t)
	w.open(t, "/")
	w.logIn(t, "ann", annsPassword)
	w.sees(t, "Protect your account")
	w.press(t, "Passkey")
	w.fill(t, "name", "laptop")
	w.press(t, "Register")
	w.sees(t, "Use your key")
	w.press(t, "Use the key")
	w.sees(t, "You are logged in")

	w.useKey(t, "ann", "")

	// The page of the login offers it to who has said nothing, in the field of the name and
	// by a button. Both browsers do: one page, and the login is done.
	w.open(t, "/ui/login/login?new=true")
	w.sees(t, "You are logged in")
	w.touch(t, false)
	w.open(t, "/ui/login/login?new=true")
	w.sees(t, "Log in with a passkey")
	w.touch(t, true)
	w.press(t, "Log in with a passkey")
	w.sees(t, "You are logged in")

	// Where nobody is told who has a key, browsers find it by themselves.
	s.Run(t, testkit.Call{
		Name: "hide", Do: "PUT /admin/v1/policies/login", Events: []string{"instance.policy.login.changed"},
		Body: `{"allowUsernamePassword":true,"ignoreUnknownUsernames":true,"passwordlessType":"PASSWORDLESS_TYPE_ALLOWED","multiFactorCheckLifetime":"43200s"}`,
	})
	w.useKey(t, "ann", "Use a key")
}

// TestBrowserDevice lets a device log in by the code that it shows, on the pages that lead
// there, and ends the login after.
func TestBrowserDevice(t *testing.T) {
	t.Parallel()
	s, _ := startOAuth(t)
	tv := newClient(t, s, "tv", devices)
	d := tv.startDevice(t)
	w := openWindow(t, s)
	w.open(t, "/ui/login/device?user_code="+d.User)
	w.sees(t, "Go on")
	w.press(t, "Go on")
	w.logIn(t, "ada", password)
	w.press(t, "Not now")
	w.sees(t, d.User)
	w.press(t, "Allow")
	w.sees(t, "The device is logged in.")
	if got := tv.askDevice(t, d.Code); got.status != http.StatusOK {
		t.Errorf("%+v", got)
	}
	w.open(t, "/oidc/v1/end_session")
	w.sees(t, "Choose the account")
	w.press(t, "ada")
	w.sees(t, "Login name")
}

// TestBrowserPasskeyLink registers a passkey by a link, the form of both kinds of which
// leads to the same page, and logs in with it.
func TestBrowserPasskeyLink(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	addAnn(t, s)
	w := openWindow(t, s)
	w.plugIn(t)
	for _, path := range []string{"passkey/register?userId=$ann&orgId=$org&codeId=$codeID&code=$code", "login/passwordless/init?userID=$ann&orgID=$org&codeID=$codeID&code=$code"} {
		s.Run(t, testkit.Call{
			Name: "link", Do: "POST /v2/users/$ann/passkeys/registration_link", Body: `{"returnCode":{}}`, Keep: map[string]string{"codeID": "code.id", "code": "code.code"},
			Events: []string{"user.human.passwordless.initialization.code.requested"},
		})
		w.open(t, "/ui/login/"+s.Expand(path))
		w.fill(t, "name", "phone")
		w.sees(t, "Register")
		w.press(t, "Register")
		w.sees(t, "Your passkey is registered.")
		w.open(t, "/ui/login/"+s.Expand(path))
		w.press(t, "Register")
		w.sees(t, "The key was not read.")
		if path[0] == 'p' { // The other link finds the same authenticator, which holds one key.
			w.do(t, "take it out", chromedp.ActionFunc(func(ctx context.Context) error { return webauthn.Disable().Do(ctx) }))
			w.plugIn(t)
		}
	}
	w.useKey(t, "ann", "")
}

// TestBrowserKeyboard logs in with a keyboard alone, sets codes by mail up on the way, and
// logs in with one, read from the mailbox for development.
func TestBrowserKeyboard(t *testing.T) {
	t.Parallel()
	p, box := developer(t)
	addAnn(t, p.Server)
	p.Run(t, testkit.Call{
		Name: "codes by mail count", Do: "POST /admin/v1/policies/login/second_factors", Body: `{"type":"SECOND_FACTOR_TYPE_OTP_EMAIL"}`,
		Events: []string{"instance.policy.login.secondfactor.added"},
	})
	w := openWindow(t, p.Server)
	w.open(t, "/")
	w.sees(t, "Login name")
	w.keys(t, "ann"+kb.Enter)
	w.sees(t, "Password")
	w.keys(t, annsPassword+kb.Enter)
	w.sees(t, "Protect your account")
	w.enter(t, "Codes by mail")
	w.sees(t, "Send")
	w.enter(t, "Send")
	w.sees(t, "Code")
	p.Settle(t)
	w.keys(t, inBox(t, box, "ann@example.com")[0].Code+kb.Enter)
	w.sees(t, "You are logged in")
}

// TestBrowserRegister makes an account by oneself, from the login page to the account.
func TestBrowserRegister(t *testing.T) {
	t.Parallel()
	o, box := developer(t)
	w := openWindow(t, o.Server)
	w.open(t, "/")
	w.press(t, "I have no account yet")
	w.fill(t, "givenName", "Eve")
	w.fill(t, "familyName", "Lee")
	w.fill(t, "email", "eve@example.com")
	w.sees(t, "You get a mail")
	w.press(t, "Create an account")
	w.sees(t, "is on its way")
	o.Settle(t)
	link, err := url.Parse(inBox(t, box, "eve@example.com")[0].URL)
	if err != nil {
		t.Fatal(err)
	}
	w.open(t, link.RequestURI())
	w.fill(t, "password", annsPassword)
	w.fill(t, "repeat", annsPassword)
	w.press(t, "Go on")
	w.press(t, "Not now")
	w.sees(t, "You are logged in")
}

// waits waits until the browser is at an address.
func (w *window) waits(t *testing.T, address string) {
	t.Helper()
	w.do(t, "get to "+address, chromedp.ActionFunc(func(ctx context.Context) error {
		for {
			var at string
			if err := chromedp.Location(&at).Do(ctx); err == nil && at == address {
				return nil
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Millisecond):
			}
		}
	}))
}
