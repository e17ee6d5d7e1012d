package oidc

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"

	"github.com/gatehouse/gatehouse/internal/application"
	"github.com/gatehouse/gatehouse/internal/fault"
	"github.com/gatehouse/gatehouse/internal/flow"
	"github.com/gatehouse/gatehouse/internal/oauth"
)

// maxParameters bounds how many there are, of any name.
const maxParameters = 100

var (
	errTwice      = fault.Invalid("", "A parameter is there more than once.")
	errUndecoded  = fault.Invalid("", "The parameters cannot be decoded.")
	errParameters = fault.Invalid("", "A request can have %d parameters.", maxParameters)
)

var errLarge = fault.Exhausted("", "The request is larger than %d bytes.", maxBody)

// readForm reads the parameters of a body. Those of the URL do not count: what is in
// there ends in logs.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.URL.RawQuery != "" {
		return nil, fault.Invalid("", "Send the parameters in the body and not in the URL.")
	}
	form, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	return form, once(form)
}

// readBody reads the parameters of a body.
func readBody(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return nil, fault.Invalid("", "The Content-Type must be application/x-www-form-urlencoded.")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, errLarge
	}
	if err != nil {
		return nil, fault.Invalid("", "The request ends too early.").Because(err)
	}
	return parse(string(body))
}

// readPage reads the parameters of a request that a browser makes, by either method.
// Whether each is there once is for the caller to ask.
func readPage(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method == http.MethodPost {
		return readBody(w, r)
	}
	return parse(r.URL.RawQuery)
}

func parse(text string) (url.Values, error) {
	form, err := url.ParseQuery(text)
	if err != nil {
		return nil, errUndecoded.Because(err)
	}
	if len(form) > maxParameters {
		return nil, errParameters
	}
	return form, nil
}

// once refuses parameters that are there more than once: who reads them next could
// take another one. Audiences can be several (RFC 8693, section 2.1).
func once(form url.Values) error {
	for name, values := range form {
		if len(values) > 1 && name != "audience" {
			return errTwice
		}
	}
	return nil
}

// assertionType is of client_assertion_type.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

var (
	errTwoProofs     = fault.Invalid("", "Authenticate in one way: in the header, with a client_secret, or with a client_assertion.")
	errAssertionType = fault.Invalid("", "The client_assertion_type must be %s.", assertionType)
	errBasic         = fault.Unauthenticated("OIDC-basic", "The Authorization header must be \"Basic\", with client id and secret, each encoded as in a URL.").With(oauth.InvalidClient)
)

// proofOf gives how a client proves who it is (RFC 6749, section 2.3, and RFC 7523,
// section 2.2; where it pushes a request, also RFC 9126, section 2).
func (s *Server) proofOf(r *http.Request, issuer string, form url.Values) (p flow.ClientProof, err error) {
	p = flow.ClientProof{ID: form.Get("client_id"), Method: application.AuthNone, Audience: []string{issuer, issuer + pathToken}}
	if r.URL.Path == pathPush {
		p.Audience = append(p.Audience, issuer+pathPush)
	}
	inHeader, inBody, signed := r.Header.Get("Authorization") != "", form.Has("client_secret"), form.Has("client_assertion")
	switch {
	case inHeader && inBody, inHeader && signed, inBody && signed:
		return p, errTwoProofs
	case inHeader:
		p.Method = application.AuthBasic
		id, secret, ok := basic(r)
		if !ok || p.ID != "" && p.ID != id {
			return p, errBasic
		}
		p.ID, p.Secret = id, secret
	case inBody:
		p.Method, p.Secret = application.AuthPost, form.Get("client_secret")
	case signed:
		p.Method, p.Assertion = application.AuthPrivateKeyJWT, form.Get("client_assertion")
		if form.Get("client_assertion_type") != assertionType {
			return p, errAssertionType
		}
	}
	return p, nil
}

// basic gives name and secret of the header, which are encoded as in a URL.
func basic(r *http.Request) (name, secret string, ok bool) {
	name, secret, ok = r.BasicAuth()
	if !ok {
		return "", "", false
	}
	name, err := url.QueryUnescape(name)
	if err != nil {
		return "", "", false
	}
	secret, err = url.QueryUnescape(secret)
	return name, secret, err == nil
}
