//go:build e2e

package daemon

import (
	"encoding/json"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestDoctorFromAContainer lets moat doctor find out whether a container of a
// real engine reaches the proxy: on the loopback address it does not, on that of
// the bridge it does.
func TestDoctorFromAContainer(t *testing.T) {
	e := newEngineRoom(t)
	e.image(t)
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "../../cmd/moat", "../../cmd/moatd")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	bridge, err := netip.ParsePrefix(strings.Fields(must(t, "ip", "-n", e.netns, "-4", "-o", "addr", "show", "docker0"))[3])
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, addr, status, detail, fix string }{
		{"a proxy for this machine alone", "127.0.0.1:0", "fail", "does not reach the proxy", "moat daemon install --docker"},
		{"a proxy on the bridge", bridge.Addr().String() + ":0", "ok", "reaches the proxy", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			home := filepath.Join(e.dir, strings.ReplaceAll(tt.addr, ":", "-"))
			if err := os.Mkdir(home, 0o700); err != nil {
				t.Fatal(err)
			}
			inRoom := func(args ...string) *exec.Cmd {
				cmd := exec.Command("nsenter", append([]string{"--net=/run/netns/" + e.netns, "--"}, args...)...)
				cmd.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "DOCKER_HOST=unix://" + e.sock()}
				return cmd
			}
			moatd := inRoom(filepath.Join(bin, "moatd"), "serve", "--proxy-addr", tt.addr, "--routing-addr", "off")
			moatd.Stderr = t.Output()
			if err := moatd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { moatd.Process.Kill(); moatd.Wait() }()
			within(t, 20*time.Second, "a daemon", func() bool { return inRoom(filepath.Join(bin, "moat"), "status").Run() == nil })
			out, _ := inRoom(filepath.Join(bin, "moat"), "doctor", "--container", "--json").Output() // its exit code is another test's
			var said struct {
				Checks []struct{ Name, Status, Detail, Fix string }
			}
			if err := json.Unmarshal(out, &said); err != nil {
				t.Fatalf("moat doctor: %v\n%s", err, out)
			}
			for _, c := range said.Checks {
				if c.Name != "container-proxy" {
					continue
				}
				if c.Status != tt.status || !strings.Contains(c.Detail, tt.detail) || c.Fix != tt.fix {
					t.Errorf("container-proxy: %+v, want %s, %q and the command %q", c, tt.status, tt.detail, tt.fix)
				}
				t.Log(c.Detail)
			}
			if left := e.docker(t, "ps", "-aq"); left != "" {
				t.Errorf("containers are left: %s", left)
			}
		})
	}
}
