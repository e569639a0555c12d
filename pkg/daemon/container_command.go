package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// commandTimeout is how long a command of an engine may take, and how long it
// may take to end after that.
const (
	commandTimeout = 10 * time.Second
	commandKill    = time.Second
)

// commandEngine is an engine that is asked by its command.
type commandEngine struct {
	name    string   // looked up in PATH each time: it may be installed meanwhile
	args    []string // before the name of the container
	read    func(stdout []byte) (condition, error)
	sockets []*socketEngine // where one is there, it is asked instead
}

func (e *commandEngine) present() bool {
	_, err := exec.LookPath(e.name)
	return err == nil && !slices.ContainsFunc(e.sockets, (*socketEngine).present)
}

func (e *commandEngine) condition(ctx context.Context, container string) (condition, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, e.name, append(slices.Clip(e.args), container)...) //nolint:gosec // plainName has seen to the container
	cmd.Stderr, cmd.WaitDelay = &stderr, commandKill
	out, err := cmd.Output()
	_, exited := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return e.read(out)
	case exited && ctx.Err() == nil && denies(stderr.String()):
		return absent, nil
	}
	said, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
	return absent, fmt.Errorf("%s: %v: %.200s", e.name, err, said)
}
