package daemon

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/activation"
	"github.com/moatd/moatd/pkg/internal/hosts"
	"github.com/moatd/moatd/pkg/internal/store"
	"github.com/moatd/moatd/pkg/proxy"
)

// vault is a Granter: a grant named NAME is for NAME.example and sends its
// secret as a bearer token. Of a grant that begins with "odd" no hosts are known.
type vault struct {
	mu      sync.Mutex
	secrets map[string]string // guarded by mu
	asked   func(grant string)
}

func newVault(secrets map[string]string) *vault {
	v := &vault{secrets: make(map[string]string), asked: func(string) {}}
	maps.Copy(v.secrets, secrets)
	return v
}

func (v *vault) Configure(ctx context.Context, grant string, into credential.ProxyConfigurer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v.mu.Lock()
	secret, ok := v.secrets[grant]
	v.mu.Unlock()
	v.asked(grant)
	if !ok {
		return errors.New("grant " + grant + ": no credential; run `moat grant " + grant + "`")
	}
	into.SetCredentialWithGrant(grant+".example", "Authorization", "Bearer "+secret, grant)
	return nil
}

func (v *vault) Hosts(grant string) []string {
	if strings.HasPrefix(grant, "odd") {
		return nil
	}
	return []string{grant + ".example"}
}

// set stores a credential, or with no secret revokes it.
func (v *vault) set(grant, secret string) { //nolint:unparam // one grant is all that the tests change
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.secrets[grant] = secret; secret == "" {
		delete(v.secrets, grant)
	}
}

// memStore is a runStore in memory, whose writes fail while err is set.
type memStore struct {
	mu   sync.Mutex
	runs map[string][]byte // guarded by mu
	err  error             // guarded by mu
}

func (m *memStore) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

func (m *memStore) change(fn func()) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.runs == nil {
		m.runs = make(map[string][]byte)
	}
	if m.err == nil {
		fn()
	}
	return m.err
}

func (m *memStore) PutRun(id string, val []byte) error {
	return m.change(func() { m.runs[id] = slices.Clone(val) })
}

func (m *memStore) DeleteRun(id string) error {
	return m.change(func() { delete(m.runs, id) })
}

func (m *memStore) ReplaceRuns(runs map[string][]byte) error {
	return m.change(func() { m.runs = maps.Clone(runs) })
}

func (m *memStore) Runs() (recs []store.Record, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(m.runs)) {
		recs = append(recs, store.Record{ID: id, Val: m.runs[id]})
	}
	return recs, nil
}

func (m *memStore) ids() []string {
	recs, _ := m.Runs()
	var ids []string
	for _, r := range recs {
		ids = append(ids, r.ID)
	}
	return ids
}

// tempSock returns a path that is short enough for a socket.
func tempSock(tb testing.TB) string {
	tb.Helper()
	dir, err := os.MkdirTemp("", "moat") //nolint:usetesting // tb.TempDir has the name of the test in it
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "moatd.sock")
}

// serve serves a server with opts until the test ends.
func serve(tb testing.TB, opts Options) (*Server, *Client) {
	tb.Helper()
	s, sock := New(opts), tempSock(tb)
	s.SetProxyPort(19080)
	ln, err := activation.ListenUnix(tb.Context(), sock)
	if err != nil {
		tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, ln) }()
	tb.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			tb.Errorf("Serve = %v, want nil after the end of its context", err)
		}
	})
	return s, NewClient(sock)
}

// outcome says what becomes of a request for host, https unless it has another
// port: what is injected, or the refusal.
func outcome(tb testing.TB, d *proxy.RunContextData, host string) string {
	tb.Helper()
	h, err := hosts.Parse(host)
	if err != nil {
		tb.Fatal(err)
	}
	v := d.Decide(proxy.Head{Scheme: "https", Target: h.OrPort(443)})
	if v.Status != 0 {
		return v.Reason + ": " + v.Text
	}
	if v.Rules == nil {
		return "as it is"
	}
	var out []string
	for _, c := range append(slices.Clone(v.Rules.Credentials), v.Rules.Extra...) {
		out = append(out, c.Name+": "+c.Value)
	}
	for _, s := range v.Rules.Substitute {
		out = append(out, s.Placeholder+" -> "+s.Secret)
	}
	for _, name := range v.Rules.Remove {
		out = append(out, "no "+name)
	}
	return strings.Join(out, ", ")
}

// live returns what the proxy sees of a run.
func live(tb testing.TB, r *Registry, token string) *proxy.RunContextData {
	tb.Helper()
	d, ok := r.Snapshot(token)
	if !ok {
		tb.Fatal("Snapshot(token of the run) has nothing")
	}
	return d
}

// newSealer returns a sealer with a key of its own.
func newSealer(tb testing.TB) *credential.Sealer {
	tb.Helper()
	key, _, err := credential.LoadOrCreateKey(filepath.Join(tb.TempDir(), "key"))
	if err != nil {
		tb.Fatal(err)
	}
	return credential.NewSealer(key, "runs")
}

// openStore opens the database in dir, until the test ends or close is called.
func openStore(tb testing.TB, dir string) *store.Store {
	tb.Helper()
	st, _, err := store.Open(filepath.Join(dir, "moatd.db"), store.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { st.Close() })
	return st
}
