package doctor

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/config"
)

// environment looks at the variables that the daemon was started with, or, if it
// keeps others from looking at it, at those that it would be started with.
func (s *scene) environment(ctx context.Context) Verdict {
	if s.pid() == 0 {
		return skip("no daemon runs")
	}
	text, err := s.procFile("environ")
	environ := strings.Split(text, "\x00")
	if manager, is := s.opts.Supervisor.(interface {
		Environment(ctx context.Context) ([]string, error)
	}); err != nil && is && s.managed() {
		environ, err = manager.Environment(ctx)
	}
	if err != nil {
		return skip("the environment of process %d cannot be seen", s.pid())
	}
	return judgeEnvironment(environ, s.opts.Settings.Home, s.managed())
}

// judgeEnvironment judges the variables of a daemon for the state directory
// home; managed means that they come from the service manager. Values may hold
// passwords and are not told.
func judgeEnvironment(environ []string, home string, managed bool) Verdict {
	var proxies []string
	other := ""
	for _, kv := range environ {
		name, value, _ := strings.Cut(kv, "=")
		switch {
		case value == "":
		case slices.Contains([]string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}, strings.ToUpper(name)):
			proxies = append(proxies, name)
		case name == "MOAT_HOME" && filepath.Clean(value) != home:
			other = value
		}
	}
	verdicts := []Verdict{ok("no variable of the daemon is in the way")}
	if other != "" {
		verdicts = append(verdicts, fail(unset("MOAT_HOME", managed), "the daemon has MOAT_HOME=%s, and moat has %s: what is granted here does not reach it", other, home))
	}
	if proxies != nil {
		slices.Sort(proxies)
		verdicts = append(verdicts, warn(unset(strings.Join(proxies, " "), managed),
			"the daemon has %s in its environment and does not use it: it dials upstreams directly", strings.Join(proxies, ", ")))
	}
	return all(verdicts...)
}

// unset is the command that takes variables from the service; those of a daemon
// without one came from its terminal.
func unset(names string, managed bool) string {
	if !managed {
		return ""
	}
	return "systemctl --user unset-environment " + names + " && " + fixRestart
}

// clock looks for files from the future: a clock that was put back makes
// certificates invalid that were signed before.
func (s *scene) clock(context.Context) Verdict {
	times := make(map[string]time.Time)
	home := s.opts.Settings.Home
	for _, path := range []string{config.Database(home), config.CAFile(home), config.KeyFile(home)} {
		if info, err := os.Stat(path); err == nil {
			times[path] = info.ModTime()
		}
	}
	if s.lock != nil {
		times["the last start of moatd"] = s.lock.StartedAt
	}
	return judgeClock(times, s.now)
}

// clockSlack is how far apart the clocks of two machines with one file system
// may be.
const clockSlack = 5 * time.Minute

func judgeClock(times map[string]time.Time, now time.Time) Verdict {
	latest := ""
	for what, at := range times {
		if at.After(now.Add(clockSlack)) && (latest == "" || at.After(times[latest])) {
			latest = what
		}
	}
	if latest != "" {
		return warn("sudo timedatectl set-ntp true", "the clock says %s, but %s is from %s: certificates may not be valid yet",
			now.Format(time.DateTime), latest, times[latest].Format(time.DateTime))
	}
	return ok("nothing here is from the future")
}

// octal is a mode as chmod takes it.
func octal(mode os.FileMode) string { return fmt.Sprintf("%04o", mode.Perm()) }
