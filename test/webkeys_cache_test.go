package test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/gatehouse/gatehouse/internal/testkit"
	"github.com/gatehouse/gatehouse/internal/webkey"
)

// cachingClient is a client that checks tokens with the keys that it loaded last, and loads them anew
// only when they are older than it was told, or than it likes.
type cachingClient struct {
	s      *testkit.Server
	keeps  time.Duration // 0: what the server says
	set    jose.JSONWebKeySet
	expire time.Time
	failed int
}

func (v *cachingClient) check(t *testing.T, token string) {
	t.Helper()
	if now := v.s.Clock.Now(); !now.Before(v.expire) {
		r := v.s.Send(t, testkit.Call{As: "nobody", Do: "GET /oauth/v2/keys"})
		seconds := 0
		if _, err := fmt.Sscanf(r.Header.Get("Cache-Control"), "public, max-age=%d", &seconds); err != nil || seconds == 0 {
			t.Fatalf("the keys are not cached: %q %v", r.Header.Get("Cache-Control"), err)
		}
		v.set = jose.JSONWebKeySet{}
		if err := json.Unmarshal(r.Body, &v.set); err != nil {
			t.Fatal(err)
		}
		v.expire = now.Add(max(v.keeps, time.Duration(seconds)*time.Second))
	}
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	if err := parsed.Claims(&v.set, &jwt.Claims{}); err != nil {
		v.failed++
	}
}

// TestKeysRotateUnderACachingVerifier: over ten hours in which keys take turns every two, a client
// that keeps the keys for as long as the server says knows each key before it signs, and for as
// long as what it signed is valid. One that keeps them for longer than a new key waits does not.
func TestKeysRotateUnderACachingVerifier(t *testing.T) {
	t.Parallel()
	s := testkit.Start(t)
	signer := webkey.NewSigner(s.Store, s.Vault)
	s.Run(t,
		testkit.Call{Name: "quick keys", Do: webKeyService + "CreateWebKey", Body: `{"ecdsa":{"curve":1}}`, Keep: map[string]string{"ec": "id"}, Events: []string{"web_key.added"}},
		testkit.Call{Name: "at work", Do: webKeyService + "ActivateWebKey", Body: `{"id":"$ec"}`, Events: []string{"web_key.deactivated", "web_key.activated"}},
	)
	for _, k := range s.Send(t, testkit.Call{Do: "GET " + webKeysPath}).JSON(t).(map[string]any)["webKeys"].([]any) { //nolint:forcetypeassert // the reply has them
		if key := k.(map[string]any); key["state"] != "STATE_ACTIVE" { //nolint:forcetypeassert // it is a message
			s.Send(t, testkit.Call{Do: fmt.Sprintf("DELETE %s/%v", webKeysPath, key["id"])}) // Those of RSA.
		}
	}
	if r := s.Send(t, testkit.Call{Do: "PUT " + rotationPath, Body: `{"rotation":{"enabled":true,"interval":"7200s","retention":"3600s"}}`}); r.Status != 200 {
		t.Fatalf("%d %s", r.Status, r.Body)
	}
	patient, stubborn := &cachingClient{s: s}, &cachingClient{s: s, keeps: 6 * time.Hour}
	var tokens []string
	for range 600 { // Minutes.
		s.Settle(t)
		tokens = append(tokens, signed(t, s, signer, s.InstanceID))
		patient.check(t, tokens[len(tokens)-1])
		patient.check(t, tokens[max(0, len(tokens)-60)]) // Valid for an hour.
		stubborn.check(t, tokens[len(tokens)-1])
		s.Clock.Advance(time.Minute)
	}
	if patient.failed > 0 || stubborn.failed == 0 {
		t.Errorf("%d of %d checks failed; of those with keys that were kept for too long %d, want some", patient.failed, 2*len(tokens), stubborn.failed)
	}
}
