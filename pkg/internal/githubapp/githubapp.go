// Package githubapp gets the tokens of GitHub Apps: a JWT that the app's key signs
// is exchanged for a token of one installation, which is good for an hour.
package githubapp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/credential"
)

// ErrRejected reports that GitHub does not take the app, its key or its
// installation; trying again does not help. To be tested with [errors.Is].
var ErrRejected = errors.New("rejected")

const maxAnswer = 64 << 10 // bytes; an answer with 500 repositories has more, and is cut before they matter

// TokenURL returns where an installation's tokens are got. api is the API of a
// GitHub, "https://api.github.com"; it must be https, or on this machine.
func TokenURL(api, installation string) (string, error) {
	u, err := url.Parse(strings.TrimSuffix(api, "/"))
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("the API of GitHub must be a URL with a host alone, such as https://api.github.com")
	}
	if local := u.Hostname() == "127.0.0.1" || u.Hostname() == "::1" || u.Hostname() == "localhost"; u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return "", errors.New("the API of GitHub must be https")
	}
	if !number(installation) {
		return "", fmt.Errorf("installation id %q is no number; it is the last part of the address of the installation's settings", installation)
	}
	return u.JoinPath("app/installations", installation, "access_tokens").String(), nil
}

// A Token of an installation.
type Token struct {
	Secret    credential.Secret
	ExpiresAt time.Time
}

// Exchange returns a new token of the app in how, which is of kind
// [credential.RenewalGitHubApp] and has AppID, PrivateKey and TokenURL. It sends
// one request with client, of which it follows no redirect. The error is
// [ErrRejected] where GitHub refuses the app; it shows neither key nor token.
func Exchange(ctx context.Context, client *http.Client, how *credential.Renewal, now time.Time) (Token, error) {
	jwt, err := JWT(how.AppID, how.PrivateKey, now)
	if err != nil {
		return Token{}, fmt.Errorf("GitHub App %s: %w", how.AppID, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, how.TokenURL, nil)
	if err != nil {
		return Token{}, fmt.Errorf("GitHub App %s: %w", how.AppID, err)
	}
	req.Header.Set("Authorization", "Bearer "+jwt)
	req.Header.Set("Accept", "application/vnd.github+json")
	req.Header.Set("X-GitHub-Api-Version", "2022-11-28")
	req.Header.Set("User-Agent", "moat")
	straight := *client
	straight.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := straight.Do(req)
	if err != nil {
		return Token{}, fmt.Errorf("GitHub App %s: %w", how.AppID, err)
	}
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return Token{}, fmt.Errorf("GitHub App %s: read the answer of %s: %w", how.AppID, req.URL.Host, err)
	}
	t, err := parseToken(res.StatusCode, data)
	if err != nil {
		return Token{}, fmt.Errorf("GitHub App %s: %s: %w", how.AppID, req.URL.Host, err)
	}
	return t, nil
}

// parseToken reads the answer to an exchange.
func parseToken(status int, data []byte) (Token, error) {
	switch status {
	case http.StatusCreated, http.StatusOK:
	case http.StatusUnauthorized:
		return Token{}, fmt.Errorf("%w: the private key is not one of this app, or the clock of this machine is wrong", ErrRejected)
	case http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity:
		return Token{}, fmt.Errorf("%w: %d %s: the app has no such installation, or it is suspended", ErrRejected, status, http.StatusText(status))
	default:
		return Token{}, fmt.Errorf("the answer is %d %s", status, http.StatusText(status))
	}
	var answer struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	// Only the first value is read: the fields after the permissions may be cut.
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&answer); err != nil {
		return Token{}, errors.New("the answer is no JSON of a token") // the error of the parser may show a piece of it
	}
	if answer.Token == "" || answer.ExpiresAt.IsZero() {
		return Token{}, errors.New("the answer has no token, or does not say when it expires")
	}
	return Token{credential.Secret(answer.Token), answer.ExpiresAt}, nil
}
