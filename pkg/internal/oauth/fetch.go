package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	maxDocument = 256 << 10 // bytes of metadata, or of an answer with tokens
	maxHops     = 5         // redirects, within one host
	stepTimeout = 20 * time.Second
)

// careful returns a client like c that follows redirects on one host and over
// TLS alone, and only where nothing was sent but a question; whose answers end
// after maxDocument bytes; and that waits 20 seconds for each.
func careful(c *http.Client) *http.Client {
	strict := *c
	strict.Timeout = stepTimeout
	tr := c.Transport
	if tr == nil {
		tr = &http.Transport{DisableKeepAlives: true} // nobody would close what it keeps
	}
	strict.Transport = limited{tr}
	strict.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		first := via[0]
		if first.Method != http.MethodGet || next.URL.Host != first.URL.Host || next.URL.Scheme != first.URL.Scheme || len(via) > maxHops {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return &strict
}

// limited cuts what it is answered.
type limited struct{ http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxDocument), res.Body}
	}
	return res, err
}

// errNoDocument reports that there is none at a URL.
var errNoDocument = errors.New("there is no such document")

// document returns the JSON at a URL; [errNoDocument] if the server has none.
func document(ctx context.Context, c *http.Client, where string) ([]byte, error) {
	if _, err := safeURL(where); err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	res, err := ask(c, req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode/100 == 4 || res.StatusCode == http.StatusOK && !strings.Contains(res.Header.Get("Content-Type"), "json"):
		return nil, fmt.Errorf("%s: %w", where, errNoDocument) // some servers answer all they do not know with a page
	case res.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %d %s", where, res.StatusCode, http.StatusText(res.StatusCode))
	}
	data, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", where, err)
	}
	return data, nil
}

// ask sends a request without secrets, or to where its URL was checked.
func ask(c *http.Client, req *http.Request) (*http.Response, error) {
	req.Header.Set("User-Agent", "moat")
	return c.Do(req) // safeURL has seen each of them
}

// first returns the first document that is there, and where it was. A server that
// answers otherwise than that it has none ends the search.
func first(ctx context.Context, c *http.Client, urls []string) (data []byte, where string, err error) {
	for _, where = range urls {
		data, err = document(ctx, c, where)
		if !errors.Is(err, errNoDocument) {
			return data, where, err
		}
	}
	return nil, "", err
}
