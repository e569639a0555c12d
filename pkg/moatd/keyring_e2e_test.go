//go:build e2e

package moatd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/keyring"
)

const (
	secrets    = "org.freedesktop.secrets"
	secretsAt  = dbus.ObjectPath("/org/freedesktop/secrets")
	login      = dbus.ObjectPath("/org/freedesktop/secrets/collection/login")
	masterWord = "the password of the login"
)

// unfit skips the test, or fails it where it is required to run.
func unfit(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv("MOATD_E2E_REQUIRED") != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// A seat is the session of a desktop: a D-Bus of its own with GNOME's keyring,
// in directories of its own.
type seat struct {
	t    *testing.T
	dir  string
	conn *dbus.Conn
}

// newSeat installs what is missing and starts a session whose keyring is unlocked.
func newSeat(t *testing.T) *seat {
	t.Helper()
	for _, tool := range []string{"dbus-daemon", "gnome-keyring-daemon"} {
		if _, err := exec.LookPath(tool); err != nil {
			installKeyring(t)
		}
	}
	dir, err := os.MkdirTemp("", "moatss") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &seat{t: t, dir: dir}
	s.bus()
	s.keyring()
	return s
}

func installKeyring(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("apt-get"); err != nil || os.Getuid() != 0 {
		unfit(t, "there is no gnome-keyring-daemon, and no apt-get and root to install it with")
	}
	for _, args := range [][]string{{"update", "-qq"}, {"install", "-y", "--no-install-recommends", "dbus", "gnome-keyring"}} {
		cmd := exec.Command("apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			unfit(t, fmt.Sprintf("apt-get %s: %v\n%s", strings.Join(args, " "), err, out))
		}
	}
}

func (s *seat) address() string { return "unix:path=" + filepath.Join(s.dir, "bus") }

// env is the environment of a program in the session.
func (s *seat) env() []string {
	return []string{
		"HOME=" + s.dir, "XDG_DATA_HOME=" + s.dir + "/data", "XDG_RUNTIME_DIR=" + s.dir, "DBUS_SESSION_BUS_ADDRESS=" + s.address(),
		"WAYLAND_DISPLAY=wayland-0", "SSH_CONNECTION=", "SSH_TTY=", "MOAT_KEY_SOURCE=auto",
	}
}

// run starts a program of the session, which ends with the test.
func (s *seat) run(stdin, name string, args ...string) {
	s.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), s.env()...)
	cmd.Stdin = strings.NewReader(stdin)
	log, err := os.Create(filepath.Join(s.dir, name+".log"))
	if err != nil {
		s.t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed
		log.Close()
	})
}

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>%s</listen><auth>EXTERNAL</auth><policy context="default">
<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy></busconfig>`

// bus starts a bus that starts no services, so that nothing of the machine is in it.
func (s *seat) bus() {
	s.t.Helper()
	conf := filepath.Join(s.dir, "bus.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, busConfig, s.address()), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.run("", "dbus-daemon", "--config-file="+conf, "--nofork")
	s.await("the bus", func() (err error) {
		s.conn, err = dbus.Connect(s.address(), dbus.WithContext(s.t.Context()))
		return err
	})
	s.t.Cleanup(func() { s.conn.Close() })
}

func (s *seat) keyring() {
	s.t.Helper()
	s.run(masterWord, "gnome-keyring-daemon", "--foreground", "--components=secrets", "--unlock")
	s.await("the keyring", func() error { return keyring.NewSecretService(s.address()).Ready(s.t.Context()) })
}

// await waits for a program to answer.
func (s *seat) await(what string, ask func() error) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 20*time.Second)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		err := ask()
		if err == nil {
			tick.Stop()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			s.t.Fatalf("%s: %v", what, err)
		}
	}
}

func (s *seat) lock() {
	s.t.Helper()
	if err := s.conn.Object(secrets, secretsAt).Call("org.freedesktop.Secret.Service.Lock", 0, []dbus.ObjectPath{login}).Err; err != nil {
		s.t.Fatal(err)
	}
}

// unlock does what the login of a person does.
func (s *seat) unlock() {
	s.t.Helper()
	var ignored dbus.Variant
	var session dbus.ObjectPath
	service := s.conn.Object(secrets, secretsAt)
	if err := service.Call("org.freedesktop.Secret.Service.OpenSession", 0, "plain", dbus.MakeVariant("")).Store(&ignored, &session); err != nil {
		s.t.Fatal(err)
	}
	word := struct {
		Session           dbus.ObjectPath
		Parameters, Value []byte
		Type              string
	}{session, []byte{}, []byte(masterWord), "text/plain"}
	err := service.Call("org.gnome.keyring.InternalUnsupportedGuiltRiddenInterface.UnlockWithMasterPassword", 0, login, word).Err
	if err != nil {
		s.t.Fatal(err)
	}
}

// keys returns how many entries of ours the keyring has, locked or not.
func (s *seat) keys() int {
	s.t.Helper()
	var open, shut []dbus.ObjectPath
	err := s.conn.Object(secrets, secretsAt).Call("org.freedesktop.Secret.Service.SearchItems", 0, map[string]string{"service": "moatd"}).Store(&open, &shut)
	if err != nil {
		s.t.Fatal(err)
	}
	return len(open) + len(shut)
}

// getenv is the environment of a command in the session.
func (s *seat) getenv(name string) string {
	for _, kv := range s.env() {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

// grant stores a credential as moat grant does.
func (s *seat) grant(home string) error {
	if err := config.MakeHome(home); err != nil {
		return err
	}
	keys := keyring.Chain(config.Defaults(home, s.dir), s.getenv)
	if err := keys.Unlock(s.t.Context()); err != nil {
		return err
	}
	st, err := keys.Store(config.CredentialsDir(home))
	if err != nil {
		return err
	}
	return st.Put(s.t.Context(), &credential.Credential{Grant: "github", Secret: "ghp_s3cret"})
}

func TestARealKeyringThatIsLocked(t *testing.T) {
	s := newSeat(t)
	p := newProcess(t)
	p.handOver()
	p.env = s.env()
	if err := s.grant(p.home); err != nil {
		t.Fatal(err)
	}
	p.start()
	c := daemon.NewClient(p.sock)
	if _, err := c.RegisterRun(t.Context(), daemon.RegisterRequest{RunID: "r", Grants: []string{"github"}}); err != nil {
		t.Fatal(err)
	}
	before := health(t, c)
	if before.Key.Source != "keyring" || before.Key.ID == "" || s.keys() != 1 {
		t.Fatalf("the key is %+v, and the keyring has %d entries; want one, in the keyring", before.Key, s.keys())
	}
	p.kill()

	s.lock()
	p.start()
	started := p.cmd.Process.Pid
	if h := health(t, c); h.Degraded != 1 || h.Key.ID != before.Key.ID || !strings.Contains(h.Key.Problem, "the keyring is locked; unlock it") {
		t.Errorf("Health with a locked keyring = %+v, %+v; want a degraded run and the reason", h, h.Key)
	}
	if r := p.state(t.Context()).runs["r"]; r.State != daemon.StateDegraded || !strings.Contains(r.Reason, "the keyring is locked") {
		t.Errorf("the run is %s, %q; want degraded with the reason", r.State, r.Reason)
	}
	if err := s.grant(p.home); err == nil || !strings.Contains(err.Error(), "the keyring is locked") {
		t.Errorf("a grant with a locked keyring: %v, want the reason", err)
	}

	s.unlock()
	s.await("the daemon heals", func() error {
		if h := health(t, c); h.Degraded > 0 || h.Key.Problem != "" {
			return fmt.Errorf("%d runs degraded, %s", h.Degraded, h.Key.Problem)
		}
		return nil
	})
	if h := health(t, c); h.PID != started || h.Key.ID != before.Key.ID {
		t.Errorf("process %d has the key %s, want process %d with %s", h.PID, h.Key.ID, started, before.Key.ID)
	}
	if files, err := filepath.Glob(filepath.Join(p.home, "*.key")); err != nil || len(files) > 0 || s.keys() != 1 {
		t.Errorf("there are key files %v (%v), and %d entries in the keyring; want the one entry of before", files, err, s.keys())
	}

	done, err := c.Rekey(t.Context(), daemon.RekeyRequest{To: "keyring"})
	if err != nil || done.To.Source != "keyring" || done.To.ID == before.Key.ID || s.keys() != 1 {
		t.Errorf("Rekey = %+v, %v, and %d entries; want another key, alone", done, err, s.keys())
	}
	p.end()
}

func health(t *testing.T, c *daemon.Client) *daemon.HealthResponse {
	t.Helper()
	h, err := c.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// What a keyring can say, and that nothing waits for a person.
func TestARealKeyring(t *testing.T) {
	s := newSeat(t)
	k, ctx := keyring.NewSecretService(s.address()), t.Context()
	if _, err := k.Get(ctx, "a"); !errors.Is(err, credential.ErrNotFound) {
		t.Errorf("Get of what is not there = %v, want %v", err, credential.ErrNotFound)
	}
	for _, text := range []credential.Secret{"first", "second"} {
		if err := k.Set(ctx, "a", text); err != nil {
			t.Fatal(err)
		}
		if got, err := k.Get(ctx, "a"); err != nil || !got.Equal(text) {
			t.Errorf("Get after Set = the text: %t, %v", got.Equal(text), err)
		}
	}
	if n := s.keys(); n != 1 {
		t.Errorf("there are %d entries after two Sets, want one", n)
	}
	s.lock()
	begin := time.Now()
	_, get := k.Get(ctx, "a")
	_, other := k.Get(ctx, "b")
	for call, err := range map[string]error{
		"Ready": k.Ready(ctx), "Get": get, "Get of what may be in there": other, "Set": k.Set(ctx, "b", "x"), "Delete": k.Delete(ctx, "a"),
	} {
		if !errors.Is(err, credential.ErrKeyLocked) {
			t.Errorf("%s with a locked keyring = %v, want %v", call, err, credential.ErrKeyLocked)
		}
	}
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("a locked keyring took %v, want no wait for anybody", took)
	}
	s.unlock()
	if err := k.Delete(ctx, "a"); err != nil || s.keys() != 0 {
		t.Errorf("Delete = %v, and %d entries are left", err, s.keys())
	}
}
