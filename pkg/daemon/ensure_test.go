package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/store"
)

// home returns a directory short enough for sockets in it. At the end of the
// test the daemon that it has by then ends.
func home(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "moat") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if info, err := daemon.ReadLockFile(dir); err == nil && info.IsAlive() && info.PID != os.Getpid() {
			syscall.Kill(info.PID, syscall.SIGTERM)
			await(t, func() bool { return !info.IsAlive() })
		}
		os.RemoveAll(dir)
	})
	return dir
}

// await waits for something that another process does.
func await(t *testing.T, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Fatal("waited 10 s in vain")
}

// ensured returns what the daemon of dir says of itself.
func ensured(t *testing.T, dir string, port int) *daemon.HealthResponse {
	t.Helper()
	c, err := daemon.EnsureRunning(dir, port)
	if err != nil {
		t.Fatal(err)
	}
	h, err := c.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// racers starts n processes that call EnsureRunning for dir at once, and returns
// what each prints.
func racers(t *testing.T, dir string, n int) map[string]int {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	said := make(map[string]int)
	var mu sync.Mutex
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), raceVar+"="+dir)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("a racer: %v: %s", err, stderr.Bytes())
				return
			}
			said[strings.TrimSpace(string(out))]++
		})
	}
	all.Wait()
	return said
}

// logWith returns the log once it tells of n daemons that are ready; they say so
// a moment after they first answer.
func logWith(t *testing.T, dir string, n int) []byte {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for deadline := time.After(10 * time.Second); ; {
		log, err := os.ReadFile(filepath.Join(dir, "moatd.log"))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(log, []byte("moatd is ready")) >= n {
			return log
		}
		select {
		case <-again.C:
		case <-deadline:
			return log
		}
	}
}

func TestFiftyProcessesThatRaceStartOneDaemon(t *testing.T) {
	const n = 50
	dir := home(t)
	var port int
	for round := range 3 {
		said := racers(t, dir, n)
		if len(said) != 1 {
			t.Fatalf("round %d: the racers found %v, want one daemon", round, said)
		}
		log := logWith(t, dir, round+1)
		if got := bytes.Count(log, []byte("moatd is ready")); got != round+1 {
			t.Errorf("round %d: %d daemons were started so far, want %d:\n%s", round, got, round+1, log)
		}
		h := ensured(t, dir, 0)
		if port == 0 {
			port = h.ProxyPort
		}
		if h.ProxyPort != port {
			t.Errorf("round %d: the proxy has port %d, want %d: it is in the environment of the runs", round, h.ProxyPort, port)
		}
		// What a crash leaves: a stale record, and a socket file that nobody listens on.
		syscall.Kill(h.PID, syscall.SIGKILL)
		await(t, func() bool {
			info, err := daemon.ReadLockFile(dir)
			return err == nil && !info.IsAlive()
		})
	}
}

func TestADaemonThatIsStartedHasASessionOfItsOwn(t *testing.T) {
	dir := home(t)
	h := ensured(t, dir, 0)
	sid, err := unix.Getsid(h.PID)
	if err != nil || sid != h.PID {
		t.Errorf("the session of the daemon is %d (%v), want its own, %d", sid, err, h.PID)
	}
	if again := ensured(t, dir, 0); again.PID != h.PID {
		t.Errorf("the second call found process %d, want the first's, %d", again.PID, h.PID)
	}
}

func TestThePortOfTheCallerIsUsed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := ln.Addr().(*net.TCPAddr).Port
	dir := home(t)
	if _, err = daemon.EnsureRunning(dir, port); err == nil || !strings.Contains(err.Error(), "already in use by another program") {
		t.Errorf("EnsureRunning(a port that is taken): error %v, want the last line of the daemon's log", err)
	}
	ln.Close()
	if h := ensured(t, dir, port); h.ProxyPort != port {
		t.Errorf("the proxy has port %d, want %d", h.ProxyPort, port)
	}
}

// impostor serves health, and nothing else, on a socket, until the test ends.
func impostor(t *testing.T, sock string, pid int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(sock), 0o700); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/health", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"pid":%d,"proxy_port":19080,"run_count":0,"started_at":"2026-01-01T00:00:00Z"}`, pid)
	})
	srv := &http.Server{Handler: mux}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
}

func TestWhoseDaemonIsUsed(t *testing.T) {
	const stranger = 1
	self := os.Getpid()
	record := func(t *testing.T, dir string, info daemon.LockInfo) {
		t.Helper()
		if err := daemon.WriteLockFile(dir, info); err != nil {
			t.Fatal(err)
		}
	}
	dead := daemon.LockInfo{PID: self, BootID: "another boot", StartTicks: 1}
	for _, tt := range []struct {
		name    string
		before  func(t *testing.T, dir, elsewhere string)
		started bool
	}{
		{"a live daemon of another version", func(t *testing.T, dir, _ string) {
			t.Helper()
			impostor(t, filepath.Join(dir, "run", "moatd.sock"), self)
		}, false},
		{"a live daemon, by the record of the last, on a socket elsewhere", func(t *testing.T, dir, elsewhere string) {
			t.Helper()
			impostor(t, elsewhere, self)
			record(t, dir, daemon.LockInfo{PID: self, SockPath: elsewhere})
		}, false},
		{"a live daemon of before the database, by its daemon.lock", func(t *testing.T, dir, elsewhere string) {
			t.Helper()
			impostor(t, elsewhere, self)
			old, err := json.Marshal(daemon.LockInfo{PID: self, SockPath: elsewhere})
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, "daemon.lock"), old, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}, false},
		{"a daemon that a service manager has started for the connection", func(t *testing.T, dir, elsewhere string) {
			t.Helper()
			impostor(t, elsewhere, dead.PID) // the record has its PID when it answers
			info := dead
			info.SockPath = elsewhere
			record(t, dir, info)
		}, false},
		{"a stranger's daemon where the last one was", func(t *testing.T, dir, elsewhere string) {
			t.Helper()
			impostor(t, elsewhere, stranger)
			info := dead
			info.SockPath = elsewhere
			record(t, dir, info)
		}, true},
		{"a stale record and no socket", func(t *testing.T, dir, elsewhere string) {
			t.Helper()
			info := dead
			info.SockPath = elsewhere
			record(t, dir, info)
		}, true},
		{"a damaged record", func(t *testing.T, dir, _ string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, "daemon.lock.db"), []byte("nonsense"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, true},
		{"a daemon.lock that is stale", func(t *testing.T, dir, elsewhere string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, "daemon.lock"), []byte(`{"pid":999999999,"proxy_port":0,"sock_path":"`+elsewhere+`"}`), 0o600); err != nil {
				t.Fatal(err)
			}
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := home(t)
			tt.before(t, dir, filepath.Join(dir, "elsewhere.sock"))
			h := ensured(t, dir, 0)
			_, err := os.Stat(filepath.Join(dir, "moatd.log"))
			if started := err == nil; started != tt.started {
				t.Errorf("a daemon was started: %v, want %v (process %d answers)", started, tt.started, h.PID)
			}
		})
	}
}

func TestAHomeThatADrainingDaemonHasIsWaitedFor(t *testing.T) {
	dir := home(t)
	st, _, err := store.Open(filepath.Join(dir, "moatd.db"), store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	time.AfterFunc(time.Second, func() { closed <- st.Close() })
	ensured(t, dir, 0)
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestTheLogIsBegunAnewWhenItIsLong(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int
		kept bool
	}{
		{"a short log goes on", 1 << 10, true},
		{"a long log is begun anew", 1<<20 + 1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := home(t)
			path := filepath.Join(dir, "moatd.log")
			if err := os.WriteFile(path, bytes.Repeat([]byte("x"), tt.size), 0o600); err != nil {
				t.Fatal(err)
			}
			ensured(t, dir, 0)
			log := logWith(t, dir, 1)
			if kept := bytes.HasPrefix(log, []byte("xxx")); kept != tt.kept || !bytes.Contains(log, []byte("moatd is ready")) {
				t.Errorf("the log has %d bytes and begins with the old one: %v, want %v and what the daemon says", len(log), kept, tt.kept)
			}
		})
	}
}

func TestErrorsOfEnsureRunning(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(t *testing.T, dir string)
		want   string
	}{
		{"no moatd", func(t *testing.T, _ string) {
			t.Helper()
			t.Setenv("PATH", t.TempDir())
		}, "moatd is neither beside this program nor in PATH"},
		{"a configuration that makes no sense", func(t *testing.T, dir string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte("drain_limit: soon\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "soon"},
		{"a home that is a file", func(t *testing.T, dir string) {
			t.Helper()
			if err := os.RemoveAll(dir); err == nil {
				err = os.WriteFile(dir, nil, 0o600)
				if err != nil {
					t.Fatal(err)
				}
			}
		}, "not a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := home(t)
			tt.before(t, dir)
			_, err := daemon.EnsureRunning(dir, 0)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("EnsureRunning: error %v, want one with %q", err, tt.want)
			}
		})
	}
}

func ExampleEnsureRunning() {
	dir, remove := tempDir()
	defer remove()
	client, err := daemon.EnsureRunning(dir, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	first, _ := client.Health(context.Background())
	if client, err = daemon.EnsureRunning(dir, 0); err != nil {
		fmt.Println(err)
		return
	}
	second, _ := client.Health(context.Background())
	fmt.Println("the same daemon:", first.PID == second.PID)
	fmt.Println("it ends:", client.Shutdown(context.Background()) == nil)
	// Output:
	// the same daemon: true
	// it ends: true
}
