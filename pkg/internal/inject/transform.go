package inject

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// transform lets t change res. What t gets is a copy: a transformer that fails
// has changed nothing.
func transform(t Transformer, res *http.Response) error {
	given := *res
	given.Header = res.Header.Clone()
	made, err := try(t, &given) //nolint:bodyclose // it goes on in res, and the proxy closes that
	if made == nil || err != nil {
		return err
	}
	if made.StatusCode != res.StatusCode && (made.StatusCode < 200 || made.StatusCode > 599) {
		return fmt.Errorf("a response transformer made the status %d", made.StatusCode)
	}
	adopt(res, made)
	return nil
}

// try turns a panic of t into an error that does not say what it was about:
// that may hold anything of the answer.
func try(t Transformer, given *http.Response) (made *http.Response, err error) {
	defer func() {
		if p := recover(); p != nil {
			made, err = nil, fmt.Errorf("a response transformer panicked with a %T", p)
		}
	}()
	return t(given.Request, given)
}

// adopt makes res what a transformer made of it. It stays the same object,
// because the transport puts the trailers there.
func adopt(res, made *http.Response) {
	if made.Header == nil {
		made.Header = make(http.Header)
	}
	if made.Body == nil {
		made.Body = http.NoBody
	}
	if made.Body != res.Body {
		const length = "Content-Length"
		if made.Header.Get(length) == res.Header.Get(length) {
			made.Header.Del(length) // it was that of the old body
			made.ContentLength = -1
		}
		made.Body = &replaced{made.Body, res.Body}
	}
	res.Status, res.StatusCode, res.Header = made.Status, made.StatusCode, made.Header
	res.Body, res.ContentLength = made.Body, made.ContentLength
	if made.Trailer != nil {
		res.Trailer = made.Trailer
	}
}

// replaced is a body in the place of another, which it may read from.
type replaced struct {
	io.ReadCloser
	old io.Closer
}

// Close closes both.
func (r *replaced) Close() error { return errors.Join(r.ReadCloser.Close(), r.old.Close()) }

// workAround answers for two endpoints that a token of `claude setup-token` may
// not ask, and without which the client does not start.
func workAround(res *http.Response) {
	req := res.Request
	if res.StatusCode != http.StatusForbidden || req.Method != http.MethodGet ||
		req.URL.Path != "/api/oauth/profile" && req.URL.Path != "/api/oauth/usage" {
		return
	}
	const empty = "{}"
	made := &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK,
		Header: http.Header{
			"Cache-Control":      {"no-store"},
			"Content-Length":     {fmt.Sprint(len(empty))},
			"Content-Type":       {"application/json"},
			"X-Moat-Transformed": {OAuthWorkaround},
		},
		Body: io.NopCloser(strings.NewReader(empty)), ContentLength: int64(len(empty)),
	}
	if date := res.Header.Get("Date"); date != "" {
		made.Header.Set("Date", date)
	}
	adopt(res, made)
	res.Trailer = nil
}
