//go:build linux

// Command boxprobe tries one thing that a confined service must not do, and says
// by its exit code whether it could.
//
//	boxprobe ATTEMPT [ARGUMENT...]
//
// runs in the box of the tests with a real systemd, as a service. With
//
//	boxprobe all FILE ATTEMPT [ARGUMENT...] , ATTEMPT …
//
// it tries each and writes to FILE a line for each, with the code first.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
)

// Exit codes. All others mean that nothing can be said.
const (
	done    = 0
	refused = 10
	usage   = 64
)

var errUsage = errors.New("usage: boxprobe ATTEMPT [ARGUMENT...]")

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	err := try(args)
	switch {
	case err == nil:
		return done
	case isRefusal(err):
		fmt.Fprintln(stderr, "refused:", err)
		return refused
	}
	fmt.Fprintln(stderr, "boxprobe:", err)
	return usage
}

func try(args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	name, args := args[0], args[1:]
	if name == "all" {
		return all(args)
	}
	a, ok := attempts[name]
	if !ok || len(args) != a.args {
		return errUsage
	}
	return a.try(args)
}

// errNone says that an attempt went through and did not have the effect that
// makes it one.
var errNone = errors.New("without effect")

// isRefusal tells what a confinement does from what only a mistake in the test
// can do.
func isRefusal(err error) bool {
	return slices.ContainsFunc([]error{
		syscall.EPERM, syscall.EACCES, syscall.EROFS, syscall.ENOENT, syscall.EAFNOSUPPORT, syscall.EBUSY, syscall.ENOKEY,
		syscall.ENOTDIR, errNone,
	}, func(target error) bool { return errors.Is(err, target) })
}

// all tries several things, each in a process of its own.
func all(args []string) error {
	if len(args) < 2 {
		return errUsage
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var lines strings.Builder
	for rest := args[1:]; len(rest) > 0; {
		one := rest
		if end := slices.Index(rest, ","); end >= 0 {
			one, rest = rest[:end], rest[end+1:]
		} else {
			rest = nil
		}
		cmd := exec.Command(self, one...)
		_ = cmd.Run() // the code says it
		fmt.Fprintln(&lines, cmd.ProcessState.ExitCode(), strings.Join(one, " "))
	}
	return os.WriteFile(args[0], []byte(lines.String()), 0o600)
}
