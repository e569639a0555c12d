package credential

import (
	"context"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A fakeKeyring keeps each entry in a file, so that another process finds it,
// and fails as it is told to.
type fakeKeyring struct {
	dir    string
	locked bool
	absent bool // there is no service
	hangs  bool // until the context ends
}

func (k *fakeKeyring) Ready(ctx context.Context) error {
	switch {
	case k.hangs:
		<-ctx.Done()
		return ctx.Err()
	case k.absent:
		return errors.New("nobody has the name org.freedesktop.secrets")
	case k.locked:
		return ErrKeyLocked
	}
	return nil
}

func (k *fakeKeyring) Get(ctx context.Context, id string) (Secret, error) {
	if err := k.Ready(ctx); err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(k.dir, id))
	if errors.Is(err, os.ErrNotExist) {
		err = ErrNotFound
	}
	return Secret(text), err
}

func (k *fakeKeyring) Set(ctx context.Context, id string, text Secret) error {
	if err := k.Ready(ctx); err != nil {
		return err
	}
	onFileOp("keyring set", id)
	return os.WriteFile(filepath.Join(k.dir, id), []byte(text), 0o600)
}

func (k *fakeKeyring) Delete(ctx context.Context, id string) error {
	if err := k.Ready(ctx); err != nil {
		return err
	}
	onFileOp("keyring delete", id)
	err := os.Remove(filepath.Join(k.dir, id))
	if errors.Is(err, os.ErrNotExist) {
		err = ErrNotFound
	}
	return err
}

func (k *fakeKeyring) entries(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir(k.dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// testHome returns the options of a home of its own, with a keyring.
func testHome(tb testing.TB) (KeyOptions, *fakeKeyring) {
	tb.Helper()
	dir := tb.TempDir()
	k := &fakeKeyring{dir: filepath.Join(dir, "keyring")}
	opts := KeyOptions{Home: filepath.Join(dir, "home"), Keyring: k}
	opts.Credentials = filepath.Join(opts.Home, "credentials")
	for _, d := range []string{opts.Home, opts.Credentials, k.dir} {
		if err := os.Mkdir(d, 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	return opts, k
}

// unlocked returns a chain that has its key.
func unlocked(tb testing.TB, opts KeyOptions) *KeyChain {
	tb.Helper()
	c := NewKeyChain(opts)
	if err := c.Unlock(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return c
}

func chainStore(tb testing.TB, c *KeyChain) *FileStore {
	tb.Helper()
	s, err := c.Store(c.opts.Credentials)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// systemd gives the home a credential.
func systemd(t *testing.T, opts *KeyOptions, key string) {
	t.Helper()
	opts.SystemdDir = t.TempDir()
	if err := os.WriteFile(filepath.Join(opts.SystemdDir, "moat-store-key"), []byte(key), 0o640); err != nil {
		t.Fatal(err)
	}
}

func TestWhichKeyAHomeWithoutOneGets(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(t *testing.T, o *KeyOptions, k *fakeKeyring)
		want    KeySource
		wantErr string
	}{
		{"a file where nobody is there to unlock a keyring", func(*testing.T, *KeyOptions, *fakeKeyring) {}, KeyInFile, ""},
		{"the keyring on a desktop", func(_ *testing.T, o *KeyOptions, _ *fakeKeyring) { o.Desktop = true }, KeyInKeyring, ""},
		{"a file on a desktop whose keyring is locked", func(_ *testing.T, o *KeyOptions, k *fakeKeyring) { o.Desktop, k.locked = true, true }, KeyInFile, ""},
		{"a file on a desktop without a keyring", func(_ *testing.T, o *KeyOptions, k *fakeKeyring) { o.Desktop, k.absent = true, true }, KeyInFile, ""},
		{"a file without any keyring", func(_ *testing.T, o *KeyOptions, _ *fakeKeyring) { o.Desktop, o.Keyring = true, nil }, KeyInFile, ""},
		{"the credential of systemd, before the keyring", func(t *testing.T, o *KeyOptions, _ *fakeKeyring) {
			t.Helper()
			o.Desktop = true
			systemd(t, o, goodKey+"\n")
		}, KeyInCredentials, ""},
		{"a file where systemd gave other credentials", func(t *testing.T, o *KeyOptions, _ *fakeKeyring) {
			t.Helper()
			o.SystemdDir = t.TempDir()
		}, KeyInFile, ""},
		{"none where the credential of systemd is no key", func(t *testing.T, o *KeyOptions, _ *fakeKeyring) {
			t.Helper()
			systemd(t, o, "zz")
		}, "", "moat-store-key has 2 bytes where a key has 64"},
		{"a file where the user wants one", func(_ *testing.T, o *KeyOptions, _ *fakeKeyring) {
			o.Desktop, o.Prefer = true, KeyInFile
		}, KeyInFile, ""},
		{"the keyring where the user wants it", func(_ *testing.T, o *KeyOptions, _ *fakeKeyring) { o.Prefer = KeyInKeyring }, KeyInKeyring, ""},
		{"none where the user wants a keyring that is locked", func(_ *testing.T, o *KeyOptions, k *fakeKeyring) {
			o.Prefer, k.locked = KeyInKeyring, true
		}, "", "unlock it"},
		{"the file of a home from before", func(t *testing.T, o *KeyOptions, _ *fakeKeyring) {
			t.Helper()
			o.Desktop = true
			if _, _, err := LoadOrCreateKey(filepath.Join(o.Home, "store.key")); err != nil {
				t.Fatal(err)
			}
		}, KeyInFile, ""},
		{"none where something is sealed and the key is gone", func(t *testing.T, o *KeyOptions, _ *fakeKeyring) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(o.Credentials, "github.sealed"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "", "put them back from a backup"},
		{"none where its file may have been read by others", func(t *testing.T, o *KeyOptions, _ *fakeKeyring) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(o.Home, "store.key"), []byte(goodKey), 0o644); err != nil {
				t.Fatal(err)
			}
		}, "", "chmod 600"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts, keyring := testHome(t)
			tt.prepare(t, &opts, keyring)
			c := NewKeyChain(opts)
			err := c.Unlock(t.Context())
			if tt.wantErr != "" {
				if !isKeyError(err) || !strings.Contains(err.Error(), tt.wantErr) || c.Place() != (KeyPlace{}) || exists(c.recordPath()) {
					t.Errorf("Unlock = %v, place %+v; want an error with %q and no key", err, c.Place(), tt.wantErr)
				}
				return
			}
			if err != nil || c.Place().Source != tt.want {
				t.Fatalf("Unlock = %v, the key is in %+v; want %s", err, c.Place(), tt.want)
			}
			if got, want := keyring.entries(t), map[KeySource]int{KeyInKeyring: 1}[tt.want]; got != want {
				t.Errorf("the keyring has %d entries, want %d", got, want)
			}
			if got := exists(c.keyFile()); got != (tt.want == KeyInFile) {
				t.Errorf("there is a key file: %t", got)
			}
			opts.Prefer, opts.Desktop = KeyAuto, !opts.Desktop
			if other := unlocked(t, opts); other.Place() != c.Place() || other.ring().current.raw() != c.ring().current.raw() {
				t.Errorf("another process has the key %+v, want %+v", other.Place(), c.Place())
			}
		})
	}
}

// What was recorded cannot be had: that is an error, each time, and no second
// key; and when it can be had again, all is as it was.
func TestAKeyThatCannotBeHadNow(t *testing.T) {
	for _, tt := range []struct {
		name       string
		prefer     KeySource
		lose, back func(o *KeyOptions, k *fakeKeyring) error
		want       error
		says       string
	}{
		{
			"a locked keyring", KeyInKeyring,
			func(_ *KeyOptions, k *fakeKeyring) error { k.locked = true; return nil },
			func(_ *KeyOptions, k *fakeKeyring) error { k.locked = false; return nil },
			ErrKeyLocked, "unlock it",
		},
		{
			"a keyring that does not run", KeyInKeyring,
			func(_ *KeyOptions, k *fakeKeyring) error { k.absent = true; return nil },
			func(_ *KeyOptions, k *fakeKeyring) error { k.absent = false; return nil },
			ErrKeyUnavailable, "nobody has the name",
		},
		{
			"a keyring whose entry is gone", KeyInKeyring,
			func(_ *KeyOptions, k *fakeKeyring) error { return os.Rename(k.dir, k.dir+"-away") },
			func(_ *KeyOptions, k *fakeKeyring) error { return os.Rename(k.dir+"-away", k.dir) },
			ErrKeyUnavailable, "backup of the keyring",
		},
		{
			"a key file that is gone", KeyInFile,
			func(o *KeyOptions, _ *fakeKeyring) error { return os.Rename(o.Home+"/store.key", o.Home+"/away") },
			func(o *KeyOptions, _ *fakeKeyring) error { return os.Rename(o.Home+"/away", o.Home+"/store.key") },
			ErrKeyUnavailable, "put it back",
		},
		{
			"a key file with another key", KeyInFile,
			func(o *KeyOptions, _ *fakeKeyring) error {
				return errors.Join(os.Rename(o.Home+"/store.key", o.Home+"/away"), os.WriteFile(o.Home+"/store.key", []byte(goodKey), 0o600))
			},
			func(o *KeyOptions, _ *fakeKeyring) error { return os.Rename(o.Home+"/away", o.Home+"/store.key") },
			ErrKeyUnavailable, "put that one back",
		},
		{
			"a key file that others can read", KeyInFile,
			func(o *KeyOptions, _ *fakeKeyring) error { return os.Chmod(o.Home+"/store.key", 0o644) },
			func(o *KeyOptions, _ *fakeKeyring) error { return os.Chmod(o.Home+"/store.key", 0o600) },
			ErrKeyUnavailable, "chmod 600",
		},
		{
			"a record that is damaged", KeyInFile,
			func(o *KeyOptions, _ *fakeKeyring) error {
				return errors.Join(os.Rename(o.Home+"/key.json", o.Home+"/away"), os.WriteFile(o.Home+"/key.json", []byte("{"), 0o600))
			},
			func(o *KeyOptions, _ *fakeKeyring) error { return os.Rename(o.Home+"/away", o.Home+"/key.json") },
			ErrKeyUnavailable, "key.json",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts, keyring := testHome(t)
			opts.Prefer = tt.prefer
			first := unlocked(t, opts)
			mustStore(t, chainStore(t, first), "github", "s3cret")
			if err := tt.lose(&opts, keyring); err != nil {
				t.Fatal(err)
			}
			opts.Prefer = KeyAuto
			opts.Desktop = true
			c := NewKeyChain(opts)
			s := chainStore(t, c)
			for range 2 {
				if err := c.Unlock(t.Context()); !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.says) {
					t.Fatalf("Unlock = %v, want %v that says %q", err, tt.want, tt.says)
				}
				checkLocked(t, s, tt.want)
			}
			if _, err := chainStore(t, first).Get(t.Context(), "github"); err != nil {
				t.Errorf("a process that has the key: Get = %v, want what it has", err)
			}
			if err := tt.back(&opts, keyring); err != nil {
				t.Fatal(err)
			}
			changed := c.Changed()
			if err := c.Unlock(t.Context()); err != nil || c.Place() != first.Place() {
				t.Fatalf("Unlock when it is back = %v, %+v; want %+v", err, c.Place(), first.Place())
			}
			select {
			case <-changed:
			default:
				t.Errorf("Changed did not tell of it")
			}
			if got, err := s.Get(t.Context(), "github"); err != nil || got.Secret.Reveal() != "s3cret" {
				t.Errorf("Get when it is back = %v, %v", got, err)
			}
		})
	}
}

// checkLocked checks that each call of a store says why there is no key.
func checkLocked(t *testing.T, s *FileStore, want error) {
	t.Helper()
	_, get := s.Get(t.Context(), "github")
	put := s.Put(t.Context(), &Credential{Grant: "github", Secret: "other"})
	_, list := s.List(t.Context())
	for call, err := range map[string]error{"Get": get, "Put": put, "List": list} {
		if !errors.Is(err, want) || errors.Is(err, ErrWrongKey) {
			t.Errorf("%s = %v, want %v", call, err, want)
		}
	}
	if err := s.Delete(t.Context(), "openai"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Delete = %v, want %v: it takes no key", err, ErrNotFound)
	}
}

func mustStore(tb testing.TB, s *FileStore, grant, secret string) {
	tb.Helper()
	if err := s.Put(tb.Context(), &Credential{Grant: grant, Secret: Secret(secret)}); err != nil {
		tb.Fatal(err)
	}
}

func TestAKeyringThatHangsIsGivenTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts, keyring := testHome(t)
		opts.Prefer = KeyInKeyring
		unlocked(t, opts)
		keyring.hangs = true
		begin := time.Now()
		err := NewKeyChain(opts).Unlock(t.Context())
		if took := time.Since(begin); took != 2*time.Second || !errors.Is(err, ErrKeyUnavailable) || !strings.Contains(err.Error(), "within 2s") {
			t.Errorf("Unlock = %v after %v, want %v after 2s", err, took, ErrKeyUnavailable)
		}
	})
}

func TestManyAtOnceMakeOneKey(t *testing.T) {
	for _, prefer := range []KeySource{KeyInFile, KeyInKeyring} {
		t.Run(string(prefer), func(t *testing.T) {
			opts, keyring := testHome(t)
			opts.Prefer = prefer
			var wg sync.WaitGroup
			chains := make([]*KeyChain, 16)
			for i := range chains {
				chains[i] = NewKeyChain(opts)
				wg.Go(func() {
					if err := chains[i].Unlock(t.Context()); err != nil {
						t.Errorf("Unlock = %v", err)
					}
				})
			}
			wg.Wait()
			for _, c := range chains {
				if c.Place() != chains[0].Place() || c.Place().ID == "" {
					t.Errorf("the keys are %+v and %+v, want one", c.Place(), chains[0].Place())
				}
			}
			if n := keyring.entries(t); n > 1 {
				t.Errorf("the keyring has %d entries, want one at most", n)
			}
		})
	}
}

func TestTheRecordTellsNothingOfTheKey(t *testing.T) {
	opts, _ := testHome(t)
	c := unlocked(t, opts)
	_, text, err := readKeyRecord(c.recordPath())
	raw := c.ring().current.raw()
	if err != nil || !strings.Contains(text, c.Place().ID) || strings.Contains(text, hex.EncodeToString(raw[:4])) {
		t.Errorf("the record is %s, %v; want the id and nothing of the key", text, err)
	}
}

func FuzzDecodeKeyRecord(f *testing.F) {
	f.Add([]byte(`{"v":1,"current":{"source":"file","id":"0011223344556677"}}`))
	f.Add([]byte(`{"v":1,"current":{"source":"keyring","id":"0011223344556677"},"previous":{"source":"file","id":"0011223344556678"},"moved":true}`))
	f.Add([]byte(`{"v":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		rec, err := decodeKeyRecord(data)
		if err != nil {
			return
		}
		if strings.ContainsAny(rec.Current.ID, "/.") || rec.Current.Source == KeyAuto || rec.V != 1 {
			t.Errorf("decodeKeyRecord(%q) = %+v, which names no key", data, rec)
		}
	})
}
