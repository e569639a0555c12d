package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/pki"
)

// save makes a file, and its directory.
func save(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// at is a scene whose home is a new directory.
func at(t *testing.T) (*scene, string) {
	t.Helper()
	home := t.TempDir()
	check(t, os.Chmod(home, 0o700))
	return &scene{now: time.Now(), opts: Options{Settings: config.Settings{Home: home}, Root: t.TempDir()}}, home
}

func TestCA(t *testing.T) {
	s, home := at(t)
	dir := config.CADir(home)
	key, renewed := filepath.Join(dir, "ca.key"), "mv "+dir+" "+dir+".old && "+fixRestart
	judge(t, []verdictCase{
		{"there is none", s.ca(t.Context()), Skip, "none yet", ""},
		{"and no bundle", s.caBundle(t.Context()), Skip, "no CA yet", ""},
	})
	ca, err := pki.Create(s.now)
	check(t, err)
	check(t, ca.Save(dir))
	judge(t, []verdictCase{
		{"it is good", s.ca(t.Context()), OK, "good until", ""},
		{"there is no bundle", s.caBundle(t.Context()), Fail, "trust nothing", fixRestart},
	})
	later := *s
	later.now = ca.NotAfter().Add(-soon + time.Hour)
	judge(t, []verdictCase{{"it ends soon", later.ca(t.Context()), Warn, "the CA ends on", renewed}})

	check(t, os.Chmod(key, 0o644))
	judge(t, []verdictCase{{"others may read the key", s.ca(t.Context()), Fail, "others may use", "chmod 0600 " + key}})
	other, err := pki.Create(s.now)
	check(t, err)
	elsewhere := t.TempDir()
	check(t, other.Save(elsewhere))
	check(t, os.Rename(filepath.Join(elsewhere, "ca.key"), key))
	judge(t, []verdictCase{{"the key is another's", s.ca(t.Context()), Fail, "ca.key is not the key of ca.crt", renewed}})

	old, err := pki.Create(s.now.AddDate(-11, 0, 0))
	check(t, err)
	check(t, old.Save(dir))
	judge(t, []verdictCase{{"it has ended", s.ca(t.Context()), Fail, "expired on", renewed}})
	check(t, os.Remove(key))
	judge(t, []verdictCase{{"there is no key", s.ca(t.Context()), Fail, "ca.key is not", renewed}})
}

func TestJudgeBundle(t *testing.T) {
	const cert, roots = "OURS\n", "ROOT 1\nROOT 2\n"
	judge(t, []verdictCase{
		{"roots and ours", judgeBundle([]byte(roots+cert), nil, []byte(cert), []byte(roots)), OK, "", ""},
		{"without ours", judgeBundle([]byte(roots), nil, []byte(cert), []byte(roots)), Fail, "does not have the CA", fixRestart},
		{"with old roots", judgeBundle([]byte("ROOT 1\n"+cert), nil, []byte(cert), []byte(roots)), Warn, "trusts today", fixRestart},
		{"none", judgeBundle(nil, fs.ErrNotExist, []byte(cert), nil), Fail, "trust nothing", fixRestart},
		{"a system with roots", judgeRoots(nil), OK, "", ""},
		{"a system without roots", judgeRoots(errors.New("no certificates in /etc/ssl")), Fail, "cannot check upstreams", "sudo apt-get install ca-certificates"},
	})
}

func TestStoreKeyAndCredentials(t *testing.T) {
	s, home := at(t)
	path, dir := config.KeyFile(home), config.CredentialsDir(home)
	judge(t, []verdictCase{
		{"no key yet", s.storeKey(t.Context()), Skip, "none yet", ""},
		{"no credentials yet", s.credentials(t.Context()), Skip, "no key", ""},
	})
	key, _, err := credential.LoadOrCreateKey(path)
	check(t, err)
	judge(t, []verdictCase{{"a key alone", s.credentials(t.Context()), Skip, "there are none", ""}})
	st, err := credential.OpenFileStore(dir, key)
	check(t, err)
	for _, grant := range []string{"github", "mcp:linear"} {
		check(t, st.Put(t.Context(), &credential.Credential{Grant: grant, Secret: "p4ssw0rd-of-the-test"}))
	}
	judge(t, []verdictCase{
		{"the key is good", s.storeKey(t.Context()), OK, "kept in a file", ""},
		{"the credentials are", s.credentials(t.Context()), OK, "2, each can be opened", ""},
	})

	check(t, os.Chmod(path, 0o644))
	judge(t, []verdictCase{{"others may read the key", s.storeKey(t.Context()), Fail, "0644", "chmod 0600 " + path}})
	check(t, os.Chmod(path, 0o600))
	check(t, os.Chmod(home, 0o722))
	judge(t, []verdictCase{{"others may exchange the key", s.storeKey(t.Context()), Fail, "its mode is 0722, not 0700", "chmod 0700 " + home}})
	check(t, os.Chmod(home, 0o700))

	check(t, os.Rename(path, path+".old"))
	judge(t, []verdictCase{{"the key is gone", s.storeKey(t.Context()), Fail, "sealed 2 credentials is gone", "mv " + dir + " " + dir + ".old && rm -f " + home + "/key.json && " + fixRestart}})
	_, _, err = credential.LoadOrCreateKey(path)
	check(t, err)
	judge(t, []verdictCase{{"another key", s.credentials(t.Context()), Fail, "another key", "moat revoke github && moat grant github"}})
	save(t, path, "no key\n")
	judge(t, []verdictCase{{"no key in the file", s.storeKey(t.Context()), Fail, "where a key has 64", ""}})

	save(t, filepath.Join(home, "key.json"), `{"v":1,"current":{"source":"keyring","id":"0011223344556677"}}`)
	judge(t, []verdictCase{
		{"a key in the keyring", s.storeKey(t.Context()), OK, "kept in the keyring, 0011223344556677", ""},
		{"is not asked for", s.credentials(t.Context()), Skip, "in the keyring", ""},
	})
}

func TestJudgeCredentials(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	old := credential.Credential{Grant: "github", ExpiresAt: now.Add(-time.Hour)}
	denied := fmt.Errorf("credential github: file x: %w", &fs.PathError{Op: "open", Path: "/h/credentials/github.sealed", Err: fs.ErrPermission})
	judge(t, []verdictCase{
		{"one that has ended", judgeCredentials([]credential.Credential{old}, nil, now), Warn, "github ended on 2026-01-02", "moat grant github"},
		{"one that goes on", judgeCredentials([]credential.Credential{{Grant: "a", ExpiresAt: now.Add(1)}}, nil, now), OK, "1,", ""},
		{"one that cannot be read", judgeCredentials(nil, denied, now), Fail, "permission denied", "chmod 600 /h/credentials/github.sealed"},
		{"a file that is none", judgeCredentials(nil, errors.New("file /h/x: not the name of a sealed credential"), now), Fail, "not the name", ""},
	})
}
