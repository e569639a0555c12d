package cli

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/supervisor"
	"github.com/moatd/moatd/pkg/internal/version"
)

// A stance is what a command does about the version of the daemon.
type stance string

const (
	goOn      stance = ""         // the same, or a daemon that does not say
	tell      stance = "tell"     // another build, and nobody knows which is newer
	behind    stance = "behind"   // moat is older
	outdated  stance = "outdated" // the daemon is older, or its program was replaced, and it has runs
	renewable stance = "renew"    // the same, and it has none
)

// judgeSkew compares this program with a daemon that answers so; replaced means
// that the daemon's program on disk is another one by now.
func judgeSkew(mine version.Version, h *daemon.HealthResponse, replaced bool) stance {
	order := version.Compare(mine, version.Version{Text: h.Version, Commit: h.Commit})
	switch {
	case (replaced || order == version.Newer) && h.RunCount > 0:
		return outdated
	case replaced || order == version.Newer:
		return renewable
	case order == version.Older:
		return behind
	case order == version.Different:
		return tell
	}
	return goOn
}

// meet looks at the daemon before a command in the foreground talks to it. A
// daemon of another version gets a line on standard error, or is restarted, if
// it is older and has no runs. The error is that the two do not understand each
// other. A daemon that cannot be asked is left to the command.
func (a *app) meet(ctx context.Context, c *daemon.Client) error {
	return a.meetUnder(ctx, c, a.supervisor)
}

// meetUnder is meet where the service manager is what service returns.
func (a *app) meetUnder(ctx context.Context, c *daemon.Client, service func() supervisor.Supervisor) error {
	soon, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	h, err := c.Health(soon)
	if err != nil {
		return nil // the command will find the same, and knows better what it means
	}
	if err := h.Speaks(); err != nil {
		return err
	}
	theirs := version.Version{Text: h.Version, Commit: h.Commit}
	switch judgeSkew(a.build(), h, replaced(h)) {
	case tell:
		a.note("moatd is %s, moat %s", theirs, a.build())
	case behind:
		a.note("moatd is %s, moat is still %s: upgrade moat", theirs, a.build())
	case outdated:
		a.note("moatd is still %s, moat %s; its %d runs go on over a restart: moat daemon restart", theirs, a.build(), h.RunCount)
	case renewable:
		a.renew(ctx, c, h, service())
	case goOn:
	}
	return nil
}

// build is this program.
func (a *app) build() version.Version {
	return version.Version{Text: a.process.Version, Commit: a.process.Commit}
}

// note says something beside what the command has to say; programs, which asked
// for JSON, are spared it.
func (a *app) note(format string, args ...any) {
	if !a.json {
		fmt.Fprintf(a.process.Stderr, "moat: "+format+"\n", args...)
	}
}

// restartTimeout is how long a daemon without runs may take to end, which is the
// limit of its drain, and the next one to be ready.
const restartTimeout = time.Minute

// renew restarts a daemon without runs, if that makes it another: the service
// must run it, and have another program by now.
func (a *app) renew(ctx context.Context, c *daemon.Client, h *daemon.HealthResponse, service supervisor.Supervisor) {
	old := version.Version{Text: h.Version, Commit: h.Commit}
	ctx, cancel := context.WithTimeout(ctx, restartTimeout)
	defer cancel()
	st, err := service.Status(ctx)
	switch {
	case err != nil || st.PID != h.PID:
		a.note("moatd is still %s, moat %s: moat daemon restart", old, a.build())
		return
	case !replaced(h) && !brings(ctx, st, old):
		a.note("moatd is still %s, moat %s, and the service starts no other: moat daemon install", old, a.build())
		return
	}
	err = service.Restart(ctx)
	if err == nil {
		h, err = c.Health(ctx)
	}
	if err != nil {
		a.note("moatd is still %s, and its restart failed: %v", old, err)
		return
	}
	a.note("moatd %s had no runs and was restarted; it is %s now", old, version.Version{Text: h.Version, Commit: h.Commit})
}

// brings reports whether the program that the service starts is another version
// than old.
func brings(ctx context.Context, st supervisor.Status, old version.Version) bool {
	if st.Exe == "" {
		return false
	}
	out, err := exec.CommandContext(ctx, st.Exe, "version").Output() //nolint:gosec // it is what the service starts anyway
	if err != nil {
		return false
	}
	next, ok := parseProgram(string(out))
	return ok && version.Compare(next, old) != version.Same
}

// parseProgram reads what moatd version prints: "moatd VERSION COMMIT".
func parseProgram(out string) (version.Version, bool) {
	fields := strings.Fields(out)
	if len(fields) < 2 || len(fields) > 3 || fields[0] != "moatd" {
		return version.Version{}, false
	}
	v := version.Version{Text: fields[1]}
	if len(fields) == 3 {
		v.Commit = fields[2]
	}
	return v, true
}

// replaced reports whether the program of the daemon is no longer the file that
// it was started from: the daemon says so, or, if it is too old to, it shows.
func replaced(h *daemon.HealthResponse) bool {
	if h.Exe != "" {
		return h.ExeChanged
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", h.PID))
	return err == nil && strings.HasSuffix(exe, " (deleted)")
}
