package oauth

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/moatd/moatd/pkg/credential"
)

// The ways of a client to show itself at the token endpoint.
const (
	authNone  = "none"
	authPost  = "client_secret_post"
	authBasic = "client_secret_basic"
)

// A Client is what an authorization server knows us as.
type Client struct {
	ID     string
	Secret credential.Secret // "" for a public client
	Auth   string            // as [credential.Renewal.ClientAuth]
}

// ErrNoRegistration reports an authorization server at which a client has to be
// made by hand. To be tested with [errors.Is].
var ErrNoRegistration = errors.New("it registers no clients by itself")

// Register makes a client at s (RFC 7591) that is sent back to redirect. A
// public one is preferred: it has no secret to keep.
func Register(ctx context.Context, client *http.Client, s Server, redirect string, scopes []string) (Client, error) {
	if s.RegisterURL == "" {
		return Client{}, fmt.Errorf("authorization server %s: %w", s.Issuer, ErrNoRegistration)
	}
	if _, err := safeURL(s.RegisterURL); err != nil {
		return Client{}, err
	}
	body, err := json.Marshal(map[string]any{
		"client_name": "moat", "redirect_uris": []string{redirect}, "scope": strings.Join(scopes, " "),
		"grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
		"token_endpoint_auth_method": preferred(s.ClientAuth),
	})
	if err != nil {
		return Client{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.RegisterURL, bytes.NewReader(body))
	if err != nil {
		return Client{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	res, err := ask(careful(client), req)
	if err != nil {
		return Client{}, fmt.Errorf("register a client: %w", err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return Client{}, fmt.Errorf("register a client: %w", err)
	}
	c, err := parseClient(res.StatusCode, data)
	if err != nil {
		return Client{}, fmt.Errorf("register a client at %s: %w", req.URL.Host, err)
	}
	return c, nil
}

// preferred returns the way that is asked for, of those that a server takes.
func preferred(ways []string) string {
	for _, w := range []string{authNone, authPost, authBasic} {
		if slices.Contains(ways, w) {
			return w
		}
	}
	return authNone
}

// parseClient reads the answer to a registration.
func parseClient(status int, data []byte) (Client, error) {
	if status/100 != 2 {
		return Client{}, fmt.Errorf("it answers %d %s%s", status, http.StatusText(status), reason(data))
	}
	var doc struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
		Auth   string `json:"token_endpoint_auth_method"`
	}
	if err := json.Unmarshal(data, &doc); err != nil || doc.ID == "" {
		return Client{}, errors.New("its answer has no client_id")
	}
	c := Client{ID: doc.ID, Secret: credential.Secret(doc.Secret)}
	switch doc.Auth {
	case authNone:
		c.Secret = ""
	case authBasic, "":
		if c.Secret != "" {
			c.Auth = credential.ClientAuthBasic // RFC 7591, 2: the default
		}
	case authPost:
	default:
		return Client{}, fmt.Errorf("it wants clients to show themselves by %.100q, which moat cannot do", doc.Auth)
	}
	return c, nil
}

// reason returns what an error of OAuth says, "" if it is none; its texts are
// made to be read, and come after what was attempted.
func reason(data []byte) string {
	var doc struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if json.Unmarshal(data, &doc) != nil || doc.Error == "" {
		return ""
	}
	return ": " + printable(doc.Error+" "+doc.Description)
}

// printable returns at most 200 characters of a text that somebody else wrote, on
// one line and without what moves a terminal's cursor.
func printable(text string) string {
	text = strings.Map(func(c rune) rune {
		if c < ' ' || c >= 0x7f && c < 0xa0 {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(text, "?"))
	if r := []rune(text); len(r) > 200 {
		text = string(r[:200])
	}
	return strings.TrimSpace(text)
}
