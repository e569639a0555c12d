package cli_test

import (
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/internal/pki"
)

// secret is the one secret of all tests. It has what base64, URLs and headers
// write in different ways.
const secret = "s3cr3t+with/all=signs-of~a.token"

// An origin is a server on localhost that remembers what it was asked. It never
// shows a credential in an answer.
type origin struct {
	secure, plain string // host:port of HTTPS and of HTTP
	caFile        string // whom clients of secure must trust
	handler       http.Handler

	mu   sync.Mutex
	seen []*http.Request // without bodies
}

// newOrigin starts an origin that answers with seenBody, and with what handler
// says if that is not nil.
func newOrigin(dir string, handler http.Handler) (o *origin, closeBoth func(), err error) {
	ca, err := pki.Create(time.Now())
	if err != nil {
		return nil, nil, err
	}
	o = &origin{caFile: filepath.Join(dir, "origin-ca.pem"), handler: handler}
	if err := os.WriteFile(o.caFile, ca.CertificatePEM(), 0o600); err != nil {
		return nil, nil, err
	}
	leaves := pki.NewLeaves(ca)
	secure, plain := httptest.NewUnstartedServer(o), httptest.NewServer(o)
	secure.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return leaves.Get("localhost") }}
	secure.StartTLS()
	o.secure, o.plain = localhost(secure.Listener), localhost(plain.Listener)
	return o, func() { secure.Close(); plain.Close() }, nil
}

func localhost(ln net.Listener) string {
	return strings.Replace(ln.Addr().String(), "127.0.0.1", "localhost", 1)
}

// seenBody is what the origin answers.
type seenBody struct {
	Method string `json:"method"`
	Path   string `json:"path"`
	Body   string `json:"body,omitempty"`
	Auth   bool   `json:"auth"` // the secret came in Authorization
}

func (o *origin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	o.mu.Lock()
	o.seen = append(o.seen, r)
	o.mu.Unlock()
	switch r.URL.Path {
	case "/cut":
		_, _ = io.WriteString(w, "the first half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	case "/reset":
		panic(http.ErrAbortHandler)
	}
	if text, ok := strings.CutPrefix(r.URL.Path, "/status/"); ok {
		if code, err := strconv.Atoi(text); err == nil {
			w.WriteHeader(code)
			return
		}
	}
	if o.handler != nil {
		o.handler.ServeHTTP(w, r)
		return
	}
	_, password, _ := r.BasicAuth()
	auth := r.Header.Get("Authorization") == "Bearer "+secret || password == secret
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(seenBody{r.Method, r.URL.Path, string(body), auth})
}

// requests returns what came since the origin started.
func (o *origin) requests() []*http.Request {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*http.Request(nil), o.seen...)
}

// provider describes a provider for the origin, for grants called demo.
func (o *origin) provider(home string) error {
	dir := filepath.Join(home, "providers")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	text := "name: demo\ninject:\n  - hosts: [\"" + o.secure + "\", \"" + o.plain + "\"]\n    prefix: \"Bearer \"\nenv:\n  DEMO_TOKEN: moat-placeholder\n"
	return os.WriteFile(filepath.Join(dir, "demo.yaml"), []byte(text), 0o600)
}

func startOrigin(t *testing.T, handler http.Handler) *origin {
	t.Helper()
	o, closeBoth, err := newOrigin(t.TempDir(), handler)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(closeBoth)
	return o
}
