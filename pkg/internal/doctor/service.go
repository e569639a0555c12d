package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// The commands that mend most things.
const (
	fixInstall = "moat daemon install"
	fixEnable  = "moat daemon enable"
	fixStart   = "moat daemon start"
	fixRestart = "moat daemon restart"
	fixSockets = "moat daemon stop && moat daemon start" // sockets too, which a restart leaves as they are
	fixReload  = "systemctl --user daemon-reload"
)

// manager checks that the service manager of this session answers.
func (s *scene) manager(context.Context) Verdict {
	_, err := os.Stat(s.path("run/systemd/system"))
	return judgeManager(s.status.Supervisor, s.statusErr, err == nil)
}

// judgeManager judges what asking the service manager came to; booted means that
// systemd runs this machine. A session that has no access to its manager is a
// fault where there is one.
func judgeManager(name string, err error, booted bool) Verdict {
	switch {
	case err == nil && name != "none":
		return ok("%s answers", name)
	case err == nil:
		return skip("there is no service manager; moat run starts the daemon by itself")
	}
	what, todo := err.Error(), ""
	if p, ok := errors.AsType[*supervisor.Problem](err); ok {
		what, todo = p.What, p.Todo
	}
	if errors.Is(err, supervisor.ErrUnavailable) && !booted {
		return skip("%s; moat run starts the daemon by itself", what)
	}
	return fail(todo, "%s", what)
}

func judgeInstalled(s *scene) Verdict {
	switch {
	case s.statusErr != nil || s.status.Supervisor == "none":
		return skip("there is no service manager to be asked")
	case !s.status.Installed:
		return warn(fixInstall, "moatd is not a service: nothing starts it again after a crash, and it is not there at login")
	case s.status.Packaged:
		return ok("by a package, for %s", cmp.Or(s.status.Exe, "moatd"))
	}
	return ok("for %s", cmp.Or(s.status.Exe, "moatd"))
}

// notManaged is the verdict of what only a service can have.
func notManaged(s *scene) (Verdict, bool) {
	return skip("moatd is no service here"), !s.managed()
}

func judgeDrift(s *scene) Verdict {
	if v, no := notManaged(s); no {
		return v
	}
	if len(s.status.Drift) > 0 {
		return warn(fixInstall, "not as this version of moat writes it: %s", strings.Join(s.status.Drift, ", "))
	}
	return ok("the units are as this version writes them")
}

func judgeLoaded(s *scene) Verdict {
	if v, no := notManaged(s); no {
		return v
	}
	if s.status.Changed {
		fix := fixInstall
		if s.status.Supervisor == "systemd" {
			fix = fixReload
		}
		return warn(fix, "units have changed since %s read them", s.status.Supervisor)
	}
	return ok("%s has read the units as they are", s.status.Supervisor)
}

func judgeEnabled(s *scene) Verdict {
	if v, no := notManaged(s); no {
		return v
	}
	var off []string
	for _, sock := range s.status.Sockets {
		if !sock.Enabled && sock.Name != "routing" && sock.State != "masked" {
			off = append(off, sock.Name)
		}
	}
	if !s.status.Enabled && len(off) == 0 {
		off = []string{"service"}
	}
	if len(off) > 0 {
		return warn(fixEnable, "not there after the next login: %s", strings.Join(off, ", "))
	}
	return ok("the sockets listen from login on")
}

// Exit codes of moatd, see its package.
const (
	exitUsage  = 64
	exitConfig = 78
)

func judgeState(s *scene) Verdict {
	if v, no := notManaged(s); no {
		return v
	}
	st := s.status
	switch {
	case st.State == "masked":
		return fail("", "the service is masked").since(st.Since)
	case strings.HasSuffix(st.Result, "start-limit-hit"):
		return fail(fixRestart, "it was started too often in too short a time, and is not started any more").since(st.Since)
	case st.State == "failed" && (st.ExitCode == exitConfig || st.ExitCode == exitUsage):
		return fail(fixRestart, "moatd refuses its configuration (exit code %d)%s; moat daemon logs tells why", st.ExitCode, text(st.Text)).since(st.Since)
	case st.State == "failed":
		return fail(fixRestart, "moatd has failed: %s, exit code %d%s; moat daemon logs tells why", st.Result, st.ExitCode, text(st.Text)).since(st.Since)
	case st.State == "active":
		return ok("%s", cmp.Or(st.Text, "active")).since(st.Since)
	case st.State == "activating" && st.Restarts >= manyRestarts:
		return fail("moat daemon logs", "moatd does not start: %s, exit code %d, again and again", st.Result, st.ExitCode).since(st.Since)
	case st.State == "inactive":
		return ok("inactive; a connection starts it").since(st.Since)
	}
	return ok("%s", st.State).since(st.Since)
}

func text(said string) string {
	if said == "" {
		return ""
	}
	return fmt.Sprintf(", %q", said)
}

// manyRestarts is when restarts are no longer an accident.
const manyRestarts = 5

func judgeRestarts(s *scene) Verdict {
	if v, no := notManaged(s); no {
		return v
	}
	n := s.status.Restarts
	if n >= manyRestarts {
		return warn(fixRestart, "moatd has ended by itself and was restarted %d times%s; moat daemon logs tells why, a restart by hand counts anew",
			n, lastStart(s.status)).since(s.status.Since)
	}
	return ok("%d since the last start by hand", n)
}

func lastStart(st supervisor.Status) string {
	if st.Since.IsZero() {
		return ""
	}
	return ", at last at " + st.Since.Format(time.DateTime)
}

func judgeLinger(s *scene) Verdict {
	if v, no := notManaged(s); no {
		return v
	}
	if s.status.Supervisor != "systemd" {
		return skip("a matter of systemd")
	}
	if !s.status.Linger {
		return warn("sudo loginctl enable-linger "+userOf(os.Geteuid()), "moatd ends when you log out, and runs in the background lose their proxy until you log in again")
	}
	return ok("moatd goes on when you log out")
}
