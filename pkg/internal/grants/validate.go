package grants

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// Errors of [Validator.Validate], to be tested with [errors.Is].
var (
	// ErrRejected reports a secret that the service does not take.
	ErrRejected = errors.New("rejected")
	// ErrNotValidated reports that nobody could say whether the secret is good.
	ErrNotValidated = errors.New("not validated")
)

const (
	validateTimeout = 10 * time.Second
	maxValidation   = 64 << 10 // bytes read of an answer, which says nothing more
)

// A Validator asks services whether a secret is good. The zero value does so
// directly, with the roots of the system. It is safe for concurrent use.
type Validator struct {
	Roots *x509.CertPool                   // verify services; nil means the system's
	Proxy func(*url.URL) (*url.URL, error) // the proxy for a URL, nil for none; nil means none at all
}

// Validate sends the request of the provider that tells whether secret is good,
// with what would be put into one of a run. It takes 10 seconds at most, follows
// no redirect, and sends the secret to the host of that request alone. It returns
// the host, "" if the provider has no such request.
//
// The error is [ErrRejected] for a bad secret, and [ErrNotValidated] where the
// service was not reached or its answer says nothing of it. It does not show the
// secret.
func (v Validator) Validate(ctx context.Context, p *providers.Provider, secret credential.Secret) (host string, err error) {
	how, ok := p.Validation()
	if !ok {
		return "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, validateTimeout)
	defer cancel()
	req, err := validation(ctx, how)
	if err != nil {
		return "", err
	}
	host = req.URL.Host
	if err = equipRequest(p, secret, req); err != nil {
		return host, err
	}
	status, err := v.ask(req)
	switch {
	case err != nil:
		return host, fmt.Errorf("%w: %s %s: %s", ErrNotValidated, how.Method, host, without(err, secret))
	case status/100 == 2:
		return host, nil
	case slices.Contains(how.Rejects, status):
		return host, fmt.Errorf("%w: %s answers %d %s", ErrRejected, host, status, http.StatusText(status))
	}
	return host, fmt.Errorf("%w: %s answers %d %s, which says nothing of the secret", ErrNotValidated, host, status, http.StatusText(status))
}

// validation returns the request without the secret.
func validation(ctx context.Context, how providers.Validation) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, how.Method, how.URL, strings.NewReader(how.Body))
	if err != nil {
		return nil, err
	}
	req.Header = how.Header
	req.Header.Set("User-Agent", "moat")
	return req, nil
}

// Transport returns a new transport that reaches services as v does, and keeps no
// connection.
func (v Validator) Transport() *http.Transport {
	tr := &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: v.Roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
		DisableKeepAlives: true,
	}
	if v.Proxy != nil {
		tr.Proxy = func(r *http.Request) (*url.URL, error) { return v.Proxy(r.URL) }
	}
	return tr
}

// ask returns the status of the answer.
func (v Validator) ask(req *http.Request) (int, error) {
	tr := v.Transport()
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req) //nolint:gosec // the URL is of the provider, which says where its secret goes
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	_, err = io.CopyN(io.Discard, res.Body, maxValidation)
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	}
	return res.StatusCode, nil
}

// without returns the text of an error without the URL, which may have the secret
// in it, and without the secret.
func without(err error, secret credential.Secret) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return strings.ReplaceAll(err.Error(), secret.Reveal(), "[secret]")
}
