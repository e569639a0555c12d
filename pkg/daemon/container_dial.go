package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// ErrNoTrial reports that there is nothing to start a container with. The error
// around it says what is missing.
var ErrNoTrial = errors.New("no container can be started to try it")

// ContainerDial is what came of a container that tried to reach the proxy.
type ContainerDial struct {
	Image   string // of which it was made
	Addr    string // host:port that it tried
	Reached bool
	Said    string // what it said instead
}

// hostGateway is the name that Docker and Podman give to this machine.
const hostGateway = "host.docker.internal"

// DialFromContainer starts a container of an image that is there already, and
// has it dial the proxy's port on this machine the way the container of a run
// does. What runs in it is this very program, as "moat doctor dial", so the
// image needs nothing. The container has no rights and is removed.
func DialFromContainer(ctx context.Context, opts ContainerOptions, port uint16) (ContainerDial, error) {
	t := ContainerDial{Addr: fmt.Sprintf("%s:%d", hostGateway, port)}
	self, err := os.Executable()
	if err != nil {
		return t, fmt.Errorf("find this program: %w", err)
	}
	engine, err := engineToTry(ctx, opts)
	if err != nil {
		return t, err
	}
	if t.Image, err = engine.anImage(ctx); err != nil {
		return t, err
	}
	said, err := engine.command(ctx, dialArgs(self, t)...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == 1 {
		t.Said = said // the program's own word; the engine's failures have other codes
		return t, nil
	}
	if err != nil {
		return t, fmt.Errorf("%v: %s", err, said)
	}
	t.Reached = true
	return t, nil
}

// dialArgs is the command of the engine.
func dialArgs(self string, t ContainerDial) []string {
	return []string{
		"run", "--rm", "--pull=never", "--add-host", hostGateway + ":host-gateway",
		"--cap-drop=ALL", "--security-opt=no-new-privileges", "--read-only", "--user=65534:65534",
		"--volume", self + ":/moat:ro", "--entrypoint=/moat", t.Image, "doctor", "dial", t.Addr,
	}
}

// A trialEngine is the command of an engine, and how it finds the engine.
type trialEngine struct {
	name string
	host string // URL of the engine's socket
}

// engineToTry returns the first engine that answers and whose command there is.
func engineToTry(ctx context.Context, opts ContainerOptions) (trialEngine, error) {
	for _, e := range Engines(ctx, opts) {
		if e.Err != nil || !strings.HasPrefix(e.Place, "/") {
			continue
		}
		if _, err := exec.LookPath(e.Name); err == nil {
			return trialEngine{e.Name, "unix://" + e.Place}, nil
		}
	}
	return trialEngine{}, fmt.Errorf("%w: no engine answers, or its command is not in PATH", ErrNoTrial)
}

// command runs the engine's command and returns the last line that it printed.
func (e trialEngine) command(ctx context.Context, args ...string) (string, error) {
	all := append([]string{"--host", e.host}, args...)
	if e.name == "podman" {
		all = append([]string{"--remote", "--url", e.host}, args...)
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, e.name, all...) //nolint:gosec // its arguments are ours, and the engine's own names
	cmd.Stderr, cmd.WaitDelay = &stderr, commandKill
	out, err := cmd.Output()
	lines := strings.Split(strings.TrimSpace(string(out)+stderr.String()), "\n")
	return lines[len(lines)-1], err
}

// anImage returns the id of an image that the engine has.
func (e trialEngine) anImage(ctx context.Context) (string, error) {
	id, err := e.command(ctx, "image", "ls", "--quiet", "--no-trunc", "--filter", "dangling=false")
	if err != nil {
		return "", fmt.Errorf("list the images of %s: %v: %s", e.name, err, id)
	}
	if id == "" {
		return "", fmt.Errorf("%w: %s has no image, and none is pulled", ErrNoTrial, e.name)
	}
	return id, nil
}
