package oauth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// ErrDenied reports that the person, or the authorization server, did not agree.
// To be tested with [errors.Is].
var ErrDenied = errors.New("the login was refused")

// LoginLimit is how long a browser is waited for.
const LoginLimit = 5 * time.Minute

const callbackPath = "/callback"

// A Callback waits on this machine for a browser that comes back from a login. It
// takes one.
type Callback struct {
	ln net.Listener
}

// Listen opens a callback at 127.0.0.1 with a free port, or at the port that is
// given, which is 0 for any.
func Listen(ctx context.Context, port int) (*Callback, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return nil, fmt.Errorf("listen for the browser: %w", err)
	}
	return &Callback{ln}, nil
}

// URL returns where the browser is to be sent.
func (c *Callback) URL() string { return "http://" + c.ln.Addr().String() + callbackPath }

// Port returns the port of the URL.
func (c *Callback) Port() int { return c.ln.Addr().(*net.TCPAddr).Port } //nolint:errcheck // Listen opens no other

// Close ends the wait, if there is one.
func (c *Callback) Close() error { return c.ln.Close() }

// Wait returns the code with which the browser comes back from the login l. What
// does not know its state, such as another page that guesses the port, is turned
// away and does not end the wait; that ends with ctx.
func (c *Callback) Wait(ctx context.Context, l *Login) (code string, err error) {
	type outcome struct {
		code string
		err  error
	}
	came := make(chan outcome, 1)
	srv := &http.Server{
		ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, MaxHeaderBytes: 32 << 10,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || r.URL.Path != callbackPath || r.Host != c.ln.Addr().String() || !l.knows(r.URL.Query()) {
				http.Error(w, "This is not the login that moat waits for.", http.StatusNotFound)
				return
			}
			code, err := l.code(r.URL.Query())
			page(w, err)
			select {
			case came <- outcome{code, err}:
			default: // a page that was loaded again
			}
		}),
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(c.ln) // which ends when it is closed, below
	}()
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = srv.Shutdown(end) // the page is on its way; there is nothing to do about one that is not
		<-served
	}()
	select {
	case got := <-came:
		return got.code, got.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// page is what the person sees at the end.
func page(w http.ResponseWriter, err error) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the code is in the address
	h.Set("Connection", "close")
	text := "moat has what it needs. You can close this page.\n"
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		text = "The login has failed; moat says why, where you started it. You can close this page.\n"
	}
	_, _ = w.Write([]byte(text)) // to a browser that may be gone
}

// knows reports whether the answer is to this login.
func (l *Login) knows(q url.Values) bool {
	return subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(l.state)) == 1
}

// Pasted returns the code in the URL that a browser was sent to where it did not
// reach the callback.
func (l *Login) Pasted(text string) (code string, err error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.RawQuery == "" {
		return "", errors.New("that is not the address that the browser was sent to: it begins with " + l.redirect)
	}
	if !l.knows(u.Query()) {
		return "", errors.New("that is the address of another login; paste the one that this login has led to")
	}
	return l.code(u.Query())
}

// code reads an answer to this login.
func (l *Login) code(q url.Values) (string, error) {
	iss := q.Get("iss")
	if l.Issuer != "" && (iss != "" && iss != l.Issuer || iss == "" && l.SaysIssuer) {
		return "", fmt.Errorf("%w: the answer is of issuer %.100q, and the login was at %s", ErrDenied, iss, l.Issuer)
	}
	if e := q.Get("error"); e != "" {
		return "", fmt.Errorf("%w: %s", ErrDenied, printable(e+" "+q.Get("error_description")))
	}
	if code := q.Get("code"); code != "" && len(q["code"]) == 1 {
		return code, nil
	}
	return "", fmt.Errorf("%w: the answer has no code", ErrDenied)
}
