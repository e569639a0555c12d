package renew

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/credential"
)

const (
	maxOutput    = 64 << 10    // bytes of a secret that a command prints
	commandGrace = time.Second // for what a command has left running and has its output
)

// command runs the command that prints the next secret, which lives for as long as
// the one before. What the command says on standard error is for nobody: it may
// hold a secret.
func (r *Renewer) command(ctx context.Context, c *credential.Credential, life time.Duration) error {
	argv := c.Renewal.Command
	if len(argv) == 0 {
		return final("there is no command")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer r.cancelAtEnd(ctx, cancel)()
	begun := time.Now()
	out := limited{}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // it is what the user has stored
	cmd.Env, cmd.Stdout, cmd.WaitDelay = r.Environ, &out, commandGrace
	err := cmd.Run()
	secret := credential.Secret(strings.TrimSpace(out.kept.String()))
	exit, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case ctx.Err() != nil:
		return failed("its command has not ended within %v", exchangeTime)
	case exited:
		return failed("its command ended with %s; it runs without a terminal, with the environment and the sandbox of the daemon's unit", exit.ProcessState)
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return failed("its command could not be run: %v", err)
	case out.cut:
		return failed("its command prints more than %d bytes", maxOutput)
	case secret == "":
		return failed("its command prints nothing")
	}
	c.Secret, c.ExpiresAt = secret, expiry(begun, life)
	return nil
}

// cancelAtEnd calls cancel when the daemon is gone, until stop is called.
func (r *Renewer) cancelAtEnd(ctx context.Context, cancel context.CancelFunc) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-r.Ending:
			cancel()
		case <-ctx.Done():
		}
	}()
	return func() { cancel(); <-done }
}

// limited keeps the first maxOutput bytes that are written to it. It has no other
// way in, which [io.Copy] would take.
type limited struct {
	kept bytes.Buffer
	cut  bool
}

// Write implements [io.Writer]; it takes all.
func (l *limited) Write(p []byte) (int, error) {
	if room := maxOutput - l.kept.Len(); len(p) > room {
		l.cut = true
		l.kept.Write(p[:room])
		return len(p), nil
	}
	return l.kept.Write(p)
}

// expiry returns when a secret that lives for so long runs out; zero for 0.
func expiry(begun time.Time, life time.Duration) time.Time {
	if life <= 0 {
		return time.Time{}
	}
	return begun.Add(life)
}
