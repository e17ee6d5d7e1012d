// Command device is what people hold in their hands, for scripts: an authenticator app
// and a passkey. It knows nothing of Gatehouse.
//
//	device totp SECRET [AHEAD]     the code of now, or of so many periods ahead
//	device create FILE ORIGIN      answers the options of a registration with a new key, kept in FILE
//	device get FILE ORIGIN         answers the options of an assertion with that key
//
// The options are read from the standard input: the reply of the server as a whole.
package main

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base32"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/descope/virtualwebauthn"
)

func main() {
	answer, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "device:", err)
		os.Exit(1)
	}
	fmt.Println(answer)
}

func run(args []string) (string, error) {
	switch {
	case len(args) == 2 && args[0] == "totp":
		return totp(args[1], "0")
	case len(args) == 3 && args[0] == "totp":
		return totp(args[1], args[2])
	case len(args) == 3 && args[0] == "create":
		return create(args[1], args[2])
	case len(args) == 3 && args[0] == "get":
		return get(args[1], args[2])
	}
	return "", errors.New("usage: device totp SECRET [AHEAD] | create FILE ORIGIN | get FILE ORIGIN")
}

const period = 30 // seconds

// totp is a code by RFC 6238. Where the period is about to end, it waits for the next
// one, so that the code arrives in the period that it was made for.
func totp(secret, ahead string) (string, error) {
	steps, err := strconv.ParseInt(ahead, 10, 32)
	if err != nil {
		return "", err
	}
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret)
	if err != nil {
		return "", err
	}
	if left := period - time.Now().Unix()%period; left <= 2 {
		time.Sleep(time.Duration(left) * time.Second)
	}
	mac := hmac.New(sha1.New, key)
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(time.Now().Unix()/period+steps)))
	sum := mac.Sum(nil)
	n := binary.BigEndian.Uint32(sum[sum[len(sum)-1]&0xf:]) & 0x7fffffff
	return fmt.Sprintf("%06d", n%1_000_000), nil
}

// key is a passkey, which verifies its user.
type key struct {
	Authenticator virtualwebauthn.Authenticator
	Credential    virtualwebauthn.Credential
}

func create(file, origin string) (string, error) {
	page, options, err := asked(origin)
	if err != nil {
		return "", err
	}
	o, err := virtualwebauthn.ParseAttestationOptions(options)
	if err != nil {
		return "", err
	}
	k := key{
		Authenticator: virtualwebauthn.NewAuthenticatorWithOptions(virtualwebauthn.AuthenticatorOptions{BackupEligible: true}),
		Credential:    newCredential(),
	}
	data, err := json.Marshal(k)
	if err != nil {
		return "", err
	}
	return virtualwebauthn.CreateAttestationResponse(page, k.Authenticator, k.Credential, *o), os.WriteFile(file, data, 0o600)
}

// newCredential makes a key. The library writes coordinates without their leading zeros,
// which RFC 9053, section 7.1.1, forbids: such keys are passed over.
func newCredential() virtualwebauthn.Credential {
	const whole = 77 // bytes of a P-256 key in COSE
	for {
		if c := virtualwebauthn.NewCredential(virtualwebauthn.KeyTypeEC2); len(c.Key.AttestationData()) == whole {
			return c
		}
	}
}

func get(file, origin string) (string, error) {
	page, options, err := asked(origin)
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var k key
	if err := json.Unmarshal(data, &k); err != nil {
		return "", err
	}
	o, err := virtualwebauthn.ParseAssertionOptions(options)
	if err != nil {
		return "", err
	}
	return virtualwebauthn.CreateAssertionResponse(page, k.Authenticator, k.Credential, *o), nil
}

// asked finds the options in the server's reply, and the page that a browser would say
// they are for.
func asked(origin string) (page virtualwebauthn.RelyingParty, options string, err error) {
	u, err := url.Parse(origin)
	if err != nil {
		return page, "", err
	}
	data, err := io.ReadAll(os.Stdin)
	if err != nil {
		return page, "", err
	}
	var reply struct {
		Creation   json.RawMessage `json:"publicKeyCredentialCreationOptions"`
		Challenges struct {
			WebAuthN struct {
				Request json.RawMessage `json:"publicKeyCredentialRequestOptions"`
			} `json:"webAuthN"`
		} `json:"challenges"`
	}
	if err := json.Unmarshal(data, &reply); err != nil {
		return page, "", err
	}
	page = virtualwebauthn.RelyingParty{ID: u.Hostname(), Name: u.Hostname(), Origin: origin}
	options = cmp.Or(string(reply.Creation), string(reply.Challenges.WebAuthN.Request))
	if options == "" {
		return page, "", errors.New("the reply has no options")
	}
	return page, options, nil
}
