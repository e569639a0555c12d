package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/moatd/moatd/pkg/config"
)

// EnsureRunning returns a client of the daemon of the home directory dir, which
// it starts if there is none. It may take 10 s.
//
// A socket that answers is used, whatever version the daemon behind it has;
// where a service manager holds the socket, that alone starts the daemon.
// Otherwise EnsureRunning starts moatd, from beside the running program or else
// from PATH, in a session of its own, so that it outlives the caller; it logs to
// DIR/moatd.log. However many callers race, in however many processes, one
// daemon starts.
//
// A daemon that is started listens for proxy requests on proxyPort of the
// loopback address; 0 means the port of the last daemon, which its runs have in
// their environment, or any if that is taken.
func EnsureRunning(dir string, proxyPort int) (*Client, error) {
	c, err := ensure(context.Background(), launch{home: dir, port: proxyPort})
	if err != nil {
		return nil, fmt.Errorf("make sure that moatd runs: %w", err)
	}
	return c, nil
}

// The times of EnsureRunning.
const (
	startTimeout = 10 * time.Second // for a daemon to answer, and for the lock
	ensurePoll   = 20 * time.Millisecond
	busyPause    = 200 * time.Millisecond // while a daemon drains, its home is taken
)

func ensure(ctx context.Context, l launch) (*Client, error) {
	if c, err := connect(ctx, l.home); c != nil || err != nil {
		return c, err
	}
	if err := os.MkdirAll(l.home, 0o700); err != nil {
		return nil, err
	}
	lock, err := lockFile(ctx, filepath.Join(l.home, "spawn.lock"))
	if err != nil {
		return nil, err
	}
	defer lock.Close() // and with it the lock
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if c, err := connect(ctx, l.home); c != nil || err != nil {
			return c, err // another has started it meanwhile
		}
		child, err := l.start(ctx)
		if err != nil {
			return nil, err
		}
		c, err := child.wait(ctx)
		if !errors.Is(err, errBusy) || !held(config.Database(l.home)) || !pause(ctx, busyPause) {
			return c, err
		}
	}
}

// pause waits, and reports false if ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// connect returns a client of the daemon; nil, nil if nobody listens where it
// would. Who listens is waited for, 10 s at most: it may just be starting.
func connect(ctx context.Context, home string) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		c, err := try(ctx, home)
		if c != nil || err == nil {
			return c, nil
		}
		if !pause(ctx, ensurePoll) {
			return nil, fmt.Errorf("a daemon listens, and does not answer: %w", err)
		}
	}
}

// try is connect without patience.
func try(ctx context.Context, home string) (*Client, error) {
	for _, a := range addressesOf(home) {
		c := NewClient(a.sock)
		switch h, err := c.Health(ctx); {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOTDIR):
		case err != nil:
			return nil, fmt.Errorf("%s: %w", a.sock, err)
		case a.belongs(home, h.PID):
			return c, nil
		}
	}
	return nil, nil
}

// address is where the daemon of a home may listen.
type address struct {
	sock string
	ours bool // whoever answers there is the home's
}

// addressesOf returns them, the likeliest first.
func addressesOf(home string) []address {
	var list []address
	for _, read := range []func(string) (*LockInfo, error){ReadLockFile, readOldLock} {
		if info, err := read(home); err == nil && info != nil && info.SockPath != "" {
			list = append(list, address{info.SockPath, info.IsAlive()})
		}
	}
	return append(list, address{ownSocket(home), true})
}

// belongs reports whether the daemon that answered with its pid is the home's.
// Where the last one has ended, a service manager may have started another, or
// somebody else's daemon may have taken the path; the record tells.
func (a address) belongs(home string, pid int) bool {
	if a.ours {
		return true
	}
	info, err := ReadLockFile(home)
	return err == nil && info != nil && info.PID == pid
}

// ownSocket is where a daemon listens that EnsureRunning starts.
func ownSocket(home string) string { return filepath.Join(home, "run", "moatd.sock") }

// lockFile waits for the lock on a file, which it creates if need be. Closing
// the file, or the end of the process, gives the lock back.
func lockFile(ctx context.Context, path string) (*os.File, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err := flock(f)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, errHeld) || !pause(ctx, ensurePoll) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
	}
}
