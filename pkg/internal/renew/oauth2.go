package renew

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"golang.org/x/oauth2"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/oauth"
)

// oauth2 spends the refresh token of c. It is sent once.
func (r *Renewer) oauth2(ctx context.Context, c *credential.Credential) error {
	how := c.Renewal
	if err := checkTokenURL(how.TokenURL); err != nil {
		return err
	}
	if how.RefreshToken == "" {
		return final("there is no refresh token")
	}
	client := r.client()
	defer client.CloseIdleConnections()
	next, err := oauth.Renew(ctx, client, how)
	if err != nil {
		return refused(how.TokenURL, err)
	}
	c.Secret, c.ExpiresAt, how.RefreshToken = next.Access, next.ExpiresAt, next.Refresh
	return nil
}

// checkTokenURL refuses to send what is secret in clear.
func checkTokenURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return final("its token URL is no URL")
	}
	local := slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname())
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return final("its token URL is not https, so the refresh token would go out in clear")
	}
	return nil
}

// client returns a client that follows no redirect, keeps no connection, and thus
// never sends a request a second time by itself.
func (r *Renewer) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: r.Roots, MinVersion: tls.VersionTLS12},
			ForceAttemptHTTP2: true,
			DisableKeepAlives: true,
		},
		Timeout:       exchangeTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// finalCodes are the errors of RFC 6749, section 5.2, that no second attempt mends.
var finalCodes = []string{"invalid_grant", "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope"}

// refused classes what went wrong at a token endpoint. The server's description
// stays out of the text: it may repeat what it was sent.
func refused(tokenURL string, err error) error {
	host := hostOf(tokenURL)
	e, ok := errors.AsType[*oauth2.RetrieveError](err)
	if !ok {
		return failed("%s: %s", host, reason(err))
	}
	status := 0
	if e.Response != nil {
		status = e.Response.StatusCode
	}
	if slices.Contains(finalCodes, e.ErrorCode) {
		return final("%s answers %d %s", host, status, e.ErrorCode)
	}
	return failed("%s answers %d %s", host, status, http.StatusText(status))
}

func hostOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "the server"
	}
	return u.Host
}

// reason returns the text of an error of a client without the URL, and without
// what the server has sent.
func reason(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		if u.Timeout() {
			return "no answer in time"
		}
		return u.Err.Error()
	}
	return "an answer that is none of OAuth 2"
}
