package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestScripts runs the scripts of testdata/script, the specification of the
// commands. None may print the secret, or leave it in a file.
func TestScripts(t *testing.T) {
	testscript.RunT(watched{t}, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE") != "",
		Setup:               setup,
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Getuid() == 0, nil
			}
			return false, fmt.Errorf("no condition %q", name)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"origin": cmdOrigin, "saw": cmdSaw, "setsecret": cmdSetSecret, "daemon": cmdDaemon,
			"pair": cmdPair, "listen": cmdListen, "dialled": cmdDialled,
			"mcp": cmdMCP, "githubapp": cmdGitHubApp,
			"occupy": cmdOccupy, "mends": cmdMends,
		},
	})
}

// watched is a test that fails if its script has printed the secret.
type watched struct{ *testing.T }

func (w watched) Run(name string, f func(testscript.T)) {
	w.T.Run(name, func(t *testing.T) { f(watched{t}) })
}

func (w watched) Verbose() bool { return true } // or the log lacks what went well

func (w watched) Log(args ...any) {
	w.Helper()
	text := fmt.Sprint(args...)
	if form := leaked(text); form != "" {
		w.Errorf("the script printed the secret, %s", form)
	}
	if w.Failed() || testing.Verbose() {
		w.T.Log(text)
	}
}

// script is what the commands of one script share.
type script struct {
	origin  *origin
	daemon  *moatdProcess
	dialled atomic.Int32 // connections that listen took
}

type scriptKey struct{}

func scriptOf(ts *testscript.TestScript) *script {
	s, ok := ts.Value(scriptKey{}).(*script)
	if !ok {
		ts.Fatalf("setup has not run")
	}
	return s
}

// setup gives a script a home and a runtime directory of its own, and the secret
// in the file secret. At its end it looks where else the secret is.
func setup(env *testscript.Env) error {
	env.Values[scriptKey{}] = new(script)
	home := filepath.Join(env.WorkDir, "home")
	run, err := os.MkdirTemp("/tmp", "moat") // short enough for a socket
	if err != nil {
		return err
	}
	env.Setenv("HOME", home)
	env.Setenv("MOAT_KEY_SOURCE", "file") // never the keyring of who runs the test
	env.Setenv("MOAT", filepath.Join(home, ".moat"))
	env.Setenv("XDG_RUNTIME_DIR", run)
	env.Setenv("HTTPS_PROXY", "http://127.0.0.1:1") // nobody: no script asks the Internet
	env.Setenv("SOCKET", filepath.Join(run, "moat", "moatd.sock"))
	env.Defer(func() {
		os.RemoveAll(run)
		if err := searchFiles(env.WorkDir); err != nil {
			env.T().Fatal(err)
		}
	})
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(env.WorkDir, "secret"), []byte(secret+"\n"), 0o600)
}
