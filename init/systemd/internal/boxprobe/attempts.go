//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
)

// An attempt returns nil if it could do its thing.
type attempt struct {
	args int
	try  func(args []string) error
}

var attempts = map[string]attempt{
	"nothing":    {0, func([]string) error { return nil }},
	"read":       {1, func(a []string) error { return firstOf(os.ReadFile(a[0])) }},
	"list":       {1, func(a []string) error { return firstOf(os.ReadDir(a[0])) }},
	"look":       {1, func(a []string) error { return firstOf(os.Stat(a[0])) }},
	"write":      {1, func(a []string) error { return openTo(a[0], os.O_WRONLY|os.O_CREATE|os.O_APPEND) }},
	"open-write": {1, func(a []string) error { return openTo(a[0], os.O_WRONLY) }},
	"mkdir":      {1, func(a []string) error { return errors.Join(os.Mkdir(a[0], 0o700), os.Remove(a[0])) }},
	"exec":       {1, func(a []string) error { return start(a[0], "nothing") }},
	"connect":    {1, func(a []string) error { return connect(a[0]) }},
	"credential": {1, func(a []string) error {
		return firstOf(os.ReadFile(filepath.Join(os.Getenv("CREDENTIALS_DIRECTORY"), a[0])))
	}},
	"public-file": {1, func(a []string) error { return publicFile(a[0]) }},
	"set-uid":     {1, func(a []string) error { return setUID(a[0]) }},
	"chown": {1, func(a []string) error {
		return errors.Join(openTo(a[0], os.O_RDWR|os.O_CREATE), os.Chown(a[0], os.Getuid(), -1))
	}},
	"become": {2, func(a []string) error { return start(a[0], a[1]) }},

	// For programs with a set-uid bit, or with capabilities in their file.
	"am-root":     {0, func([]string) error { return must(os.Geteuid() == 0) }},
	"am-able":     {0, amAble},
	"raw-socket":  {0, rawSocket},
	"give-powers": {1, func(a []string) error { return givePowers(a[0]) }},

	"nice":          {0, func([]string) error { return syscall.Setpriority(syscall.PRIO_PROCESS, 0, 5) }},
	"personality":   {0, personality},
	"writable-code": {0, writableCode},
	"realtime":      {0, realtime},
	"namespace":     {0, func([]string) error { return inNamespaces("nothing") }},
	"hostname":      {0, hostname},
	"socket":        {1, socket},
	"be-traced":     {0, func([]string) error { return ptrace(syscall.PTRACE_TRACEME, 0) }},
	"trace":         {1, trace},
	"read-memory":   {1, readMemory},
	"ask-clock":     {0, askClock},
	"dump-core":     {0, dumpCore},
	"abort":         {0, abort},
	"put-key":       {1, func(a []string) error { return putKey(a[0]) }},
	"find-key":      {1, func(a []string) error { return findKey(a[0]) }},
}

func firstOf[T any](_ T, err error) error { return err }

// start runs another boxprobe.
func start(path, name string) error {
	return childError(exec.Command(path, name).Run())
}

func must(ok bool) error {
	if !ok {
		return errNone
	}
	return nil
}

func openTo(path string, flag int) error {
	f, err := os.OpenFile(path, flag, 0o666) // the umask is what is asked for
	if err != nil {
		return err
	}
	return f.Close()
}

// publicFile makes a file that others can read.
func publicFile(path string) error {
	if err := openTo(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL); err != nil {
		return fmt.Errorf("not made: %v", err) // no refusal of what is asked for
	}
	info, err := os.Stat(path)
	return errors.Join(err, os.Remove(path), must(err == nil && info.Mode()&0o044 != 0))
}

// setUID makes a program that runs as us, whoever starts it.
func setUID(path string) error {
	if err := openTo(path, os.O_WRONLY|os.O_CREATE); err != nil {
		return fmt.Errorf("not made: %v", err)
	}
	err := os.Chmod(path, 0o700|os.ModeSetuid)
	return errors.Join(err, os.Remove(path))
}

// pid reads the number of a process.
func pid(arg string) (int, error) {
	n, err := strconv.Atoi(arg)
	if err != nil {
		return 0, fmt.Errorf("%w: %q is no pid", errUsage, arg)
	}
	return n, nil
}
