package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A drive says what is to become of the daemon once its job is as it should be.
type drive int

const (
	driveKeep    drive = iota // leave it alone
	driveStart                // start it, if it does not run
	driveReplace              // replace it by another
)

const (
	socketWait = 3 * time.Second // for launchd to remove a socket after its job
	dialWait   = time.Second     // for a daemon to take a connection
)

// converge makes the domain d, and no other, have the job as its file is now,
// and the daemon be as how says. A job that is so already keeps its sockets. The
// others are unloaded and loaded, and sockets are the files that have to go
// meanwhile.
func (l *launchd) converge(ctx context.Context, d domain, how drive, sockets []string) error {
	fresh, err := l.fresh(ctx, d)
	switch {
	case err != nil:
		return err
	case fresh && how == driveKeep:
		return nil
	case fresh && how == driveStart:
		return l.kickstart(ctx, d)
	case fresh:
		return l.replace(ctx, d)
	}
	if err := l.unload(ctx, sockets); err != nil {
		return err
	}
	if err := l.load(ctx, d); err != nil {
		return err
	}
	return l.kickstart(ctx, d) // never with -k here, which would hit the daemon that is starting
}

// fresh reports whether d has the job as its file is now, and no other domain has it.
func (l *launchd) fresh(ctx context.Context, d domain) (bool, error) {
	for _, each := range l.domains() {
		loaded, err := l.loaded(ctx, each)
		if err != nil || loaded != (each == d) {
			return false, err
		}
	}
	return !l.changed(), nil
}

// unload takes the job out of every domain, and returns once it has gone, with
// its sockets.
func (l *launchd) unload(ctx context.Context, sockets []string) error {
	for _, d := range l.domains() {
		if err := l.bootout(ctx, d); err != nil {
			return fmt.Errorf("stop the job %s: %w", d.job(), err)
		}
	}
	for _, path := range sockets {
		if err := awaitSocketGone(ctx, path); err != nil {
			return err
		}
	}
	return nil
}

// bootout takes the job out of a domain. Until it has gone, a second bootstrap
// would fail, and leave nothing that keeps the daemon alive.
func (l *launchd) bootout(ctx context.Context, d domain) error {
	told := false
	gone, err := until(ctx, goneWait, func() (bool, error) {
		if !told {
			_, err := l.ctl(ctx, verbBootout, d.job())
			switch outcomeOf(err) {
			case outcomeDone:
				told = true
			case outcomeNotLoaded, outcomeNoDomain, outcomeAgain: // if it is there after all, it is told again
			default:
				return false, err
			}
		}
		loaded, err := l.loaded(ctx, d)
		return !loaded, err
	})
	if err == nil && !gone {
		err = fmt.Errorf("it has not gone after %v", goneWait)
	}
	return err
}

// awaitSocketGone waits until the socket file has gone. launchd at times leaves
// one behind, and fails to make the next one then: this one is removed, unless
// a daemon answers that launchd does not know of.
func awaitSocketGone(ctx context.Context, path string) error {
	gone, err := until(ctx, socketWait, func() (bool, error) {
		_, err := os.Lstat(path)
		return errors.Is(err, fs.ErrNotExist), nil
	})
	if err != nil || gone {
		return err
	}
	dialer := net.Dialer{Timeout: dialWait}
	c, err := dialer.DialContext(ctx, "unix", path)
	switch {
	case err == nil:
		return errors.Join(c.Close(), &Problem{
			What: "a moatd that launchd did not start listens on " + path,
			Todo: "end it (moat status has its process id), then try again",
		})
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOTSOCK):
		_, err = remove(path)
		return err
	case errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return fmt.Errorf("ask whether a daemon is at %s: %w", path, err)
}

// load makes launchd read the file into the domain d.
func (l *launchd) load(ctx context.Context, d domain) error {
	if _, err := l.ctl(ctx, verbEnable, d.job()); err != nil { // what is disabled stays so for ever
		return fmt.Errorf("switch the job on: %w", err)
	}
	var refused error
	loaded, err := until(ctx, loadWait, func() (bool, error) {
		_, refused = l.ctl(ctx, verbBootstrap, string(d), l.plist())
		if outcomeOf(refused) != outcomeAgain {
			return true, refused
		}
		return l.loaded(ctx, d)
	})
	switch {
	case err != nil:
		return fmt.Errorf("load the job: %w", err)
	case !loaded:
		return &Problem{
			What: fmt.Sprintf("launchd does not load the job: %v", refused),
			Todo: fmt.Sprintf("look whether moatd is switched off in System Settings > General > Login Items, and at plutil -lint %q", l.plist()),
			Kind: refused,
		}
	}
	return l.remember()
}

// kickstart starts the daemon, if it does not run.
func (l *launchd) kickstart(ctx context.Context, d domain) error {
	_, err := l.ctl(ctx, verbKickstart, d.job())
	if err != nil && outcomeOf(err) != outcomeAgain { // which means that it is starting
		return fmt.Errorf("start the daemon: %w", err)
	}
	return nil
}

// replace ends the daemon and returns when its successor runs. The sockets stay.
func (l *launchd) replace(ctx context.Context, d domain) error {
	before := l.process(ctx, d).pid
	told := false
	replaced, err := until(ctx, goneWait, func() (bool, error) {
		if !told {
			_, err := l.ctl(ctx, verbKickstart, "-k", d.job())
			if outcomeOf(err) != outcomeAgain {
				told = true
			}
			if told && err != nil {
				return false, err
			}
		}
		now := l.process(ctx, d).pid
		return told && before == 0 || now != 0 && now != before, nil // without a process before, or where launchctl does not say, there is nothing to wait for
	})
	switch {
	case err != nil:
		return fmt.Errorf("restart the daemon: %w", err)
	case !replaced:
		return &Problem{
			What: fmt.Sprintf("no new moatd has come up in %v; the last was process %d", goneWait, before),
			Todo: "moat daemon logs tells why",
			Kind: ErrNotRunning,
		}
	}
	return l.remember()
}
