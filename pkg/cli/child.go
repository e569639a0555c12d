package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"syscall"
)

// Exit codes of moat run for a command that does not start, as of env(1), and
// what is added to the number of the signal that ended one, as shells do.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
	signalBase        = 128
)

// A program is what moat run runs.
type program struct {
	path string   // of the file
	args []string // from its name on
	env  []string
}

// child runs the program to its end, whatever becomes of ctx: the program
// decides what a signal means. One that comes before it starts ends it.
func (a *app) child(ctx context.Context, p program, signals <-chan os.Signal) error {
	select {
	case sig := <-signals:
		if slices.Contains(ending, sig) {
			return endedBy(sig)
		}
	default:
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), p.path, p.args[1:]...) //nolint:gosec // running it is the point
	cmd.Args[0] = p.args[0]
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = p.env, a.process.Stdin, a.process.Stdout, a.process.Stderr
	if err := cmd.Start(); err != nil {
		return a.notStarted(p.args[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case sig := <-signals:
			if !fromTerminal(sig) {
				_ = cmd.Process.Signal(sig) // a child that has just ended needs no signal
			}
		case err := <-ended:
			return endOf(err)
		}
	}
}

// endedBy returns the exit code of a program that sig ended.
func endedBy(sig os.Signal) error {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return exitCode(exitFailure) // not reached: the signals of Unix are all of this type
	}
	return exitCode(signalBase + int(s))
}

// endOf returns the exit code of the child as an error, nil for 0.
func endOf(err error) error {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		if err != nil {
			return fmt.Errorf("wait for the command: %w", err)
		}
		return nil
	}
	if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return endedBy(s.Signal())
	}
	return exitCode(exit.ExitCode())
}

// notStarted says why a command does not start, with the code of env(1).
func (a *app) notStarted(name string, err error) error {
	code := exitNotExecutable
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		code = exitNotFound
	}
	fmt.Fprintf(a.process.Stderr, "moat: run %s: %v\n", name, cause(err))
	return exitCode(code)
}

// cause returns what is left of err without what it was attempted on, which
// the caller names.
func cause(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
