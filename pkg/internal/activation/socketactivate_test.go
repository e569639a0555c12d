package activation

import (
	"bufio"
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// systemd's own tool passes the sockets, as a unit file would have it.
func TestTakeFromSystemdSocketActivate(t *testing.T) {
	tool, err := exec.LookPath("systemd-socket-activate")
	if err != nil {
		t.Skipf("systemd-socket-activate is not installed: %v", err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := shortDir(t)
	api, proxy := filepath.Join(dir, "a"), filepath.Join(dir, "p")
	cmd := exec.CommandContext(t.Context(), tool, "-l", api, "-l", proxy, "--fdname=api:proxy", "-E", childVar+"=1", "-E", raceVar, exe)
	var out bytes.Buffer
	cmd.Stdout = &out
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err = cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	for n := 0; n < 2 && lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "Listening on") {
			n++
		}
	}
	for _, path := range []string{api, proxy} {
		c, dialErr := net.Dial("unix", path)
		if dialErr != nil {
			t.Fatal(dialErr)
		}
		defer c.Close()
	}
	for lines.Scan() { // until the child has closed its stderr
		t.Log(lines.Text())
	}
	err = cmd.Wait()
	got := report(t, out.Bytes(), err)
	want := taken{Any: true, Addrs: map[string][]string{API: {api}, Proxy: {proxy}}, Accepted: 2}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("Take (-want +got):\n%s", d)
	}
}
