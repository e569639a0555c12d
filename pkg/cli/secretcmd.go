package cli

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"
)

const (
	commandTimeout = 2 * time.Minute // it may ask for a password or a finger
	commandGrace   = time.Second     // for what it has left running and has its output
)

// shell returns the program and the arguments that run a command line.
func shell(line string) []string { return []string{"/bin/sh", "-c", line} }

// output returns what a command prints. It has the terminal to ask its user, and
// its errors are shown as they are.
func (a *app) output(ctx context.Context, argv []string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...) //nolint:gosec // it is what the user asks to run
	cmd.Stdin, cmd.Stderr, cmd.Env = a.process.Stdin, a.process.Stderr, a.process.Environ
	cmd.WaitDelay = commandGrace
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err = cmd.Start(); err != nil {
		return "", err
	}
	text, err := readAll(pipe)
	if err != nil {
		cancel() // what it still has to say is not wanted
	}
	ended := cmd.Wait()
	if err != nil {
		return "", err
	}
	if exit, ok := errors.AsType[*exec.ExitError](ended); ok {
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return "", fmt.Errorf("it has not ended within %s", commandTimeout)
		}
		return "", fmt.Errorf("it ended with %s", exit.ProcessState)
	}
	return text, ended
}
