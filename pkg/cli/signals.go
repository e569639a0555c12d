package cli

import (
	"os"
	"os/signal"
	"syscall"
	"unsafe"
)

// passed are the signals that are passed on to the child.
var passed = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH,
}

// ending are those of passed that end moat while there is no child.
var ending = []os.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM}

// takeSignals takes the signals for the child from now on; stop gives them back.
func takeSignals() (signals chan os.Signal, stop func()) {
	signals = make(chan os.Signal, len(passed))
	signal.Notify(signals, passed...)
	return signals, func() { signal.Stop(signals) }
}

// fromTerminal reports whether the terminal has sent the signal to the child
// too, as it does to every process in its foreground. That a user has sent it
// to moat alone cannot be told apart there; it is not passed on then.
func fromTerminal(sig os.Signal) bool {
	switch sig {
	case syscall.SIGINT, syscall.SIGQUIT, syscall.SIGWINCH:
		return foreground()
	}
	return false
}

// foreground reports whether this process is in the foreground of a terminal,
// whatever its standard files are.
func foreground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false // no terminal controls this process
	}
	defer tty.Close()
	var group int32
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, tty.Fd(), syscall.TIOCGPGRP,
		uintptr(unsafe.Pointer(&group))) //nolint:gosec // the standard library has no tcgetpgrp(3)
	return errno == 0 && int(group) == syscall.Getpgrp()
}
