// Package daemontest runs a whole daemon inside a test: in a temporary home,
// with its own socket and port, on real files and real connections. It is for
// the tests of this module and of programs that use it.
package daemontest

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/moatd"
)

// A Daemon is a daemon and its home. Its methods end the test when they fail;
// they are not for use by several goroutines.
type Daemon struct {
	Settings config.Settings
	Client   *daemon.Client
	// Keys have the key of the credentials; nil means a key in a file of the home.
	Keys *credential.KeyChain
	// Containers knows whether the containers of the runs run; nil means that runs
	// stay until they are unregistered.
	Containers daemon.ContainerChecker
	Proxy      string // host:port of the proxy, "" while the daemon does not run
	Routing    string // host:port of the routes, "" while the daemon does not run

	tb    testing.TB
	net   internet
	log   buffer
	stop  context.CancelFunc // nil while the daemon does not run
	ended chan error
}

// New returns a daemon that is not started yet, in a home of its own, for the
// test to prepare.
func New(tb testing.TB) *Daemon {
	tb.Helper()
	home, err := os.MkdirTemp("", "moat") //nolint:usetesting // tb.TempDir is too long for a socket, of 103 bytes
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(home) }) // what is left is in the temporary directory
	s := config.Defaults(home, "")
	s.ProxyAddr, s.RoutingAddr, s.LogFormat = "127.0.0.1:0", "127.0.0.1:0", "text"
	return &Daemon{Settings: s, Client: daemon.NewClient(s.APISocket), tb: tb}
}

// Start returns a daemon that runs until the test ends.
func Start(tb testing.TB) *Daemon {
	tb.Helper()
	d := New(tb)
	d.Start()
	return d
}

// Start starts the daemon and waits until it is ready.
func (d *Daemon) Start() {
	d.tb.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ready, ended := make(chan moatd.Addresses, 1), make(chan error, 1)
	go func() {
		ended <- moatd.Serve(ctx, moatd.Options{
			Settings: d.Settings, Version: "test", Stderr: &d.log, Containers: d.Containers, Network: d.net.network(),
			Keys:  d.Keys,
			Ready: func(a moatd.Addresses) { ready <- a },
		})
	}()
	select {
	case a := <-ready:
		d.Proxy, d.Routing = a.Proxy, a.Routing
	case err := <-ended:
		stop()
		d.tb.Fatalf("start the daemon: %v\n%s", err, d.log.String())
	}
	d.stop, d.ended = stop, ended
	d.tb.Cleanup(d.Stop)
}

// Stop ends the daemon as SIGTERM does, and waits for it. It may be called again.
func (d *Daemon) Stop() {
	d.tb.Helper()
	if d.stop == nil {
		return
	}
	d.stop()
	d.stop, d.Proxy, d.Routing = nil, "", ""
	if err := <-d.ended; err != nil {
		d.tb.Errorf("stop the daemon: %v", err)
	}
}

// Wait waits until the daemon ends by itself and returns its error.
func (d *Daemon) Wait() error {
	err := <-d.ended
	d.stop()
	d.stop, d.Proxy, d.Routing = nil, "", ""
	return err
}

// Log returns what the daemon has logged so far.
func (d *Daemon) Log() string { return d.log.String() }

// Provider describes a provider, by the text of its file, whose name is name.yaml.
func (d *Daemon) Provider(name, yaml string) {
	d.tb.Helper()
	if err := config.MakeHome(d.Settings.Home); err != nil {
		d.tb.Fatal(err)
	}
	path := filepath.Join(config.ProvidersDir(d.Settings.Home), name+".yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		d.tb.Fatal(err)
	}
}

// Grant stores a credential, as moat grant does. A daemon that runs has it when
// Grant returns.
func (d *Daemon) Grant(grant, secret string) {
	d.tb.Helper()
	d.GrantCredential(&credential.Credential{Grant: grant, Secret: credential.Secret(secret), Source: "test", CreatedAt: time.Now()})
}

// GrantCredential is Grant of a credential of which more is known, such as what
// renews it.
func (d *Daemon) GrantCredential(c *credential.Credential) {
	d.tb.Helper()
	d.change(func(st *credential.FileStore) error { return st.Put(d.tb.Context(), c) })
}

// Revoke removes a credential, as moat revoke does.
func (d *Daemon) Revoke(grant string) {
	d.tb.Helper()
	d.change(func(st *credential.FileStore) error { return st.Delete(d.tb.Context(), grant) })
}

func (d *Daemon) change(fn func(*credential.FileStore) error) {
	d.tb.Helper()
	home := d.Settings.Home
	if err := config.MakeHome(home); err != nil {
		d.tb.Fatal(err)
	}
	keys := d.Keys
	if keys == nil {
		keys = credential.NewKeyChain(credential.KeyOptions{Home: home, Credentials: config.CredentialsDir(home)})
	}
	if err := keys.Unlock(d.tb.Context()); err != nil {
		d.tb.Fatal(err)
	}
	st, err := keys.Store(config.CredentialsDir(home))
	if err == nil {
		err = fn(st)
	}
	if err == nil && d.stop != nil {
		err = d.Client.Reload(d.tb.Context())
	}
	if err != nil {
		d.tb.Fatal(err)
	}
}

// Register registers a run and returns its token.
func (d *Daemon) Register(req daemon.RegisterRequest) string {
	d.tb.Helper()
	res, err := d.Client.RegisterRun(d.tb.Context(), req)
	if err != nil {
		d.tb.Fatalf("register %s: %v", req.RunID, err)
	}
	return res.AuthToken
}

// HTTPClient returns a client of a run: it goes through the proxy with the token
// and trusts the daemon's CA alone. The daemon must run.
func (d *Daemon) HTTPClient(token string) *http.Client {
	d.tb.Helper()
	ca, err := os.ReadFile(config.CAFile(d.Settings.Home))
	if err != nil {
		d.tb.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	proxy := &url.URL{Scheme: "http", User: url.UserPassword("moat", token), Host: d.Proxy}
	tr := &http.Transport{
		Proxy:           http.ProxyURL(proxy),
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
	}
	d.tb.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// buffer is a log that can be read while it is written.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

// Write implements [io.Writer].
func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
