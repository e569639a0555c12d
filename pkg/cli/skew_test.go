package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/supervisor"
	"github.com/moatd/moatd/pkg/internal/version"
)

func TestJudgeSkew(t *testing.T) {
	mine := version.Version{Text: "v1.2.0", Commit: "0123456789"}
	for _, tt := range []struct {
		name     string
		health   daemon.HealthResponse
		replaced bool
		want     stance
	}{
		{"the same", daemon.HealthResponse{Version: "v1.2.0", Commit: "0123456789", RunCount: 1}, false, goOn},
		{"a daemon of the first version, which does not say", daemon.HealthResponse{RunCount: 1}, false, goOn},
		{"an older daemon at work", daemon.HealthResponse{Version: "v1.1.0", RunCount: 1}, false, outdated},
		{"an older daemon without runs", daemon.HealthResponse{Version: "v1.1.0"}, false, renewable},
		{"a newer daemon", daemon.HealthResponse{Version: "v1.3.0"}, false, behind},
		{"a newer daemon whose program was replaced", daemon.HealthResponse{Version: "v1.3.0"}, true, renewable},
		{"the same, but its program was replaced", daemon.HealthResponse{Version: "v1.2.0", Commit: "0123456789"}, true, renewable},
		{"the same at work, but its program was replaced", daemon.HealthResponse{Version: "v1.2.0", Commit: "0123456789", RunCount: 3}, true, outdated},
		{"another build", daemon.HealthResponse{Version: "devel", Commit: "abcdef0123"}, false, tell},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := judgeSkew(mine, &tt.health, tt.replaced); got != tt.want {
				t.Errorf("judgeSkew(%v, %+v, %t) = %q, want %q", mine, tt.health, tt.replaced, got, tt.want)
			}
		})
	}
}

// restarter is a service manager whose daemon is another one after a restart.
type restarter struct {
	supervisor.Supervisor
	status   supervisor.Status
	restarts int
	err      error // of Restart
	restart  func()
}

func (r *restarter) Status(context.Context) (supervisor.Status, error) { return r.status, nil }

func (r *restarter) Restart(context.Context) error {
	r.restarts++
	if r.err == nil {
		r.restart()
	}
	return r.err
}

// daemonOf serves the answer to GET /v1/health that health points to.
func daemonOf(t *testing.T, health *string) *daemon.Client {
	t.Helper()
	sock := filepath.Join(shortTemp(t), "moatd.sock")
	ln, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, *health) })}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
	return daemon.NewClient(sock)
}

func shortTemp(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "moat") //nolint:usetesting // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// moatdSaying makes an executable that says it is moatd of a version.
func moatdSaying(t *testing.T, said string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "moatd")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho "+said+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMeet(t *testing.T) {
	const older, newer, now = `{"pid":7,"version":"v1.1.0","run_count":%d}`, `{"pid":7,"version":"v1.3.0"}`, `{"pid":8,"version":"v1.2.0"}`
	for _, tt := range []struct {
		name     string
		health   string
		exe      string // what the program of the service says of itself
		pid      int    // of the service
		fails    error  // of the restart
		restarts int
		said     string // on standard error, "" for nothing
	}{
		{"the same version says nothing", now, "moatd v1.2.0", 8, nil, 0, ""},
		{"a daemon of the first version says nothing", `{"pid":7,"run_count":1}`, "moatd v1.2.0", 7, nil, 0, ""},
		{"runs are left alone", fmt.Sprintf(older, 3), "moatd v1.2.0", 7, nil, 0, "moat: moatd is still v1.1.0, moat v1.2.0; its 3 runs go on over a restart: moat daemon restart\n"},
		{"without runs the service is restarted", fmt.Sprintf(older, 0), "moatd v1.2.0 0123", 7, nil, 1, "moat: moatd v1.1.0 had no runs and was restarted; it is v1.2.0 now\n"},
		{"a daemon that knows that its program was replaced", `{"pid":7,"version":"v1.2.0","exe":"/x","exe_changed":true}`, "moatd v1.2.0", 7, nil, 1, "moat: moatd v1.2.0 had no runs and was restarted; it is v1.2.0 now\n"},
		{"a restart that would change nothing is not made", fmt.Sprintf(older, 0), "moatd v1.1.0", 7, nil, 0, "moat: moatd is still v1.1.0, moat v1.2.0, and the service starts no other: moat daemon install\n"},
		{"a program that does not say its version is not started", fmt.Sprintf(older, 0), "hello", 7, nil, 0, "moat: moatd is still v1.1.0, moat v1.2.0, and the service starts no other: moat daemon install\n"},
		{"a daemon that is not the service's is not restarted", fmt.Sprintf(older, 0), "moatd v1.2.0", 0, nil, 0, "moat: moatd is still v1.1.0, moat v1.2.0: moat daemon restart\n"},
		{"a restart that fails is told", fmt.Sprintf(older, 0), "moatd v1.2.0", 7, errors.New("no"), 1, "moat: moatd is still v1.1.0, and its restart failed: no\n"},
		{"an older moat says so", newer, "", 7, nil, 0, "moat: moatd is v1.3.0, moat is still v1.2.0: upgrade moat\n"},
		{"another build is told", `{"pid":7,"version":"devel","commit":"abcdef0123"}`, "", 7, nil, 0, "moat: moatd is devel (abcdef0), moat v1.2.0\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			health := tt.health
			service := &restarter{status: supervisor.Status{PID: tt.pid, Exe: moatdSaying(t, tt.exe)}, err: tt.fails, restart: func() { health = now }}
			var stderr bytes.Buffer
			a := &app{process: Process{Version: "v1.2.0", Stderr: &stderr}}
			err := a.meetUnder(t.Context(), daemonOf(t, &health), func() supervisor.Supervisor { return service })
			if err != nil {
				t.Errorf("meet = %v, want the command to go on", err)
			}
			if stderr.String() != tt.said || service.restarts != tt.restarts {
				t.Errorf("%d restarts, and %q was said; want %d and %q", service.restarts, &stderr, tt.restarts, tt.said)
			}
		})
	}
}

func TestMeetWithoutALanguageInCommon(t *testing.T) {
	health := `{"pid":7,"version":"v9.0.0","api":9,"api_min":8}`
	a := &app{process: Process{Version: "v1.2.0", Stderr: new(bytes.Buffer)}}
	err := a.meet(t.Context(), daemonOf(t, &health))
	if !errors.Is(err, daemon.ErrAPI) || !strings.Contains(err.Error(), "upgrade moat") {
		t.Errorf("meet = %v, want ErrAPI, with what to do", err)
	}
}

func TestMeetLeavesWhatIsNotThereToTheCommand(t *testing.T) {
	a := &app{process: Process{Version: "v1.2.0", Stderr: new(bytes.Buffer)}, settings: config.Settings{Home: t.TempDir()}}
	if err := a.meet(t.Context(), daemon.NewClient(filepath.Join(t.TempDir(), "no.sock"))); err != nil {
		t.Errorf("meet without a daemon = %v, want nothing", err)
	}
}

func TestProgramsAreSparedTheNotes(t *testing.T) {
	health := `{"pid":7,"version":"v1.3.0"}`
	var stderr bytes.Buffer
	a := &app{process: Process{Version: "v1.2.0", Stderr: &stderr}, json: true}
	if err := a.meet(t.Context(), daemonOf(t, &health)); err != nil || stderr.Len() > 0 {
		t.Errorf("meet with --json = %v, and said %q; want nothing", err, &stderr)
	}
}

func FuzzParseProgram(f *testing.F) {
	f.Add("moatd v1.2.3 0123456789\n")
	f.Add("moatd devel\n")
	f.Add("bash: moatd: not found")
	f.Fuzz(func(t *testing.T, out string) {
		v, ok := parseProgram(out)
		if ok && (v.Text == "" || strings.ContainsAny(v.Text+v.Commit, " \n")) {
			t.Errorf("parseProgram(%q) = %+v, want words", out, v)
		}
	})
}
