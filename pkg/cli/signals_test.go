package cli_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// started is a moat run whose child has said "ready".
type started struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func startCounting(t *testing.T, p place, args ...string) started {
	t.Helper()
	cmd := p.command(t, append([]string{"run", "--name", "counted", "--"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := started{cmd, bufio.NewScanner(out)}
	s.await(t, "ready")
	return s
}

func (s started) await(t *testing.T, want string) {
	t.Helper()
	if !s.lines.Scan() || s.lines.Text() != want {
		t.Fatalf("the child printed %q (%v), want %q", s.lines.Text(), s.lines.Err(), want)
	}
}

// end waits for moat and returns its exit code.
func (s started) end(t *testing.T) int {
	t.Helper()
	if _, err := io.Copy(io.Discard, s.cmdOut()); err != nil {
		t.Error(err)
	}
	var exit *exec.ExitError
	if err := s.cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return s.cmd.ProcessState.ExitCode()
}

// cmdOut reads what the scanner has left.
func (s started) cmdOut() io.Reader {
	return readerFunc(func([]byte) (int, error) {
		if s.lines.Scan() {
			return 0, nil
		}
		return 0, io.EOF
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }

func TestRunPassesSignalsOn(t *testing.T) {
	p := newPlace(t, startOrigin(t, nil))
	t.Run("each signal reaches the child, which decides how to end", func(t *testing.T) {
		s := startCounting(t, p, "sigcount")
		for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGINT} {
			if err := s.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			s.await(t, "got "+sig.String())
		}
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		s.await(t, "saw hangup,user defined signal 1,interrupt")
		if got := s.end(t); got != 0 {
			t.Errorf("moat ended with %d, want 0, the child's code", got)
		}
	})
	t.Run("a child that SIGTERM ends gives 143, and no run stays", func(t *testing.T) {
		s := startCounting(t, p, "sh", "-c", "echo ready; exec cat /dev/zero >/dev/null")
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if got, want := s.end(t), 128+int(syscall.SIGTERM); got != want {
			t.Errorf("moat ended with %d, want %d", got, want)
		}
		noRuns(t, p)
	})
}

func noRuns(t *testing.T, p place) {
	t.Helper()
	if out, err := p.command(t, "ls").CombinedOutput(); err != nil || string(out) != "no runs\n" {
		t.Errorf("moat ls = %q, %v; want no runs", out, err)
	}
}

// A signal that comes while the run is being registered ends moat before the
// child starts, and leaves no run behind.
func TestRunEndsWhileItRegisters(t *testing.T) {
	dir := shortDir(t)
	sock := filepath.Join(dir, "moat", "moatd.sock")
	if err := os.Mkdir(filepath.Dir(sock), 0o700); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	writeFile(t, filepath.Join(home, ".moat", "ca", "bundle.crt"), "none")
	p := place{env: []string{"MOAT_KEY_SOURCE=file", "HOME=" + home, "PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + dir}}
	moat := p.command(t, "run", "--", "echo", "started")
	registered, unregistered := make(chan struct{}), make(chan string, 1)
	signalled := make(chan error)
	srv := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet:
			_, _ = io.WriteString(w, `{}`) // how it is, before there is a run
			return
		case http.MethodDelete:
			unregistered <- r.URL.Path
			w.WriteHeader(http.StatusNoContent)
			return
		}
		close(registered)
		<-signalled
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"auth_token":"token","proxy_port":1}`)
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	defer func() { srv.Close(); <-served }()

	var out strings.Builder
	moat.Stdout = &out
	if err := moat.Start(); err != nil {
		t.Fatal(err)
	}
	<-registered
	if err := moat.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	close(signalled)
	_ = moat.Wait()
	if got, want := moat.ProcessState.ExitCode(), 128+int(syscall.SIGTERM); got != want || out.Len() > 0 {
		t.Errorf("moat run ended with %d and printed %q, want %d and nothing", got, &out, want)
	}
	select {
	case path := <-unregistered:
		if want := "/v1/runs/token"; path != want {
			t.Errorf("moat run sent DELETE %s, want %s", path, want)
		}
	default:
		t.Error("moat run left its run registered")
	}
}
