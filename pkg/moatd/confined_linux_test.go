package moatd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemon"
)

// A confined daemon still does all that needs files: records, reloads, sockets
// of its own, a backup at its end.
func TestConfinedDaemonDoesItsWork(t *testing.T) {
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION); errno != 0 {
		t.Skip("the kernel has no Landlock")
	}
	p := newProcess(t)
	p.env = []string{"MOAT_PROXY_ADDR=127.0.0.1:0"}
	sock := filepath.Join(p.home, "run", "moatd.sock")
	p.start("--api-socket", sock)
	if !strings.Contains(p.output(), "confined to the files of moatd") {
		t.Errorf("log: %s\nwant a word about the confinement", p.output())
	}
	c := daemon.NewClient(sock)
	if _, err := c.RegisterRun(t.Context(), daemon.RegisterRequest{RunID: "run_1"}); err != nil {
		t.Errorf("register: %v", err)
	}
	bad := filepath.Join(config.ProvidersDir(p.home), "late.yaml")
	if err := os.WriteFile(bad, []byte("name: late\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := c.Reload(t.Context()); err != nil {
		t.Errorf("reload: %v", err)
	}
	h, err := c.Health(t.Context())
	if err != nil || len(h.Problems) != 1 || !strings.Contains(h.Problems[0], "late") || strings.Contains(h.Problems[0], "permission") {
		t.Errorf("health: %+v, %v; want what is wrong in late.yaml", h, err)
	}
	if err := os.Remove(config.Database(p.home) + ".bak"); err != nil {
		t.Fatal(err)
	}
	p.end()
	if _, err := os.Stat(config.Database(p.home) + ".bak"); err != nil {
		t.Errorf("no backup at the end: %v", err)
	}
	if _, err := os.Lstat(sock); err == nil {
		t.Error("the socket is left behind")
	}
}

func TestSandboxOffConfinesNothing(t *testing.T) {
	p := newProcess(t)
	p.env = []string{"MOAT_PROXY_ADDR=127.0.0.1:0"}
	p.start("--sandbox", "off", "--api-socket", p.sock)
	if strings.Contains(p.output(), "onfined") {
		t.Errorf("log: %s\nwant no word about a confinement", p.output())
	}
	p.end()
}
