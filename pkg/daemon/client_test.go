package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// older serves what fn answers, as a daemon of another version would.
func older(t *testing.T, fn http.HandlerFunc) *Client {
	t.Helper()
	sock := tempSock(t)
	ln, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: fn}
	go func() { _ = srv.Serve(ln) }()
	t.Cleanup(func() { srv.Close() })
	return NewClient(sock)
}

const clientToken = "t0ken/with %odd?parts"

func TestWhatTheClientMakesOfAnswers(t *testing.T) {
	update := func(ctx context.Context, c *Client) error { return c.UpdateRun(ctx, clientToken, "c") }
	reload := func(ctx context.Context, c *Client) error { return c.Reload(ctx) }
	health := func(ctx context.Context, c *Client) error { _, err := c.Health(ctx); return err }
	for _, tt := range []struct {
		name   string
		call   func(context.Context, *Client) error
		status int
		body   string
		want   error  // nil for none in particular
		text   string // of the error
	}{
		{"a code that it knows", update, 404, `{"error":"gone","code":"run_not_found"}`, ErrRunNotFound, "gone"},
		{"a code without a text", update, 409, `{"code":"run_exists"}`, ErrRunExists, "run exists"},
		{"404 from a daemon without codes, about a run", update, 404, "run not found", ErrRunNotFound, "run not found"},
		{"404 for a call that the daemon does not know", reload, 404, "404 page not found", ErrUnsupported, ErrUnsupported.Error()},
		{"405 for a call that the daemon does not know", reload, 405, "", ErrUnsupported, ErrUnsupported.Error()},
		{"a code of a newer daemon", reload, 429, `{"error":"slow down","code":"busy"}`, nil, "status 429: slow down"},
		{"an error that is no JSON", reload, 500, "oops", nil, "status 500: Internal Server Error"},
		{"an answer that is no JSON", health, 200, "oops", nil, "moatd's answer makes no sense: invalid character 'o' looking for beginning of value"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := older(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				fmt.Fprint(w, tt.body)
			})
			err := tt.call(t.Context(), c)
			if tt.want != nil && !errors.Is(err, tt.want) || err == nil || err.Error() != tt.text {
				t.Errorf("got %v, want %q", err, tt.text)
			}
		})
	}
}

func TestErrorsOfTheClientNameNoToken(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cut := older(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	for name, err := range map[string]error{
		"no daemon":        NewClient(tempSock(t)).UpdateRun(t.Context(), clientToken, ""),
		"an ended context": cut.UnregisterRun(ctx, clientToken),
		"a cut connection": cut.UnregisterRun(t.Context(), clientToken),
	} {
		if err == nil || strings.Contains(err.Error(), "t0ken") || strings.Contains(err.Error(), "/v1/") {
			t.Errorf("%s: %v; want an error without the token", name, err)
		}
	}
	if _, err := NewClient(tempSock(t)).Health(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Health(no socket) = %v, want one that is os.ErrNotExist", err)
	}
}

func TestOddTokensReachTheirRun(t *testing.T) {
	r := NewRegistry()
	_, c := serve(t, Options{Registry: r})
	for _, token := range []string{".", "..", "a/../b", "a//b", "%2E", "?x=1#y", clientToken} {
		r.RegisterWithToken(NewRunContext("r"), token)
		if err := c.UpdateRun(t.Context(), token, "c"); err != nil {
			t.Errorf("UpdateRun(%q) = %v", token, err)
		}
		if err := c.UnregisterRun(t.Context(), token); err != nil || r.Count() != 0 {
			t.Errorf("UnregisterRun(%q) = %v, %d runs left", token, err, r.Count())
		}
	}
	if err := c.UnregisterRun(t.Context(), ""); !errors.Is(err, ErrRunNotFound) {
		t.Errorf("UnregisterRun(no token) = %v, want ErrRunNotFound", err)
	}
}

// roundTrip is a transport without a network.
type roundTrip func(*http.Request) (*http.Response, error)

func (fn roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return fn(r) }

func TestARegistrationWaitsForTheNextDaemon(t *testing.T) {
	for _, tt := range []struct {
		name      string
		closing   int // answers before one that is a success
		limit     time.Duration
		want      error
		wantAfter time.Duration
	}{
		{"a daemon that is there", 0, time.Hour, nil, 0},
		{"one that comes", 3, time.Hour, nil, 3 * closingWait},
		{"none that comes", 1000, time.Hour, ErrClosing, closingRetries * closingWait},
		{"a caller who does not wait", 1000, closingWait / 2, context.DeadlineExceeded, closingWait / 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, left := NewClient("unused"), tt.closing
				c.http.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
					rec := httptest.NewRecorder()
					if left--; left >= 0 {
						rec.WriteHeader(http.StatusServiceUnavailable)
						fmt.Fprint(rec, `{"error":"daemon is closing","code":"closing"}`)
					} else {
						rec.WriteHeader(http.StatusCreated)
						fmt.Fprint(rec, `{"auth_token":"t","proxy_port":1,"later":true}`)
					}
					return rec.Result(), nil
				})
				ctx, cancel := context.WithTimeout(t.Context(), tt.limit)
				defer cancel()
				begin := time.Now()
				_, err := c.RegisterRun(ctx, RegisterRequest{RunID: "a"})
				if !errors.Is(err, tt.want) || time.Since(begin) != tt.wantAfter {
					t.Errorf("RegisterRun = %v after %v, want %v after %v", err, time.Since(begin), tt.want, tt.wantAfter)
				}
			})
		})
	}
}

func TestRegistrationsWhileTheDaemonCloses(t *testing.T) {
	r := NewRegistry()
	if !r.closeIfEmpty() {
		t.Fatal("closeIfEmpty = false for an empty registry")
	}
	_, c := serve(t, Options{Registry: r})
	_, err := call[*RegisterResponse](t.Context(), c, http.MethodPost, "/v1/runs", RegisterRequest{RunID: "a"})
	if !errors.Is(err, ErrClosing) {
		t.Errorf("a registration = %v, want ErrClosing", err)
	}
}
