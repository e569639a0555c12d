package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// changeRun makes a call about one run. Every daemon has these calls, so that
// one that is not found means that the run is not.
func (c *Client) changeRun(ctx context.Context, method, token string, req any) error {
	if token == "" {
		return ErrRunNotFound
	}
	_, err := call[empty](ctx, c, method, runPath(token), req)
	if errors.Is(err, ErrUnsupported) {
		return ErrRunNotFound
	}
	return err
}

// runPath returns the path of a run. Dots are escaped: the server would take a
// token of dots alone for a way up.
func runPath(token string) string {
	return "/v1/runs/" + strings.ReplaceAll(url.PathEscape(token), ".", "%2E")
}

// call sends req, nothing if it is nil, and decodes the answer into a Resp. Its
// errors hold no path, since a path may hold a token.
func call[Resp any](ctx context.Context, c *Client, method, path string, req any) (resp Resp, err error) {
	var body bytes.Buffer
	if req != nil {
		if err = json.NewEncoder(&body).Encode(req); err != nil {
			return resp, fmt.Errorf("encode the request: %v", err)
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://moatd"+path, &body)
	if err != nil {
		return resp, errors.New("the request makes no URL")
	}
	c.introduce(r)
	res, err := c.http.Do(r)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err
		}
		return resp, fmt.Errorf("talk to moatd: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 299 {
		var said apiError
		_ = json.NewDecoder(res.Body).Decode(&said) // goError copes with an answer that is none of ours
		return resp, goError(res.StatusCode, said)
	}
	if res.StatusCode == http.StatusNoContent {
		return resp, nil
	}
	if err := json.NewDecoder(res.Body).Decode(&resp); err != nil {
		return resp, fmt.Errorf("moatd's answer makes no sense: %v", err)
	}
	return resp, nil
}
