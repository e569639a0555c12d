package moatd_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/daemontest"
)

// A ring is a keyring in memory that can be locked.
type ring struct {
	mu      sync.Mutex
	locked  bool                         // guarded by mu
	entries map[string]credential.Secret // guarded by mu
}

func (r *ring) lock(locked bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.locked = locked
}

func (r *ring) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.entries)
}

func (r *ring) do(fn func() error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.locked {
		return credential.ErrKeyLocked
	}
	return fn()
}

func (r *ring) Ready(context.Context) error { return r.do(func() error { return nil }) }

func (r *ring) Get(_ context.Context, id string) (text credential.Secret, err error) {
	err = r.do(func() error {
		if text = r.entries[id]; text == "" {
			return credential.ErrNotFound
		}
		return nil
	})
	return text, err
}

func (r *ring) Set(_ context.Context, id string, text credential.Secret) error {
	return r.do(func() error { r.entries[id] = text; return nil })
}

func (r *ring) Delete(_ context.Context, id string) error {
	return r.do(func() error { delete(r.entries, id); return nil })
}

// keysIn returns a key chain of the daemon's home that prefers the keyring.
func keysIn(d *daemontest.Daemon, r credential.Keyring) *credential.KeyChain {
	home := d.Settings.Home
	return credential.NewKeyChain(credential.KeyOptions{
		Home: home, Credentials: config.CredentialsDir(home), Keyring: r, Prefer: credential.KeyInKeyring,
	})
}

const ownSecret = "s3cret-of-its-own-0123456789"

// asks are requests of a run that has a grant, and of one that brought a secret
// of its own: what they get.
type asks struct{ granted, own func() (int, string) }

// withKeyring returns a daemon that has stopped, whose key is in a keyring, with
// two runs.
func withKeyring(t *testing.T) (*daemontest.Daemon, *ring, asks) {
	t.Helper()
	d, r := daemontest.New(t), &ring{entries: map[string]credential.Secret{}}
	origin := d.Origin(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Write([]byte(req.Header.Get("Authorization"))) // an echo, for the test alone
	}))
	d.Provider("demo", "name: demo\ndescription: the origin\ninject:\n  - hosts: ['"+origin+"']\n    prefix: 'Bearer '\n")
	d.Keys = keysIn(d, r)
	d.Grant("demo", "s3cret-of-the-grant")
	d.Start()
	tokens := []string{
		d.Register(daemon.RegisterRequest{RunID: "granted", Grants: []string{"demo"}, NetworkAllow: []string{origin}}),
		d.Register(daemon.RegisterRequest{RunID: "own", NetworkAllow: []string{origin}, Credentials: []daemon.CredentialSpec{
			{Host: origin, Header: "Authorization", Value: ownSecret},
		}}),
	}
	d.Stop()
	ask := func(token string) func() (int, string) {
		return func() (int, string) {
			t.Helper()
			status, text, _ := get(t, d.HTTPClient(token), "https://"+origin+"/")
			return status, text
		}
	}
	return d, r, asks{ask(tokens[0]), ask(tokens[1])}
}

// checkHealed checks that both runs have their credentials.
func checkHealed(t *testing.T, d *daemontest.Daemon, runs asks) {
	t.Helper()
	if status, text := runs.granted(); status != 200 || text != "Bearer s3cret-of-the-grant" {
		t.Errorf("the run with the grant gets %d, %q, want its credential", status, text)
	}
	if status, text := runs.own(); status != 200 || text != ownSecret {
		t.Errorf("the run with its own gets %d, %q, want its credential", status, text)
	}
	if h, err := d.Client.Health(t.Context()); err != nil || h.Degraded != 0 || h.Key.Problem != "" || len(h.Problems) > 0 {
		t.Errorf("Health = %+v, %v, want nothing wrong", h, err)
	}
}

func TestALockedKeyringDegradesAndHeals(t *testing.T) {
	for _, tt := range []struct {
		name string
		tell func(t *testing.T, d *daemontest.Daemon) // that it is unlocked
	}{
		{"by itself", func(*testing.T, *daemontest.Daemon) {}},
		{"at once when it is told to reload", func(t *testing.T, d *daemontest.Daemon) {
			t.Helper()
			if err := d.Client.Reload(t.Context()); err != nil {
				t.Fatal(err)
			}
			if h, err := d.Client.Health(t.Context()); err != nil || h.Degraded != 0 {
				t.Errorf("Health after a reload = %+v, %v, want no run degraded", h, err)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, r, runs := withKeyring(t)
			r.lock(true)
			d.Keys = keysIn(d, r)
			d.Start()
			h, err := d.Client.Health(t.Context())
			if err != nil || h.RunCount != 2 || h.Degraded != 2 || h.Key.Source != "keyring" || !strings.Contains(h.Key.Problem, "locked") {
				t.Fatalf("Health = %+v, %v, want two degraded runs and a locked keyring", h, err)
			}
			list, err := d.Client.ListRuns(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, run := range list {
				if run.State != daemon.StateDegraded || !strings.Contains(run.Reason, "the keyring is locked; unlock it") {
					t.Errorf("run %s is %s, %q, want degraded for the locked keyring", run.RunID, run.State, run.Reason)
				}
			}
			for name, ask := range map[string]func() (int, string){"granted": runs.granted, "own": runs.own} {
				if status, text := ask(); status != http.StatusServiceUnavailable || !strings.Contains(text, "the keyring is locked") {
					t.Errorf("the run %s gets %d, %q, want 503 and the reason", name, status, text)
				}
			}
			_, err = d.Client.RegisterRun(t.Context(), daemon.RegisterRequest{RunID: "new", Grants: []string{"demo"}})
			if !errors.Is(err, daemon.ErrGrant) || !strings.Contains(err.Error(), "the keyring is locked") {
				t.Errorf("RegisterRun of one with a grant = %v, want the reason", err)
			}
			_, err = d.Client.RegisterRun(t.Context(), daemon.RegisterRequest{RunID: "new", Credentials: []daemon.CredentialSpec{
				{Host: "x.example", Header: "X", Value: ownSecret},
			}})
			if !errors.Is(err, credential.ErrKeyLocked) {
				t.Errorf("RegisterRun of one with a secret = %v, want %v", err, credential.ErrKeyLocked)
			}
			d.Register(daemon.RegisterRequest{RunID: "bare"}) // which needs no key
			changed := d.Keys.Changed()
			r.lock(false)
			tt.tell(t, d)
			for ; d.Keys.Err() != nil; changed = d.Keys.Changed() {
				<-changed
			}
			awaitHealth(t, d, func(h *daemon.HealthResponse) bool { return h.Degraded == 0 })
			checkHealed(t, d, runs)
			if r.count() != 1 {
				t.Errorf("the keyring has %d keys, want one", r.count())
			}
			onlyKeyFiles(t, d, 0)
			if strings.Contains(d.Log(), ownSecret) {
				t.Errorf("the log has the secret:\n%s", d.Log())
			}
		})
	}
}

// awaitHealth waits until health is as it should be.
func awaitHealth(t *testing.T, d *daemontest.Daemon, good func(*daemon.HealthResponse) bool) {
	t.Helper()
	for {
		h, err := d.Client.Health(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if good(h) {
			return
		}
	}
}

func onlyKeyFiles(t *testing.T, d *daemontest.Daemon, want int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(d.Settings.Home, "*.key"))
	if err != nil || len(files) != want {
		t.Errorf("key files: %v, %v; want %d", files, err, want)
	}
}

// Everything moves while the runs are served, the rules that only the database
// has included.
func TestRekeyOverTheAPI(t *testing.T) {
	d, r, runs := withKeyring(t)
	d.Keys = keysIn(d, r)
	d.Start()
	before := d.Keys.Place()
	done, err := d.Client.Rekey(t.Context(), daemon.RekeyRequest{To: "file"})
	if err != nil || done.From.ID != before.ID || done.To.Source != "file" || done.Credentials != 1 {
		t.Fatalf("Rekey = %+v, %v; want one credential moved to a file", done, err)
	}
	checkHealed(t, d, runs)
	if r.count() != 0 {
		t.Errorf("the keyring has %d keys, want none", r.count())
	}
	onlyKeyFiles(t, d, 1)
	d.Stop()
	d.Keys = nil // it knows of no keyring
	d.Start()
	checkHealed(t, d, runs)
	if _, err := d.Client.Rekey(t.Context(), daemon.RekeyRequest{To: "tpm"}); !errors.Is(err, daemon.ErrBadRequest) {
		t.Errorf("Rekey to a place that does not exist = %v, want %v", err, daemon.ErrBadRequest)
	}
	if _, err := d.Client.Rekey(t.Context(), daemon.RekeyRequest{To: "keyring"}); !errors.Is(err, credential.ErrKeyUnavailable) {
		t.Errorf("Rekey to a keyring that is not there = %v, want %v", err, credential.ErrKeyUnavailable)
	}
	checkHealed(t, d, runs)
}

// A daemon ends the move that another had begun: what only the database has is
// sealed with the old key, and the old key still is there.
func TestAMoveThatHadBegunEndsAtTheNextStart(t *testing.T) {
	d, r, runs := withKeyring(t)
	dead := keysIn(d, r)
	cut := errors.New("cut")
	if _, err := dead.Rekey(t.Context(), credential.KeyInFile, func(context.Context) error { return cut }); !errors.Is(err, cut) {
		t.Fatalf("Rekey = %v, want %v", err, cut)
	}
	r.lock(true) // the old key, at first
	d.Keys = keysIn(d, r)
	d.Start()
	if status, text := runs.granted(); status != 200 {
		t.Errorf("the run with the grant gets %d, %q; its credential is sealed with the new key", status, text)
	}
	if status, text := runs.own(); status != http.StatusServiceUnavailable || !strings.Contains(text, "locked") {
		t.Errorf("the run with its own gets %d, %q, want 503 as the old key is locked", status, text)
	}
	r.lock(false)
	if err := d.Client.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	for changed := d.Keys.Changed(); d.Keys.Moving(); changed = d.Keys.Changed() {
		<-changed
	}
	checkHealed(t, d, runs)
	if r.count() != 0 {
		t.Errorf("the keyring has %d keys, want none", r.count())
	}
	d.Stop()
	d.Keys = nil
	d.Start()
	checkHealed(t, d, runs)
}

func TestAKeyFileThatIsNoUseIsSaidSo(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(key string) error
		left   int // key files
	}{
		{"it is gone", func(key string) error { return os.Rename(key, key+".away") }, 0},
		{"it is cut short", func(key string) error { return os.Truncate(key, 5) }, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := daemontest.New(t)
			d.Grant("github", "s3cret")
			if err := tt.damage(config.KeyFile(d.Settings.Home)); err != nil {
				t.Fatal(err)
			}
			d.Start()
			h, err := d.Client.Health(t.Context())
			if err != nil || !strings.Contains(h.Key.Problem, "put it back from a backup") || len(h.Problems) != 1 {
				t.Errorf("Health = %+v, %v, want what to do", h, err)
			}
			onlyKeyFiles(t, d, tt.left)
		})
	}
}
