//go:build e2e

package daemon

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sirupsen/logrus"
)

// engineRoom is a dockerd with a network, a mount namespace and directories of
// its own, which leaves nothing behind on the machine.
type engineRoom struct {
	dir    string // holds its data, its log and its socket
	netns  string
	daemon *exec.Cmd // nil while it is stopped
}

// required makes what the test cannot do here a failure.
const required = "MOATD_E2E_REQUIRED"

// unfit skips the test, or fails it where it is required to run.
func unfit(t *testing.T, reason string) {
	t.Helper()
	if os.Getenv(required) != "" {
		t.Fatal(reason)
	}
	t.Skip(reason)
}

// must runs a command and returns what it prints.
func must(t *testing.T, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

// newEngineRoom installs what is missing and starts a dockerd.
func newEngineRoom(t *testing.T) *engineRoom {
	t.Helper()
	if os.Getuid() != 0 {
		unfit(t, "a dockerd of the test's own needs root")
	}
	if _, err := exec.LookPath("dockerd"); err != nil {
		if _, err := exec.LookPath("apt-get"); err != nil {
			unfit(t, "there is no dockerd, and no apt-get to install it with")
		}
		must(t, "apt-get", "update", "-qq")
		must(t, "apt-get", "install", "-y", "--no-install-recommends", "docker.io", "iptables")
	}
	dir, err := os.MkdirTemp("", "moatdk") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	e := &engineRoom{dir: dir, netns: filepath.Base(dir)}
	t.Cleanup(e.remove)
	must(t, "ip", "netns", "add", e.netns)
	must(t, "ip", "-n", e.netns, "link", "set", "lo", "up")
	e.start(t)
	return e
}

func (e *engineRoom) sock() string { return filepath.Join(e.dir, "docker.sock") }

// start starts the engine and waits until it answers. nsenter rather than ip
// netns exec: the latter mounts /sys anew, without the cgroups.
func (e *engineRoom) start(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(e.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	e.daemon = exec.Command("unshare", "--mount", "--propagation", "private", "nsenter", "--net=/run/netns/"+e.netns,
		"dockerd", "-H", "unix://"+e.sock(), "--data-root", e.dir+"/data", "--exec-root", e.dir+"/exec",
		"--pidfile", e.dir+"/pid", "--live-restore", "--storage-driver", "vfs")
	e.daemon.Stdout, e.daemon.Stderr = log, log
	if err := e.daemon.Start(); err != nil {
		t.Fatal(err)
	}
	for range 600 {
		if exec.Command("docker", "-H", "unix://"+e.sock(), "version").Run() == nil {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
	said, _ := os.ReadFile(filepath.Join(e.dir, "log"))
	unfit(t, fmt.Sprintf("dockerd does not answer:\n%s", said))
}

// stop ends the engine; its containers, which --live-restore leaves alone, go on.
func (e *engineRoom) stop() {
	if e.daemon == nil {
		return
	}
	e.daemon.Process.Signal(syscall.SIGTERM)
	e.daemon.Wait()
	e.daemon = nil
}

// remove ends the containers and the engine and removes what they had.
func (e *engineRoom) remove() {
	if e.daemon != nil {
		docker := "docker -H unix://" + e.sock()
		exec.Command("sh", "-c", docker+" ps -aq | xargs -r "+docker+" rm -f").Run()
	}
	e.stop()
	exec.Command("ip", "netns", "del", e.netns).Run()
	exec.Command("sh", "-c", `for d in /sys/fs/cgroup/*/docker /sys/fs/cgroup/docker; do [ -d "$d" ] && find "$d" -depth -type d -exec rmdir {} +; done`).Run()
	os.RemoveAll(e.dir)
}

func (e *engineRoom) docker(t *testing.T, args ...string) string {
	t.Helper()
	return must(t, "docker", append([]string{"-H", "unix://" + e.sock()}, args...)...)
}

// image makes an image of one static program that waits.
func (e *engineRoom) image(t *testing.T) {
	t.Helper()
	src := filepath.Join(t.TempDir(), "main.go")
	program := "package main\nimport (\"os\";\"os/signal\";\"syscall\")\nfunc main() { c := make(chan os.Signal, 1); signal.Notify(c, syscall.SIGTERM); <-c }\n"
	if err := os.WriteFile(src, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	cmd := exec.Command("go", "build", "-o", filepath.Join(out, "waiter"), src)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the waiter: %v\n%s", err, said)
	}
	must(t, "tar", "-C", out, "-cf", filepath.Join(out, "image.tar"), "waiter")
	e.docker(t, "import", "-c", `ENTRYPOINT ["/waiter"]`, filepath.Join(out, "image.tar"), "waiter:1")
}

// within waits for something, and fails if it takes longer than limit. It
// returns how long it took.
func within(t *testing.T, limit time.Duration, what string, ok func() bool) time.Duration {
	t.Helper()
	begin := time.Now()
	for !ok() {
		if time.Since(begin) > limit {
			t.Fatalf("after %v still not: %s", limit, what)
		}
		<-time.After(10 * time.Millisecond)
	}
	return time.Since(begin)
}

// TestRunsAndTheirContainers lets a checker watch a real engine. Its interval is
// a tenth of the product's, so that an engine that is down for 15 s fails five
// checks, more than ninety seconds do of the product's own.
func TestRunsAndTheirContainers(t *testing.T) {
	e := newEngineRoom(t)
	e.image(t)
	r := NewRegistry()
	st := openStore(t, t.TempDir())
	p := NewStorePersister(st, nil, r)
	log := logrus.New()
	log.SetOutput(t.Output())
	lc := NewLivenessCheckerWith(LivenessOptions{
		Registry: r, Persister: p, Log: log, Interval: 3 * time.Second,
		Checker: NewContainerChecker(ContainerOptions{Sockets: []string{e.sock()}}),
	})
	s := New(Options{Registry: r, Persister: p})
	begin := func(runID string) {
		t.Helper()
		container := e.docker(t, "run", "-d", "--name", runID, "--network", "none", "waiter:1")
		res, err := s.register(request(""), RegisterRequest{RunID: runID})
		if err == nil {
			_, err = s.update(request(res.AuthToken), UpdateRunRequest{ContainerID: container})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	gone := func(runID string) func() bool {
		return func() bool {
			recs, err := st.Runs()
			if err != nil {
				t.Fatal(err)
			}
			for _, rec := range recs {
				if rec.ID == runID {
					return false
				}
			}
			return !r.Has(runID)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); lc.Run(ctx) }()
	defer func() { cancel(); <-ended }()

	begin("stays")
	for _, tt := range []struct {
		name string
		end  func(runID string)
	}{
		{"stopped", func(id string) { e.docker(t, "stop", id) }},
		{"killed", func(id string) { e.docker(t, "kill", id) }},
		{"removed", func(id string) { e.docker(t, "rm", "-f", id) }},
	} {
		begin(tt.name)
		tt.end(tt.name)
		t.Logf("a container that was %s: its run was gone, on disk too, %v after the command", tt.name,
			within(t, 2*time.Second, "the run of a container that was "+tt.name+" is gone", gone(tt.name)))
	}

	begin("restarted")
	e.docker(t, "restart", "restarted")
	begin("paused")
	e.docker(t, "pause", "paused")
	begin("ends-in-the-dark")
	pid := e.docker(t, "inspect", "-f", "{{.State.Pid}}", "ends-in-the-dark")
	<-time.After(2 * time.Second)

	e.stop()
	must(t, "kill", pid)
	<-time.After(15 * time.Second)
	for _, id := range []string{"stays", "restarted", "paused", "ends-in-the-dark"} {
		if !r.Has(id) {
			t.Errorf("the run %s is gone while the engine is down, want it to stay", id)
		}
	}
	e.start(t)
	t.Logf("a container that ended while the engine was down: its run was gone %v after the engine was back",
		within(t, 10*time.Second, "the run whose container ended meanwhile is gone", gone("ends-in-the-dark")))
	for _, id := range []string{"stays", "restarted", "paused"} {
		if !r.Has(id) {
			t.Errorf("the run %s is gone, want it to outlive the engine", id)
		}
	}
}
