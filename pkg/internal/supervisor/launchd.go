package supervisor

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	initfiles "github.com/moatd/moatd/init"
	"github.com/moatd/moatd/pkg/config"
)

// launchd is the launchd of macOS, with moatd as an agent of the user.
//
// A job is loaded into a domain: gui/UID, the login at the screen, or user/UID,
// where there is none, as over ssh. Loading it makes launchd listen on its
// sockets, and unloading it, which bootout does some time after it has returned,
// closes them and ends the daemon. A job that is unloaded comes back at the next
// login, unless it is disabled.
type launchd struct {
	opts    Options
	run     commands
	program string    // launchctl
	file    plistFile // the library's; tests have their own
}

const (
	commandWait = 30 * time.Second // for launchctl to answer
	// goneWait is for a job to go once it is told to: more than ExitTimeOut of the
	// plist, after which launchd kills the daemon.
	goneWait = 50 * time.Second
	loadWait = 15 * time.Second // for launchd to take a job that it first refuses
	pollMin  = 50 * time.Millisecond
	pollMax  = time.Second
)

// newLaunchd returns launchd, as far as it can do what opts say. It runs no
// command.
func newLaunchd(opts Options) Supervisor {
	if opts.System {
		return none{&Problem{
			What: "on macOS moatd is an agent of each user, not of the system",
			Todo: "do it without --system",
			Kind: ErrUnavailable,
		}}
	}
	return &launchd{opts: opts, run: commands{env: opts.Environ}, program: "launchctl", file: libraryFile}
}

// Name implements [Supervisor].
func (l *launchd) Name() string { return "launchd" }

// plist is the path of the agent's file.
func (l *launchd) plist() string {
	return filepath.Join(l.opts.UserHome, "Library", "LaunchAgents", initfiles.AgentLabel+".plist")
}

// log is the path of the daemon's log.
func (l *launchd) log() string { return config.AgentLogFile(l.opts.UserHome) }

// agent is the job for an executable, without further addresses.
func (l *launchd) agent(exe string) initfiles.Agent {
	return initfiles.Agent{Exe: exe, Home: l.opts.MoatHome, Log: l.log()}
}

// ctl runs launchctl and returns what it printed. Its error is a launchctlError,
// unless launchctl could not be run.
func (l *launchd) ctl(ctx context.Context, verb string, args ...string) (string, error) {
	limited, cancel := context.WithTimeout(ctx, commandWait)
	defer cancel()
	out, err := l.run.output(limited, l.program, append([]string{verb}, args...)...)
	switch cmd, ok := errors.AsType[*commandError](err); {
	case err == nil:
		return out, nil
	case limited.Err() != nil:
		return out, fmt.Errorf("launchctl %s: no answer: %w", verb, limited.Err())
	case !ok || cmd.code < 0:
		return out, err
	case meaning(verb, cmd.code) == outcomeDone:
		return out, nil
	default:
		return out, &launchctlError{meaning(verb, cmd.code), err}
	}
}

// until asks holds again and again until it is true, no longer than limit, and
// reports whether it came to that.
func until(ctx context.Context, limit time.Duration, holds func() (bool, error)) (bool, error) {
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	for pause := pollMin; ; pause = min(2*pause, pollMax) {
		if ok, err := holds(); err != nil || ok {
			return ok, err
		}
		next := time.NewTimer(pause)
		select {
		case <-next.C:
		case <-deadline.C:
			next.Stop()
			return false, nil
		case <-ctx.Done():
			next.Stop()
			return false, ctx.Err()
		}
	}
}

// Start implements [Supervisor].
func (l *launchd) Start(ctx context.Context) error {
	if err := l.installed(); err != nil {
		return err
	}
	d, err := l.domain(ctx)
	if err != nil {
		return err
	}
	if off, err := l.disabled(ctx, d); err != nil || off {
		return errors.Join(err, errSwitchedOff(off))
	}
	return l.converge(ctx, d, driveStart, l.sockets())
}

// Stop implements [Supervisor]. It lasts until the next login, or until [Start].
func (l *launchd) Stop(ctx context.Context) error {
	if err := l.installed(); err != nil {
		return err
	}
	return l.unload(ctx, l.sockets())
}

// Restart implements [Supervisor]. The sockets stay open, unless the plist has
// changed since launchd read it.
func (l *launchd) Restart(ctx context.Context) error {
	if err := l.installed(); err != nil {
		return err
	}
	d, err := l.domain(ctx)
	if err != nil {
		return err
	}
	loaded, err := l.loaded(ctx, d)
	if err != nil {
		return err
	}
	if !loaded {
		return l.Start(ctx)
	}
	return l.converge(ctx, d, driveReplace, l.sockets())
}

// Reload implements [Supervisor].
func (l *launchd) Reload(ctx context.Context) error {
	if err := l.installed(); err != nil {
		return err
	}
	d, err := l.where(ctx)
	if err != nil {
		return err
	}
	_, err = l.ctl(ctx, verbKill, "SIGHUP", d.job())
	switch outcomeOf(err) {
	case outcomeNotLoaded, outcomeNoProcess:
		return &Problem{What: "moatd does not run, so there is nothing to reload", Todo: "moat daemon start", Kind: ErrNotRunning}
	default:
		return err
	}
}

// Enable implements [Supervisor].
func (l *launchd) Enable(ctx context.Context) error { return l.toggle(ctx, verbEnable) }

// Disable implements [Supervisor]. A job that is loaded stays so until the
// logout, or until [Stop].
func (l *launchd) Disable(ctx context.Context) error { return l.toggle(ctx, verbDisable) }

func (l *launchd) toggle(ctx context.Context, verb string) error {
	if err := l.installed(); err != nil {
		return err
	}
	d, err := l.domain(ctx)
	if err != nil {
		return err
	}
	_, err = l.ctl(ctx, verb, d.job())
	return err
}

// Logs implements [Supervisor].
func (l *launchd) Logs(ctx context.Context, opts LogOptions) error {
	if err := l.installed(); err != nil {
		return err
	}
	path := l.log()
	if a, ok := l.installedAgent(); ok {
		path = a.Log
	}
	return CopyLog(ctx, path, opts)
}
