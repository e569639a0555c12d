package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// journal checks that the user can read the daemon's log, and that it survives a
// reboot.
func (s *scene) journal(ctx context.Context) Verdict {
	if !s.managed() {
		return skip("moatd is no service here; it logs to its terminal or to moatd.log in the state directory")
	}
	var out strings.Builder
	err := s.opts.Supervisor.Logs(ctx, supervisor.LogOptions{Out: &out, Lines: 1})
	if s.status.Supervisor != "systemd" {
		return judgeLog(err, journal{onDisk: true, own: true, running: s.pid() != 0})
	}
	return judgeLog(err, s.journals())
}

// A journal is how journald keeps the log of a user.
type journal struct {
	onDisk  bool
	own     bool // the user has a part of it
	running bool // the daemon runs, so that there should be something in it
}

func (s *scene) journals() journal {
	j := journal{running: s.pid() != 0}
	id, err := os.ReadFile(s.path("etc/machine-id"))
	if err != nil {
		return j
	}
	dir := s.path("var/log/journal", filepath.Base(strings.TrimSpace(string(id))))
	entries, err := os.ReadDir(dir)
	j.onDisk = err == nil
	j.own = slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == fmt.Sprintf("user-%d.journal", os.Geteuid()) })
	return j
}

// fixJournal makes journald keep on disk what it has and what follows. What it
// had of the user's does not become the user's: that begins with a new line.
const fixJournal = "sudo mkdir -p /var/log/journal && sudo systemctl restart systemd-journald && sudo journalctl --flush && " + fixRestart

// judgeLog judges what reading the log came to.
func judgeLog(err error, j journal) Verdict {
	switch {
	case errors.Is(err, supervisor.ErrNoLog) && j.onDisk && !j.running:
		return skip("moatd has logged nothing yet")
	case err != nil && !j.onDisk:
		return warn(fixJournal, "the log cannot be read, and is gone with a reboot: journald keeps it in memory, where users have no journal of their own (%s)", oneLine(err))
	case err != nil && !j.own:
		return warn(fixRestart, "the log cannot be read: nothing of this user's has come to the disk since journald keeps it there")
	case err != nil:
		return warn(fmt.Sprintf("sudo usermod -aG systemd-journal %s", userOf(os.Geteuid())), "the log cannot be read: %s", oneLine(err))
	case !j.onDisk:
		return warn(fixJournal, "the log is gone with a reboot: journald keeps it in memory")
	}
	return ok("moat daemon logs can read it, and it is kept")
}
