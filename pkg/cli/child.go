package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/term"
)

// passed are the signals that are passed on to the child.
var passed = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
}

// child runs the command to its end, whatever becomes of ctx: the child decides
// what a signal means.
func (a *app) child(ctx context.Context, path string, args, env []string) error {
	cmd := exec.CommandContext(context.WithoutCancel(ctx), path, args[1:]...) //nolint:gosec // running it is the point
	cmd.Args[0] = args[0]
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = env, a.process.Stdin, a.process.Stdout, a.process.Stderr
	signals := make(chan os.Signal, len(passed))
	signal.Notify(signals, passed...)
	defer signal.Stop(signals)
	if err := cmd.Start(); err != nil {
		return a.notStarted(args[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case sig := <-signals:
			if !a.fromTerminal(sig) {
				_ = cmd.Process.Signal(sig) // a child that has just ended needs no signal
			}
		case err := <-ended:
			return endOf(err)
		}
	}
}

// fromTerminal reports whether the terminal has sent the signal to the child
// too, as it does to every process in the foreground.
func (a *app) fromTerminal(sig os.Signal) bool {
	if sig != syscall.SIGINT && sig != syscall.SIGQUIT && sig != syscall.SIGWINCH {
		return false
	}
	return term.IsTerminal(int(a.process.Stdin.Fd()))
}

// signalBase is added to the number of the signal that ended a command, as
// shells do.
const signalBase = 128

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
		return exitCode(signalBase + int(s.Signal()))
	}
	return exitCode(exit.ExitCode())
}
