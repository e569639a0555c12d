package doctor

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatd/moatd/pkg/internal/version"
)

// aLongTimeAgo is a deadline that has passed.
var aLongTimeAgo = time.Unix(1, 0)

func judgeDaemon(s *scene) Verdict {
	switch {
	case s.lockErr != nil:
		return fail("", "read the record of the daemon: %v", s.lockErr)
	case s.health != nil:
		started, err := time.Parse(time.RFC3339, s.health.StartedAt)
		if err != nil {
			started = time.Time{} // a daemon that does not say
		}
		return ok("process %d answers, with %d runs", s.health.PID, s.health.RunCount).since(started)
	case s.healthErr != nil:
		return fail(fixRestart, "process %d is there, but does not answer: %v", s.pid(), s.healthErr)
	}
	if api, held := s.unit("api"); held && api.State == "active" {
		return ok("it does not run; the first connection starts it")
	}
	if s.managed() {
		return fail(fixStart, "it does not run, and no socket would start it")
	}
	return skip("it does not run; moat run starts it")
}

// judgeSingle compares what the record, the service manager and the daemon
// itself say of which process it is.
func judgeSingle(s *scene) Verdict {
	record, main, self := 0, s.status.PID, 0
	if s.lockAlive {
		record = s.lock.PID
	}
	if s.health != nil {
		self = s.health.PID
	}
	switch {
	case record == 0 && main == 0 && self == 0:
		return skip("no daemon runs")
	case self != 0 && record != 0 && self != record:
		return fail(fmt.Sprintf("kill %d && %s", record, fixRestart),
			"there are two daemons: process %d answers, process %d has the state directory", self, record)
	case main != 0 && self != 0 && main != self:
		return fail(fmt.Sprintf("kill %d && %s", self, fixSockets),
			"there are two daemons: process %d answers, the service is process %d", self, main)
	case main != 0 && record != 0 && main != record:
		return fail(fmt.Sprintf("kill %d && %s", record, fixSockets),
			"there are two daemons: process %d has the state directory, the service is process %d", record, main)
	case s.managed() && main == 0:
		pid := cmp.Or(self, record)
		return warn(fmt.Sprintf("kill %d && %s", pid, fixSockets),
			"process %d was not started by the service, which cannot start while it runs", pid)
	case main != 0 && self != 0 && record == 0:
		return fail(fixRestart, "process %d has another state directory than %s; set MOAT_HOME for both or for none", self, s.opts.Settings.Home)
	}
	return ok("process %d alone", cmp.Or(self, main, record))
}

// judgeVersion compares this program with the daemon that runs.
func judgeVersion(s *scene) Verdict {
	if s.health == nil {
		return skip("no daemon was asked")
	}
	if err := s.health.Speaks(); err != nil {
		return fail("", "%v", err)
	}
	mine := version.Version{Text: s.opts.Version, Commit: s.opts.Commit}
	theirs := version.Version{Text: s.health.Version, Commit: s.health.Commit}
	switch version.Compare(mine, theirs) {
	case version.Older:
		return warn("", "moat is %s, the daemon %s: upgrade moat", mine, theirs)
	case version.Newer:
		return warn(fixRestart, "the daemon is %s, moat %s: the daemon has not been restarted, or not been upgraded", theirs, mine)
	case version.Different:
		return warn(fixRestart, "the daemon was built from %s, moat from %s", theirs, mine)
	}
	return ok("moat and the daemon are %s", mine)
}

func judgeProblems(s *scene) Verdict {
	if s.health == nil {
		return skip("no daemon was asked")
	}
	verdicts := []Verdict{ok("moatd knows of no problem")}
	for _, p := range s.health.Problems {
		verdicts = append(verdicts, warn(fixRestart, "%s", p)) // which looks anew
	}
	for _, r := range s.runs {
		if r.Reason != "" {
			verdicts = append(verdicts, warn("", "run %s is degraded: %s", r.RunID, r.Reason))
		}
	}
	return all(verdicts...)
}

// procFile reads a file about the daemon below /proc.
func (s *scene) procFile(name string) (string, error) {
	data, err := os.ReadFile(s.path("proc", strconv.Itoa(s.pid()), name))
	return string(data), err
}

// binary looks whether the file that the daemon was started from is still what
// the daemon runs.
func (s *scene) binary(context.Context) Verdict {
	started := ""
	if s.health != nil {
		started = s.health.Exe
	}
	if started != "" && s.health.ExeChanged {
		started += deleted
	}
	if started == "" && s.pid() > 0 {
		started, _ = os.Readlink(s.path("proc", strconv.Itoa(s.pid()), "exe")) // "" where there is no /proc
	}
	if s.status.Exe != "" {
		info, err := os.Stat(s.status.Exe)
		if missing(err) || err == nil && info.Mode().Perm()&0o111 == 0 {
			return fail(fixInstall, "the service starts %s, which is no program", s.status.Exe)
		}
	}
	if started == "" && s.status.PID == s.pid() {
		started = s.startedFrom()
	}
	return judgeBinary(started, s.pid())
}

// startedFrom is the program of the service as the link in /proc would show it,
// for a daemon that keeps others from looking at it. A file whose inode has
// changed since the daemon started is another one; within a second nobody knows.
func (s *scene) startedFrom() string {
	if s.status.Exe == "" || s.status.Since.IsZero() {
		return ""
	}
	var st unix.Stat_t
	if err := unix.Stat(s.status.Exe, &st); err != nil {
		return ""
	}
	if sec, nsec := st.Ctim.Unix(); time.Unix(sec, nsec).After(s.status.Since.Add(time.Second)) {
		return s.status.Exe + deleted
	}
	return s.status.Exe
}

// deleted is what Linux adds to the path of a file that is gone.
const deleted = " (deleted)"

func judgeBinary(started string, pid int) Verdict {
	switch {
	case pid == 0:
		return ok("no daemon runs")
	case started == "":
		return skip("what process %d was started from cannot be seen", pid)
	case strings.HasSuffix(started, deleted):
		return warn(fixRestart, "%s was replaced, and process %d is still the old one", strings.TrimSuffix(started, deleted), pid)
	}
	return ok("process %d is %s as it is now", pid, started)
}

func (s *scene) descriptors(context.Context) Verdict {
	if s.pid() == 0 {
		return skip("no daemon runs")
	}
	if s.health != nil && s.health.FDLimit > 0 {
		return judgeDescriptors(s.health.FDLimit, s.health.FDOpen)
	}
	limits, err := s.procFile("limits")
	if err != nil {
		return skip("the limits of process %d cannot be seen", s.pid())
	}
	open, err := os.ReadDir(s.path("proc", strconv.Itoa(s.pid()), "fd"))
	if err != nil {
		open = nil // it has ended, or is another user's
	}
	return judgeDescriptors(parseLimit(limits), len(open))
}

// parseLimit returns the soft limit of open files in /proc/PID/limits; 0 if it
// is not there, or unlimited.
func parseLimit(limits string) int {
	for line := range strings.Lines(limits) {
		if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
			soft, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
			n, err := strconv.Atoi(soft)
			if err != nil || n < 0 {
				return 0
			}
			return n
		}
	}
	return 0
}

// Tunnels take two descriptors each, so a few hundred connections of one build
// fill a small limit.
const fewDescriptors = 4096

func judgeDescriptors(limit, open int) Verdict {
	switch {
	case limit == 0:
		return ok("%d open, without a limit", open)
	case open > limit*4/5:
		return fail(fixRestart, "%d of %d file descriptors are open: connections are about to be refused", open, limit)
	case limit < fewDescriptors:
		return warn(fixInstall+" && "+fixRestart, "the daemon may open %d files, which a few hundred connections fill", limit)
	}
	return ok("%d of %d open", open, limit)
}
