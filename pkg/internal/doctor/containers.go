package doctor

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"syscall"

	"github.com/moatd/moatd/pkg/daemon"
)

// engine checks the container engines of this machine.
func (s *scene) engine(ctx context.Context) Verdict {
	return judgeEngines(daemon.Engines(ctx, s.opts.Engines), s.containers())
}

// containers counts the runs that are containers.
func (s *scene) containers() int {
	n := 0
	for _, r := range s.runs {
		if r.ContainerID != "" {
			n++
		}
	}
	return n
}

// judgeEngines judges the engines, of which one that answers is enough. It is a
// fault only if so many runs are containers.
func judgeEngines(engines []daemon.EngineState, containers int) Verdict {
	bad := warn
	if containers > 0 {
		bad = fail
	}
	if i := slices.IndexFunc(engines, func(e daemon.EngineState) bool { return e.Err == nil }); i >= 0 {
		return ok("%s answers", engines[i].Place)
	}
	if len(engines) == 0 && containers == 0 {
		return skip("there is none; runs without containers need none")
	}
	if len(engines) == 0 {
		return bad("", "%d runs are containers, and there is no container engine", containers)
	}
	e := engines[0]
	switch {
	case errors.Is(e.Err, fs.ErrPermission):
		return bad("sudo usermod -aG docker "+userOf(os.Geteuid()), "%s may not be used by this user; group members may, from the next login on", e.Place)
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		return bad("sudo systemctl start docker", "%s does not run", e.Place)
	}
	return bad("", "%s: %v", e.Place, e.Err)
}

// containerProxy checks that the proxy can be reached from a container.
func (s *scene) containerProxy(ctx context.Context) Verdict {
	switch {
	case runtime.GOOS != "linux":
		return skip("containers of this system reach the loopback address of the machine")
	case !s.opts.Container && s.containers() == 0:
		return skip("no run is a container; moat doctor --container tries it all the same")
	case !s.running() && s.health == nil:
		return skip("no daemon runs; moat doctor --start --container starts one")
	}
	addr := s.proxyAddr()
	if !addr.IsValid() || addr.Port() == 0 {
		return skip("the port of the proxy is not known")
	}
	tried, err := daemon.DialFromContainer(ctx, s.opts.Engines, addr.Port())
	return judgeContainerDial(tried, err)
}

// fixDocker makes the proxy listen where containers can reach it.
const fixDocker = "moat daemon install --docker"

func judgeContainerDial(t daemon.ContainerDial, err error) Verdict {
	switch {
	case errors.Is(err, daemon.ErrNoTrial):
		return skip("%v", err)
	case err != nil:
		return warn("", "it could not be tried: %v", err)
	case !t.Reached:
		return fail(fixDocker, "a container (image %s) does not reach the proxy at %s: %s", t.Image, t.Addr, t.Said)
	}
	return ok("a container (image %s) reaches the proxy at %s", t.Image, t.Addr)
}
