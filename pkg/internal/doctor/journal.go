package doctor

import (
	"context"
	"fmt"
	"os"
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
		return judgeLog(err, true)
	}
	return judgeLog(err, s.journalOnDisk())
}

// journalOnDisk reports whether journald keeps this machine's log on disk.
func (s *scene) journalOnDisk() bool {
	id, err := os.ReadFile(s.path("etc/machine-id"))
	if err != nil {
		return false
	}
	_, err = os.Stat(s.path("var/log/journal", strings.TrimSpace(string(id))))
	return err == nil
}

// fixJournal makes journald keep what it has, and what follows, on disk.
const fixJournal = "sudo mkdir -p /var/log/journal && sudo systemctl restart systemd-journald && sudo journalctl --flush"

func judgeLog(err error, onDisk bool) Verdict {
	switch {
	case err != nil && !onDisk:
		return warn(fixJournal, "the log cannot be read, and is gone with a reboot: journald keeps it in memory, where users have no journal of their own (%s)", oneLine(err))
	case err != nil:
		return warn(fmt.Sprintf("sudo usermod -aG systemd-journal %s", userOf(os.Geteuid())), "the log cannot be read: %s", oneLine(err))
	case !onDisk:
		return warn(fixJournal, "the log is gone with a reboot: journald keeps it in memory")
	}
	return ok("moat daemon logs can read it, and it is kept")
}
