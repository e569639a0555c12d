package daemon

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// engineAt serves what an engine answers to a ping at the socket of dir.
func engineAt(t *testing.T, path string, status int) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/_ping" {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
	})}
	go srv.Serve(ln)
	t.Cleanup(func() { srv.Close() })
}

// ofDir returns the states of the engines whose sockets are below dir; this
// machine may have others.
func ofDir(states []EngineState, dir string) (list []EngineState) {
	for _, e := range states {
		if strings.HasPrefix(e.Place, dir) {
			list = append(list, e)
		}
	}
	return list
}

func TestEngines(t *testing.T) {
	dir := filepath.Dir(tempSock(t))
	opts := ContainerOptions{RuntimeDir: dir}
	if got := ofDir(Engines(t.Context(), opts), dir); len(got) != 0 {
		t.Errorf("Engines = %v, want none below an empty directory", got)
	}
	engineAt(t, filepath.Join(dir, "docker.sock"), http.StatusInternalServerError)
	engineAt(t, filepath.Join(dir, "podman", "podman.sock"), http.StatusOK)
	got := ofDir(Engines(t.Context(), opts), dir)
	if len(got) != 2 || got[0].Name != "docker" || got[0].Err == nil || got[1].Name != "podman" || got[1].Err != nil {
		t.Errorf("Engines = %v, want a docker that is ill and a podman that answers", got)
	}
	sure := ContainerOptions{Sockets: []string{filepath.Join(dir, "nobody.sock")}}
	if got := ofDir(Engines(t.Context(), sure), dir); len(got) != 1 || got[0].Err == nil {
		t.Errorf("Engines = %v, want the one that should be there, with an error", got)
	}
}

func TestDialFromContainer(t *testing.T) {
	const run = `case "$*" in *"image ls"*) echo sha256:1; echo sha256:2;; *"run --rm --pull=never"*) `
	for _, tt := range []struct {
		name, docker string // the command's script
		want         ContainerDial
		err          string // in the error, "" for none
	}{
		{"it reaches the proxy", run + `;; esac`, ContainerDial{Reached: true}, ""},
		{"it does not", run + `echo warning >&2; echo "moat: connection refused" >&2; exit 1;; esac`, ContainerDial{Said: "moat: connection refused"}, ""},
		{"the engine cannot start it", run + `echo "no such mount" >&2; exit 125;; esac`, ContainerDial{}, "no such mount"},
		{"there is no image", `exit 0`, ContainerDial{}, "has no image, and none is pulled"},
		{"the engine lists no images", `echo denied >&2; exit 1`, ContainerDial{}, "denied"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Dir(tempSock(t))
			engineAt(t, filepath.Join(dir, "e.sock"), http.StatusOK)
			args := filepath.Join(dir, "args")
			script := "#!/bin/sh\nprintf '%s\\n' \"$*\" >>" + args + "\n" + tt.docker + "\n"
			if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", dir+":/usr/bin:/bin")
			got, err := DialFromContainer(t.Context(), ContainerOptions{Sockets: []string{filepath.Join(dir, "e.sock")}}, 19080)
			if (tt.err == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("DialFromContainer: %v, want an error with %q", err, tt.err)
			}
			if got.Reached != tt.want.Reached || got.Said != tt.want.Said || got.Addr != "host.docker.internal:19080" {
				t.Errorf("DialFromContainer = %+v, want %+v", got, tt.want)
			}
			said, err := os.ReadFile(args)
			if err != nil || !strings.HasPrefix(string(said), "--host unix://"+dir+"/e.sock image ls") {
				t.Errorf("the engine's command was called with %q (%v)", said, err)
			}
			if strings.Contains(string(said), " run ") && !strings.Contains(string(said), "sha256:2 doctor dial host.docker.internal:19080") {
				t.Errorf("the engine's command was called with %q, want it to run this program in an image that is there", said)
			}
		})
	}
}

func TestDialFromContainerNeedsAnEngine(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := DialFromContainer(t.Context(), ContainerOptions{}, 19080)
	if !errors.Is(err, ErrNoTrial) {
		t.Errorf("DialFromContainer without an engine = %v, want ErrNoTrial", err)
	}
}
