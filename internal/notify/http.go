package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gatehouse/gatehouse/internal/message"
	"github.com/gatehouse/gatehouse/internal/provider"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 10

// posted is what an endpoint is told.
type posted struct {
	ContextInfo  contextInfo       `json:"contextInfo"`
	TemplateData templateData      `json:"templateData"`
	Args         map[string]string `json:"args"`
}

type contextInfo struct {
	EventType             string       `json:"eventType"`
	Provider              providerInfo `json:"provider"`
	RecipientEmailAddress string       `json:"recipientEmailAddress,omitempty"`
	RecipientPhoneNumber  string       `json:"recipientPhoneNumber,omitempty"`
}

type providerInfo struct {
	ID          string `json:"id"`
	Description string `json:"description"`
}

type templateData struct {
	Title           string `json:"title,omitempty"`
	PreHeader       string `json:"preHeader,omitempty"`
	Subject         string `json:"subject,omitempty"`
	Greeting        string `json:"greeting,omitempty"`
	Text            string `json:"text"`
	URL             string `json:"url,omitempty"`
	ButtonText      string `json:"buttonText,omitempty"`
	FooterText      string `json:"footerText,omitempty"`
	PrimaryColor    string `json:"primaryColor,omitempty"`
	BackgroundColor string `json:"backgroundColor,omitempty"`
	FontColor       string `json:"fontColor,omitempty"`
}

// post tells an endpoint what to send, signed with its key: the signature covers
// the time and the body, so that neither can be changed or played again later.
func (w *Worker) post(ctx context.Context, p provider.Provider, key string, m message.Message, c content) error {
	info := contextInfo{EventType: events[m.Kind].about, Provider: providerInfo{p.ID, p.Description()}}
	if m.Channel == message.SMS {
		info.RecipientPhoneNumber = m.Recipient
	} else {
		info.RecipientEmailAddress = m.Recipient
	}
	args := map[string]string{}
	for name, value := range c.values {
		args[strings.ToLower(name[:1])+name[1:]] = value
	}
	body, err := json.Marshal(posted{ContextInfo: info, Args: args, TemplateData: templateData{
		Title: c.Title, PreHeader: c.PreHeader, Subject: c.Subject, Greeting: c.Greeting, Text: c.Text, URL: c.URL,
		ButtonText: c.Button, FooterText: c.Footer, PrimaryColor: c.Primary, BackgroundColor: c.Background, FontColor: c.Font,
	}})
	if err != nil {
		return err
	}
	header := http.Header{contentType: {"application/json"}, signatureHeader: {sign(key, w.store.Now().Unix(), body)}}
	_, err = w.out.Post(ctx, p.HTTP.Endpoint, header, body, maxAnswer)
	return err
}

const (
	contentType = "Content-Type"
	// signatureHeader carries the signature of what is posted.
	signatureHeader = "Zitadel-Signature"
)

func sign(key string, at int64, body []byte) string {
	t := strconv.FormatInt(at, 10)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// twilioURL is where Twilio takes messages of an account.
const twilioURL = "https://api.twilio.com/2010-04-01/Accounts/%s/Messages.json"

// smsByTwilio hands an SMS to Twilio.
func (w *Worker) smsByTwilio(ctx context.Context, c *provider.Twilio, authToken, to, text string) error {
	form := url.Values{"To": {to}, "From": {c.SenderNumber}, "Body": {text}}
	r := http.Request{Header: http.Header{contentType: {"application/x-www-form-urlencoded"}}}
	r.SetBasicAuth(c.SID, authToken)
	_, err := w.out.Post(ctx, fmt.Sprintf(twilioURL, url.PathEscape(c.SID)), r.Header, []byte(form.Encode()), maxAnswer)
	return err
}

var errToken = errors.New("the token endpoint answered without an access token")

// accessToken asks for the token that proves to a mail server who sends.
func (w *Worker) accessToken(ctx context.Context, c *provider.XOAuth2, secret string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(c.Scopes) > 0 {
		form.Set("scope", strings.Join(c.Scopes, " "))
	}
	r := http.Request{Header: http.Header{contentType: {"application/x-www-form-urlencoded"}, "Accept": {"application/json"}}}
	r.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(secret))
	body, err := w.out.Post(ctx, c.TokenEndpoint, r.Header, []byte(form.Encode()), maxAnswer)
	if err != nil {
		return "", err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.AccessToken == "" {
		return "", errToken
	}
	return answer.AccessToken, nil
}
