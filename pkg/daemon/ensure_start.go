package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// errHeld reports a lock that another process has.
var errHeld = errors.New("another process has the lock")

// flock takes the lock on f, unless another has it.
func flock(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		failed = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB)
	})
	if errors.Is(failed, unix.EWOULDBLOCK) || errors.Is(failed, unix.EINTR) {
		return errHeld
	}
	return errors.Join(err, failed)
}

// held reports whether another process has the lock on a file, as a daemon has
// on its database.
func held(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close() // and with it the lock
	return errors.Is(flock(f), errHeld)
}

// launch says how to start a daemon.
type launch struct {
	home string // directory of all state
	port int    // of the proxy; 0 means the last one's, or any
	exe  string // path of moatd; "" means to look for it
}

// started is a daemon that was started.
type started struct {
	home  string
	log   string
	begin int64      // where in the log it begins, in bytes
	ended chan error // gets its end
}

// maxLog is the size of a log, in bytes, beyond which the next daemon begins it
// anew.
const maxLog = 1 << 20

// start starts a daemon that belongs to nobody: in a session of its own, with no
// terminal. It leads a life of its own, whatever becomes of ctx.
func (l launch) start(ctx context.Context) (*started, error) {
	exe, err := l.program()
	if err != nil {
		return nil, err
	}
	s := &started{home: l.home, log: filepath.Join(l.home, "moatd.log"), ended: make(chan error, 1)}
	out, err := s.openLog()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.CommandContext(context.WithoutCancel(ctx), exe, "serve", "--home", l.home, //nolint:gosec // it is ours
		"--api-socket", ownSocket(l.home), "--proxy-addr", "127.0.0.1:"+strconv.Itoa(l.port))
	cmd.Stderr, cmd.Dir = out, l.home
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() { s.ended <- cmd.Wait() }() // for as long as the daemon lives, so that it leaves no zombie
	return s, nil
}

// program returns the path of moatd.
func (l launch) program() (string, error) {
	if l.exe != "" {
		return l.exe, nil
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "moatd")
		if info, err := os.Stat(beside); err == nil && info.Mode().IsRegular() {
			return beside, nil
		}
	}
	path, err := exec.LookPath("moatd")
	if err != nil {
		return "", fmt.Errorf("moatd is neither beside this program nor in PATH: %w", err)
	}
	return filepath.Abs(path)
}

func (s *started) openLog() (*os.File, error) {
	f, err := os.OpenFile(s.log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > maxLog {
		err = f.Truncate(0)
		info = nil
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if info != nil {
		s.begin = info.Size()
	}
	return f, nil
}

// exitBusy is how moatd ends when another has the home, the socket or the port.
const exitBusy = 75

// errBusy reports a daemon that ended so.
var errBusy = errors.New("it ended before it was ready")

// wait waits until the daemon answers.
func (s *started) wait(ctx context.Context) (*Client, error) {
	for {
		if c, _ := try(ctx, s.home); c != nil { // whoever listens may still be starting
			return c, nil
		}
		select {
		case err := <-s.ended:
			if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == exitBusy {
				return nil, fmt.Errorf("%w: %s", errBusy, s.lastWords())
			}
			return nil, fmt.Errorf("it ended before it was ready: %v: %s", err, s.lastWords())
		case <-time.After(ensurePoll):
		case <-ctx.Done():
			return nil, fmt.Errorf("it does not answer after %v: %s", startTimeout, s.lastWords())
		}
	}
}

// maxWords is how much of the end of a log is looked at, in bytes.
const maxWords = 4 << 10

// lastWords returns the last line that the daemon has logged.
func (s *started) lastWords() string {
	const none = "its log says nothing"
	f, err := os.Open(s.log)
	if err != nil {
		return none
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return none
	}
	from := max(s.begin, info.Size()-maxWords)
	data, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	data = bytes.TrimSpace(data)
	if err != nil || len(data) == 0 {
		return none
	}
	return string(data[bytes.LastIndexByte(data, '\n')+1:])
}
