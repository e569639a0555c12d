package inject

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWorkaround(t *testing.T) {
	for _, tt := range []struct {
		name, method, path string
		status             int
		want               int
	}{
		{"the profile that may not be asked", "GET", "/api/oauth/profile", 403, 200},
		{"the usage that may not be asked", "GET", "/api/oauth/usage", 403, 200},
		{"another endpoint", "GET", "/api/oauth/profiles", 403, 403},
		{"one below it", "GET", "/api/oauth/profile/x", 403, 403},
		{"another method", "POST", "/api/oauth/profile", 403, 403},
		{"a profile that may be asked", "GET", "/api/oauth/profile", 201, 201},
		{"another failure", "GET", "/api/oauth/usage", 401, 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := answer(strings.NewReader("denied"), "Content-Encoding", "gzip", "Content-Type", "text/html", "Etag", "x", "Date", "now")
			res.StatusCode, res.Request.Method, res.Request.URL.Path = tt.status, tt.method, tt.path
			got := scrubbedBody(t, &Rules{Kinds: []string{OAuthWorkaround}}, res)
			if res.StatusCode != tt.want {
				t.Errorf("%s %s with %d became %d, want %d", tt.method, tt.path, tt.status, res.StatusCode, tt.want)
			}
			if tt.want != 200 {
				if string(got) != "denied" || res.Header.Get("Etag") != "x" || res.Header.Get("X-Moat-Transformed") != "" {
					t.Errorf("body %q, header %v, want both as they were", got, res.Header)
				}
				return
			}
			want := http.Header{
				"Cache-Control": {"no-store"}, "Content-Length": {"2"}, "Content-Type": {"application/json"},
				"Date": {"now"}, "X-Moat-Transformed": {OAuthWorkaround},
			}
			if diff := cmp.Diff(want, res.Header); diff != "" || string(got) != "{}" {
				t.Errorf("body %q, want {}; header (-want +got):\n%s", got, diff)
			}
		})
	}
}

// adds returns a transformer that adds text to the body and to a header.
func adds(text string) Transformer {
	return func(_ *http.Request, res *http.Response) (*http.Response, error) {
		b, err := io.ReadAll(res.Body)
		res.Body = io.NopCloser(strings.NewReader(string(b) + text))
		res.Header.Add("X-Seen", text)
		return res, err
	}
}

func TestTransformersRunInOrder(t *testing.T) {
	rules := &Rules{Respond: []Transformer{adds("1"), adds("2"), adds(" abcd-1234-efgh")}, Kinds: scrubs.Kinds, Credentials: scrubs.Credentials}
	res := answer(strings.NewReader("0"), "Content-Length", "1")
	got := scrubbedBody(t, rules, res)
	if string(got) != "012 "+Redacted {
		t.Errorf("body = %q, want 012 and no secret", got)
	}
	if seen := res.Header.Values("X-Seen"); !slices.Equal(seen, []string{"1", "2", " " + Redacted}) {
		t.Errorf("X-Seen = %q, want 1, 2 and no secret", seen)
	}
	if got := res.Header.Get("Content-Length"); got != "" {
		t.Errorf("Content-Length = %s, want none", got)
	}
}

func TestWhatATransformerMayDo(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   Transformer
		want string // the status, the body and two headers
	}{
		{"nothing", func(_ *http.Request, res *http.Response) (*http.Response, error) {
			res.Header.Set("X", "lost")
			res.StatusCode = 500
			return nil, nil
		}, "200 body 4 "},
		{"change the status", func(_ *http.Request, res *http.Response) (*http.Response, error) {
			res.StatusCode = 404
			return res, nil
		}, "404 body 4 "},
		{"make an answer of its own", func(*http.Request, *http.Response) (*http.Response, error) {
			return &http.Response{StatusCode: 201}, nil
		}, "201   "},
		{"make one with a length", func(*http.Request, *http.Response) (*http.Response, error) {
			return &http.Response{StatusCode: 201, Header: http.Header{"Content-Length": {"3"}}, Body: io.NopCloser(strings.NewReader("new"))}, nil
		}, "201 new 3 "},
		{"see the request", func(req *http.Request, res *http.Response) (*http.Response, error) {
			res.Header.Set("X", req.URL.Host)
			return res, nil
		}, "200 body 4 host"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := answer(strings.NewReader("body"), "Content-Length", "4")
			body := scrubbedBody(t, &Rules{Respond: []Transformer{tt.do}}, res)
			got := fmt.Sprintf("%d %s %s %s", res.StatusCode, body, res.Header.Get("Content-Length"), res.Header.Get("X"))
			if got != tt.want {
				t.Errorf("the answer is %q, want %q", got, tt.want)
			}
		})
	}
}

func TestATransformerThatFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   Transformer
		want string
	}{
		{"with an error", func(*http.Request, *http.Response) (*http.Response, error) { return nil, errors.New("no luck") }, "no luck"},
		{"with a panic, whose value stays unknown", func(*http.Request, *http.Response) (*http.Response, error) { panic("abcd-1234-efgh") }, "panicked with a string"},
		{"with a nil map", func(_ *http.Request, res *http.Response) (*http.Response, error) {
			res.Header = nil
			res.Header["X"] = nil
			return res, nil
		}, "panicked with a runtime"},
		{"with a status that there is not", func(_ *http.Request, res *http.Response) (*http.Response, error) {
			res.StatusCode = 42
			return res, nil
		}, "status 42"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var failed *AnswerError
			err := (&Rules{Respond: []Transformer{tt.do}}).Response(answer(strings.NewReader("")))
			if !errors.As(err, &failed) || failed.Reason != "transform" || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "abcd") {
				t.Errorf("Response = %v, want %q of kind transform", err, tt.want)
			}
		})
	}
}

// closed counts.
type closed struct {
	io.Reader
	times int
}

func (c *closed) Close() error {
	c.times++
	return nil
}

func TestTheOldBodyIsClosedWithTheNew(t *testing.T) {
	body := &closed{Reader: strings.NewReader("0")}
	res := answer(nil)
	res.Body = body
	if scrubbedBody(t, &Rules{Respond: []Transformer{adds("1"), adds("2")}}, res); body.times != 1 {
		t.Errorf("the body of the upstream was closed %d times, want once", body.times)
	}
}

func TestNilRulesLeaveAnswersAlone(t *testing.T) {
	var none *Rules
	res := answer(strings.NewReader("body"), "X", "1")
	if got := scrubbedBody(t, none, res); string(got) != "body" || none.Scrubs() {
		t.Errorf("body = %q, Scrubs = %t, want the body and no", got, none.Scrubs())
	}
}

func TestUnknownKind(t *testing.T) {
	err := (&Rules{Kinds: []string{Scrub, "response-scrap"}}).Check()
	if err == nil || !strings.Contains(err.Error(), `"response-scrap" is not known: write oauth-endpoint-workaround or response-scrub`) {
		t.Errorf("Check = %v, want both kinds named", err)
	}
}
