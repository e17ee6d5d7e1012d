//go:build unix

package testkit

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse/gatehouse/internal/crypto"
)

// harvest is the transport of the test's client. It learns the secrets that pass by, in both
// directions, so that the database can be searched for them when the test ends: no test says
// which secrets there are, and a new RPC or page is covered without an edit.
type harvest struct {
	http.RoundTripper
	mu     sync.Mutex
	values map[string]string // the secret, and what it was
	seals  map[string]crypto.Place
}

func newHarvest(through http.RoundTripper) *harvest {
	return &harvest{RoundTripper: through, values: map[string]string{}, seals: map[string]crypto.Place{}}
}

// sealed learns what was sealed for which place.
func (h *harvest) sealed(at crypto.Place, text string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seals[text] = at
}

// SecretFields are the names, in lower case and without the signs between words, under which
// secrets travel: in messages, forms, queries and the replies of OAuth.
var SecretFields = map[string]bool{
	"password": true, "initialpassword": true, "currentpassword": true, "newpassword": true, "oldpassword": true,
	"code": true, "emailcode": true, "phonecode": true, "invitecode": true, "verificationcode": true, "recoverycodes": true,
	"otpcode": true, "totpsecret": true, "secret": true, "secretaccesskey": true, "signingkey": true, "pat": true, "machinekey": true,
	"keycontent": true, "keydetails": true, "token": true, "sessiontoken": true, "idpintenttoken": true,
	// Pages: the passwords and what is proved.
	"current": true, "new": true, "repeat": true, "proof": true, "kept": true,
	// OAuth.
	"clientsecret": true, "accesstoken": true, "refreshtoken": true, "idtoken": true, "devicecode": true, "usercode": true,
	"clientassertion": true, "codeverifier": true, "assertion": true, "subjecttoken": true, "actortoken": true, "idtokenhint": true,
	// The inside of a key that is handed out as a file.
	"key": true,
}

// between are the signs between the words of a name.
var between = strings.NewReplacer("_", "", "-", "", ".", "")

func isSecret(name string) bool { return SecretFields[strings.ToLower(between.Replace(name))] }

// published is where a token is made that everybody may see: in the DNS, or on a web page.
var published = regexp.MustCompile(`/validation/(_?generate)$`)

// patience is how long a call may take. The client has no timeout of its own: that would leave a
// goroutine where a library reads a reply, and does not close it.
const patience = 30 * time.Second

// RoundTrip makes the request and looks at what passes. What is refused is no secret, but
// anything at all.
func (h *harvest) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	r = r.WithContext(ctx)
	what, sent := r.Method+" "+r.URL.Path, []byte(nil)
	if r.Body != nil && r.Body != http.NoBody {
		var err error
		sent, err = io.ReadAll(r.Body)
		_ = r.Body.Close()
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(sent))
	}
	res, err := h.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(got))
	for _, c := range res.Cookies() {
		h.learn(what+" cookie "+c.Name, c.Value)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return res, nil
	}
	h.body(what, r.Header.Get("Content-Type"), sent)
	h.query(what, r.URL.RawQuery)
	_, proof, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	h.learn(what+" Authorization", proof)
	h.learn(what+" DPoP", r.Header.Get("DPoP"))
	h.link(what+" Location", res.Header.Get("Location"))
	if !published.MatchString(r.URL.Path) {
		h.body(what, res.Header.Get("Content-Type"), got)
	}
	return res, nil
}

// CloseIdleConnections is for the client that has the transport.
func (h *harvest) CloseIdleConnections() {
	h.RoundTripper.(interface{ CloseIdleConnections() }).CloseIdleConnections() //nolint:forcetypeassert // see join
}

// shown are the inputs of a page that nobody types into, and what it prints to be copied.
var (
	shown   = regexp.MustCompile(`<input type="hidden" name="(\w+)" value="([^"]*)"`)
	printed = regexp.MustCompile(`<ol class="codes">(.*?)</ol>`)
	code    = regexp.MustCompile(`<code>([^<]*)</code>`)
)

func (h *harvest) body(what, kind string, data []byte) {
	switch {
	case strings.Contains(kind, "json"):
		var tree any
		if json.Unmarshal(data, &tree) == nil {
			h.tree(what, "", tree)
		}
	case strings.Contains(kind, "form-urlencoded"):
		h.query(what, string(data))
	case strings.Contains(kind, "html"):
		for _, m := range shown.FindAllSubmatch(data, -1) {
			h.value(what, string(m[1]), string(m[2]))
		}
		for _, list := range printed.FindAll(data, -1) {
			for _, m := range code.FindAllSubmatch(list, -1) {
				h.learn(what+" code", string(m[1]))
			}
		}
	}
}

func (h *harvest) tree(what, name string, node any) {
	switch v := node.(type) {
	case map[string]any:
		for key, value := range v {
			h.tree(what, key, value)
		}
	case []any:
		for _, value := range v {
			h.tree(what, name, value)
		}
	case string:
		h.value(what, name, v)
	}
}

func (h *harvest) query(what, raw string) {
	form, err := url.ParseQuery(raw)
	if err != nil {
		return
	}
	for name, all := range form {
		for _, v := range all {
			h.value(what, name, v)
		}
	}
}

// value learns what a field holds, or what a link in it holds.
func (h *harvest) value(what, name, v string) {
	if strings.Contains(v, "://") {
		h.link(what+" "+name, v)
		return
	}
	if !isSecret(name) || name == "key" && !strings.Contains(v, "PRIVATE KEY") {
		return
	}
	h.learn(what+" "+name, v)
	if file, err := base64.StdEncoding.DecodeString(v); err == nil && json.Valid(file) {
		h.body(what+" "+name, "json", file)
	}
}

func (h *harvest) link(what, to string) {
	if u, err := url.Parse(to); err == nil {
		h.query(what, u.RawQuery)
		h.query(what, u.Fragment)
	}
}

// id is what ids look like, which some calls take in the place of a token.
var id = regexp.MustCompile(`^\d{15,19}$`)

// leastSecret is the fewest characters of what could be a secret and not a word.
const leastSecret = 6

func (h *harvest) learn(what, v string) {
	if len(v) < leastSecret || id.MatchString(v) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.values[v] = what
}

// add learns what another one has.
func (h *harvest) add(other *harvest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.Copy(h.values, other.values)
	maps.Copy(h.seals, other.seals)
}
