package user

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"testing"

	"github.com/descope/virtualwebauthn"
	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
)

var (
	fuzzSites = sites{"id.example.com"}
	fuzzUser  = Ref{Instance: "1", Org: "2", UserID: "3"}
	fuzzParty = virtualwebauthn.RelyingParty{ID: "id.example.com", Name: "id.example.com", Origin: "https://id.example.com"}
)

// registered is a key that answered a challenge, with the challenge and the answer.
func registered(f *testing.F) (device virtualwebauthn.Authenticator, key virtualwebauthn.Credential, state, answer []byte) {
	f.Helper()
	const whole = 77 // bytes of a P-256 key in COSE; the library can leave leading zeros out
	for key.Key == nil || len(key.Key.AttestationData()) != whole {
		key = virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2)
	}
	device = virtualwebauthn.NewAuthenticator()
	options, state, err := begin(fuzzUser, KeyRequest{Kind: Passkey, Name: "ada", DisplayName: "Ada"}, fuzzParty.ID, nil)
	if err != nil {
		f.Fatal(err)
	}
	o, err := virtualwebauthn.ParseAttestationOptions(string(options))
	if err != nil {
		f.Fatal(err)
	}
	return device, key, state, []byte(virtualwebauthn.CreateAttestationResponse(fuzzParty, device, key, *o))
}

// FuzzCreated: a key is registered only by an answer to the challenge, from our page, and
// with a public key that can be used.
func FuzzCreated(f *testing.F) {
	_, _, state, answer := registered(f)
	var session webauthn.SessionData
	if err := json.Unmarshal(state, &session); err != nil {
		f.Fatal(err)
	}
	f.Add(answer)
	f.Add(bytes.Replace(answer, []byte("public-key"), []byte("x"), 1))
	f.Add([]byte(`{"id":"eA","rawId":"eA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA"}}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		got, err := fuzzSites.created(fuzzUser, state, answer)
		if err != nil {
			return
		}
		parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
		if err != nil {
			t.Fatal(err)
		}
		data := parsed.Response.CollectedClientData
		if data.Challenge != session.Challenge || data.Origin != fuzzParty.Origin || data.Type != protocol.CreateCeremony {
			t.Errorf("%q registers a key", answer)
		}
		if _, err := webauthncose.ParsePublicKey(got.PublicKey); err != nil || len(got.CredentialID) == 0 || len(got.CredentialID) > 1023 || got.RPID != fuzzParty.ID {
			t.Errorf("%q registers %+v (%v)", answer, got, err)
		}
	})
}

// FuzzAnswered: no answer is that of a key which the key did not sign, for this challenge and
// our page.
func FuzzAnswered(f *testing.F) {
	device, key, state, answer := registered(f)
	created, err := fuzzSites.created(fuzzUser, state, answer)
	if err != nil {
		f.Fatal(err)
	}
	public, err := webauthncose.ParsePublicKey(created.PublicKey)
	if err != nil {
		f.Fatal(err)
	}
	known := []factor{{Factor: Factor{ID: "f", Kind: Passkey, State: FactorReady, Key: created.Key}}}
	device.AddCredential(key)
	device.Options.UserHandle = []byte(fuzzUser.UserID)
	party, err := relyingParty(fuzzParty.ID, fuzzParty.Origin)
	if err != nil {
		f.Fatal(err)
	}
	options, session, err := party.BeginLogin(holder{id: fuzzUser.UserID, keys: known})
	if err != nil {
		f.Fatal(err)
	}
	text, _ := json.Marshal(options)
	o, err := virtualwebauthn.ParseAssertionOptions(string(text))
	if err != nil {
		f.Fatal(err)
	}
	good := []byte(virtualwebauthn.CreateAssertionResponse(fuzzParty, device, key, *o))
	evil := fuzzParty
	evil.Origin = "https://evil.example.com"
	f.Add(good)
	f.Add([]byte(virtualwebauthn.CreateAssertionResponse(evil, device, key, *o)))
	f.Add([]byte(virtualwebauthn.CreateAssertionResponse(fuzzParty, device, virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2), *o)))
	check := func(answer []byte) (*protocol.ParsedCredentialAssertionData, error) {
		parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
		if err == nil {
			_, err = fuzzSites.answered(fuzzUser, known, *session, parsed)
		}
		return parsed, err
	}
	if _, err := check(good); err != nil {
		f.Fatalf("the answer of the key: %v", err)
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		parsed, err := check(answer)
		if err != nil {
			return
		}
		data := parsed.Response.CollectedClientData
		if data.Challenge != session.Challenge || data.Origin != fuzzParty.Origin || data.Type != protocol.AssertCeremony {
			t.Errorf("%q is an answer", answer)
		}
		sum := sha256.Sum256(parsed.Raw.AssertionResponse.ClientDataJSON)
		signed := append(bytes.Clone(parsed.Raw.AssertionResponse.AuthenticatorData), sum[:]...)
		if ok, err := webauthncose.VerifySignature(public, signed, parsed.Response.Signature); !ok || err != nil {
			t.Errorf("%q is an answer that the key did not sign (%v)", answer, err)
		}
	})
}

// FuzzPublicKey: a key of a machine that is taken can check signatures, and has one form.
func FuzzPublicKey(f *testing.F) {
	ed, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(ed)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		one, err := cleanPublicKey(data)
		if err != nil {
			return
		}
		key, err := ParsePublicKey(one)
		if err != nil || len(Algorithms(key)) == 0 {
			t.Fatalf("%q checks nothing: %v", one, err)
		}
		if two, err := cleanPublicKey([]byte(one)); err != nil || two != one {
			t.Errorf("%q is %q and then %q (%v)", data, one, two, err)
		}
	})
}
