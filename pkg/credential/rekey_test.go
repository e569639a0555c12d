package credential

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// runsFile stands for what others keep sealed with a key of the home: a file
// with one text.
func runsFile(opts KeyOptions) string { return filepath.Join(opts.Home, "runs") }

// sealRuns is what the daemon does in a move: it seals its runs again.
func sealRuns(c *KeyChain) func(context.Context) error {
	return func(context.Context) error {
		text, err := readRuns(c)
		if err != nil {
			return err
		}
		return writeRuns(c, text)
	}
}

func readRuns(c *KeyChain) (string, error) {
	data, err := os.ReadFile(runsFile(c.opts))
	if err != nil {
		return "", err
	}
	plain, err := c.Sealer("runs").Open("run/a", data)
	return string(plain), err
}

func writeRuns(c *KeyChain, text string) error {
	data, err := c.Sealer("runs").Seal("run/a", []byte(text))
	if err != nil {
		return err
	}
	return replaceFile(runsFile(c.opts), data)
}

// stocked makes a home with all that a key seals, and files that are none of ours.
func stocked(tb testing.TB, opts KeyOptions) *KeyChain {
	tb.Helper()
	c := unlocked(tb, opts)
	for i := range 3 {
		mustStore(tb, chainStore(tb, c), fmt.Sprintf("github:org/%d", i), fmt.Sprintf("s3cret-%d", i))
	}
	s, err := c.Store(filepath.Join(opts.Credentials, "profiles", "work"))
	if err == nil {
		err = writeRuns(c, "s3cret-of-a-run")
	}
	for name, text := range map[string]string{"openai.sealed": "damaged", "notes.txt": "foreign", "No Grant.sealed": "foreign"} {
		err = errors.Join(err, os.WriteFile(filepath.Join(opts.Credentials, name), []byte(text), 0o600))
	}
	if err != nil {
		tb.Fatal(err)
	}
	mustStore(tb, s, "gitlab", "s3cret-of-work")
	return c
}

// contents returns what can be opened with the keys of c.
func contents(t *testing.T, c *KeyChain) []string {
	t.Helper()
	var all []string
	paths, err := c.sealed()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		s := &FileStore{filepath.Dir(path), c, c.Sealer(purposeCredential)}
		grant, ok := unescape(strings.TrimSuffix(filepath.Base(path), sealedExt))
		if !ok || grant == "openai" {
			continue
		}
		got, failed := s.Get(t.Context(), grant)
		if failed != nil {
			all = append(all, failed.Error())
			continue
		}
		all = append(all, grant+" "+got.Secret.Reveal())
	}
	runs, err := readRuns(c)
	return append(all, fmt.Sprint(runs, err))
}

var wantContents = []string{
	"github:org/0 s3cret-0", "github:org/1 s3cret-1", "github:org/2 s3cret-2", "gitlab s3cret-of-work", "s3cret-of-a-run<nil>",
}

// moves are the ways that a key can go.
var moves = []struct{ from, to KeySource }{
	{KeyInFile, KeyInFile},
	{KeyInFile, KeyInKeyring},
	{KeyInKeyring, KeyInFile},
	{KeyInKeyring, KeyInKeyring},
	{KeyInFile, KeyInCredentials},
	{KeyInCredentials, KeyInFile},
}

func moveHome(t *testing.T, from, to KeySource) KeyOptions {
	t.Helper()
	opts, _ := testHome(t)
	opts.Prefer = from
	if from == KeyInCredentials || to == KeyInCredentials {
		systemd(t, &opts, goodKey)
	}
	return opts
}

func TestRekey(t *testing.T) {
	for _, tt := range moves {
		t.Run(fmt.Sprintf("from %s to %s", tt.from, tt.to), func(t *testing.T) {
			opts := moveHome(t, tt.from, tt.to)
			c := stocked(t, opts)
			old, oldKey := c.Place(), c.ring().current
			done, err := c.Rekey(t.Context(), tt.to, sealRuns(c))
			if err != nil || done.From != old || done.To != c.Place() || done.Records != 4 || len(done.Skipped) != 2 {
				t.Fatalf("Rekey = %+v, %v; want 4 records from %+v, and 2 skipped", done, err, old)
			}
			if c.Place().Source != tt.to || c.Place().ID == old.ID || c.Moving() {
				t.Errorf("the key is %+v after %+v; want another one in the %s", c.Place(), old, tt.to)
			}
			fresh := unlocked(t, opts)
			if diff := cmp.Diff(wantContents, contents(t, fresh)); diff != "" || fresh.Place() != c.Place() {
				t.Errorf("another process finds (-want +got)\n%s", diff)
			}
			onlyTheKey(t, c)
			for _, path := range []string{"github%3aorg%2f0", "profiles/work/gitlab"} {
				data, err := os.ReadFile(filepath.Join(opts.Credentials, path+sealedExt))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := openRecord(NewSealer(oldKey, purposeCredential), filepath.Base(path), data); !errors.Is(err, ErrWrongKey) {
					t.Errorf("the old key opens %s: %v, want %v", path, err, ErrWrongKey)
				}
			}
		})
	}
}

// onlyTheKey checks that no key is left but the one of the home.
func onlyTheKey(t *testing.T, c *KeyChain) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(c.opts.Home, "store*.key"))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	if c.Place().Source == KeyInFile {
		want = []string{c.keyFile()}
	}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Errorf("key files (-want +got)\n%s", diff)
	}
	k, ok := c.opts.Keyring.(*fakeKeyring)
	if !ok {
		t.Fatal("no fake keyring")
	}
	if got, want := k.entries(t), map[KeySource]int{KeyInKeyring: 1}[c.Place().Source]; got != want {
		t.Errorf("the keyring has %d entries, want %d", got, want)
	}
}

// TestRekeyChild is what TestRekeyKilledAtEachStep kills: it moves a home to
// another key and ends at the step it is told, as a kill -9 would end it.
func TestRekeyChild(t *testing.T) {
	home, to := os.Getenv("REKEY_HOME"), KeySource(os.Getenv("REKEY_TO"))
	if home == "" {
		t.Skip("runs as a process of its own")
	}
	last, err := strconv.Atoi(os.Getenv("REKEY_STEPS"))
	if err != nil {
		t.Fatal(err)
	}
	c := NewKeyChain(KeyOptions{
		Home: home, Credentials: filepath.Join(home, "credentials"), SystemdDir: os.Getenv("REKEY_SYSTEMD"),
		Keyring: &fakeKeyring{dir: filepath.Join(filepath.Dir(home), "keyring")},
	})
	if err := c.Unlock(t.Context()); err != nil {
		t.Fatal(err)
	}
	step := 0
	onFileOp = func(op, path string) {
		if step++; step == last {
			fmt.Printf("killed at step %d, %s %s\n", step, op, filepath.Base(path))
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	if _, err := c.Rekey(t.Context(), to, sealRuns(c)); err != nil {
		t.Fatal(err)
	}
}

// rekeyChild moves the home in a process that is killed before step, and
// reports whether it was, and where.
func rekeyChild(t *testing.T, opts KeyOptions, to KeySource, step int) (killed bool, where string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestRekeyChild$")
	cmd.Env = append(os.Environ(), "REKEY_HOME="+opts.Home, "REKEY_TO="+string(to), "REKEY_SYSTEMD="+opts.SystemdDir, fmt.Sprint("REKEY_STEPS=", step))
	out, err := cmd.CombinedOutput()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true, strings.TrimSpace(string(out))
	}
	if err != nil {
		t.Fatalf("the child: %v\n%s", err, out)
	}
	return false, ""
}

// Killed before any change of a file or of the keyring, a move leaves a home in
// which everything opens, and the next process ends it.
func TestRekeyKilledAtEachStep(t *testing.T) {
	for _, tt := range moves[:3] {
		t.Run(fmt.Sprintf("from %s to %s", tt.from, tt.to), func(t *testing.T) {
			t.Parallel()
			for step := 1; ; step++ {
				opts := moveHome(t, tt.from, tt.to)
				old := stocked(t, opts).Place()
				killed, where := rekeyChild(t, opts, tt.to, step)
				c := unlocked(t, opts)
				if diff := cmp.Diff(wantContents, contents(t, c)); diff != "" {
					t.Errorf("%s: the next process finds (-want +got)\n%s", where, diff)
				}
				mustStore(t, chainStore(t, c), "github:org/1", "s3cret-1")
				_, err := c.Finish(t.Context(), sealRuns(c))
				if err == nil && c.Place() == old { // it had not begun
					_, err = c.Rekey(t.Context(), tt.to, sealRuns(c))
				}
				if err != nil {
					t.Fatalf("%s: to end it: %v", where, err)
				}
				fresh := unlocked(t, opts)
				if diff := cmp.Diff(wantContents, contents(t, fresh)); diff != "" || fresh.Moving() || fresh.Place().ID == old.ID {
					t.Errorf("%s: at the end (-want +got)\n%s", where, diff)
				}
				onlyTheKey(t, fresh)
				if t.Failed() {
					return
				}
				if !killed {
					t.Logf("killed before each of %d steps", step-1)
					if step < 20 {
						t.Errorf("the move had %d steps; it was not killed where it should", step)
					}
					return
				}
			}
		})
	}
}

// What fails is an error, and what had begun can be ended.
func TestRekeyThatFails(t *testing.T) {
	broken := errors.New("the disk is full")
	for _, tt := range []struct {
		name    string
		prepare func(c *KeyChain, k *fakeKeyring) (again func(context.Context) error)
		want    string
		begun   bool
	}{
		{"the keyring is locked", func(c *KeyChain, k *fakeKeyring) func(context.Context) error {
			k.locked = true
			return sealRuns(c)
		}, "unlock it", false},
		{"the runs cannot be sealed", func(*KeyChain, *fakeKeyring) func(context.Context) error {
			return func(context.Context) error { return broken }
		}, "the disk is full", true},
		{"a credential of a newer version would be lost", func(c *KeyChain, _ *fakeKeyring) func(context.Context) error {
			_ = os.WriteFile(filepath.Join(c.opts.Credentials, "newer.sealed"), []byte("moat-sealed 2\nx"), 0o600)
			return sealRuns(c)
		}, "move it away first", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts, keyring := testHome(t)
			c := stocked(t, opts)
			again := tt.prepare(c, keyring)
			if _, err := c.Rekey(t.Context(), KeyInKeyring, again); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("Rekey = %v, want an error with %q", err, tt.want)
			}
			for _, c := range []*KeyChain{c, unlocked(t, opts)} {
				if diff := cmp.Diff(wantContents, contents(t, c)[:5]); diff != "" && !strings.Contains(tt.name, "newer") || c.Moving() != tt.begun {
					t.Errorf("moving: %t, want %t (-want +got)\n%s", c.Moving(), tt.begun, diff)
				}
			}
			keyring.locked = false
			_ = os.Remove(filepath.Join(opts.Credentials, "newer.sealed"))
			if _, err := c.Rekey(t.Context(), KeyInKeyring, sealRuns(c)); err != nil {
				t.Fatalf("Rekey again = %v", err)
			}
			if diff := cmp.Diff(wantContents, contents(t, c)); diff != "" {
				t.Errorf("at the end (-want +got)\n%s", diff)
			}
			onlyTheKey(t, c)
		})
	}
}

func TestTheSameCredentialOfSystemdIsNoNewKey(t *testing.T) {
	opts := moveHome(t, KeyInCredentials, KeyInCredentials)
	c := stocked(t, opts)
	if _, err := c.Rekey(t.Context(), KeyInCredentials, sealRuns(c)); err == nil || !strings.Contains(err.Error(), "move to a file") || c.Moving() {
		t.Errorf("Rekey = %v, moving: %t; want an error that says how", err, c.Moving())
	}
}

// A process that had opened the store before goes on with the new key.
func TestOtherProcessesFollowAMove(t *testing.T) {
	opts, _ := testHome(t)
	c := stocked(t, opts)
	other := unlocked(t, opts)
	s := chainStore(t, other)
	if _, err := c.Rekey(t.Context(), KeyInFile, sealRuns(c)); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), "github:org/0"); err != nil || got.Secret.Reveal() != "s3cret-0" {
		t.Errorf("Get of a process from before = %v, %v", got, err)
	}
	if _, err := c.Rekey(t.Context(), KeyInFile, sealRuns(c)); err != nil {
		t.Fatal(err)
	}
	mustStore(t, s, "github:org/0", "newest")
	if got, err := chainStore(t, unlocked(t, opts)).Get(t.Context(), "github:org/0"); err != nil || got.Secret.Reveal() != "newest" {
		t.Errorf("Get of what a process from before has put = %v, %v", got, err)
	}
}

// Changes that come during a move are in order with it: none is lost, and none
// is undone.
func TestChangesDuringAMove(t *testing.T) {
	opts, _ := testHome(t)
	c := stocked(t, opts)
	other := unlocked(t, opts)
	s := chainStore(t, other)
	put, blocked := make(chan error, 1), make(chan struct{})
	_, err := c.Rekey(t.Context(), KeyInFile, func(ctx context.Context) error {
		go func() {
			close(blocked)
			err := s.Put(ctx, &Credential{Grant: "github:org/0", Secret: "newest"})
			put <- errors.Join(err, s.Delete(ctx, "github:org/1"))
		}()
		<-blocked
		short, cancel := context.WithTimeout(ctx, 3*lockPoll)
		defer cancel()
		if err := s.Put(short, &Credential{Grant: "x", Secret: "x"}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Put during a move = %v, want that it waits", err)
		}
		return sealRuns(c)(ctx)
	})
	if err = errors.Join(err, <-put); err != nil {
		t.Fatal(err)
	}
	want := append([]string{"github:org/0 newest"}, wantContents[2:]...)
	if diff := cmp.Diff(want, contents(t, unlocked(t, opts))); diff != "" {
		t.Errorf("after both (-want +got)\n%s", diff)
	}
}
