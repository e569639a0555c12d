// Package fds knows how many file descriptors this process may have, and
// keeps the last of them for those who must not go without.
//
// The kernel gives out the lowest number that is free. So the number of a new
// descriptor tells how many there are at least, and nobody has to count.
package fds

import (
	"fmt"
	"math"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

const (
	// enough is the limit below which a user should know of it: it is reached
	// with some hundred tunnels.
	enough = 1024
	// reserved are the descriptors that no socket to an upstream gets. They are
	// for the API, files and processes.
	reserved = 64
)

// Limit returns how many descriptors this process may have open, 0 if that is
// not known. The Go runtime has raised the soft limit to the hard one.
func Limit() int {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 0
	}
	return int(min(limit.Cur, math.MaxInt32))
}

// Open returns how many descriptors are open, 0 if that cannot be told: above
// all, if there is none left to look with.
func Open() int {
	dir := "/dev/fd"
	if runtime.GOOS == "linux" {
		dir = "/proc/self/fd"
	}
	names, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	return max(0, len(names)-1) // one was for looking
}

// Problem returns what a user should know of these numbers, "" for nothing.
func Problem(limit, open int) string {
	switch {
	case limit > 0 && open >= clients(limit):
		return fmt.Sprintf("%d of %d file descriptors are open: new connections wait; raise LimitNOFILE= or ulimit -n", open, limit)
	case limit > 0 && limit < enough:
		return fmt.Sprintf("the limit of file descriptors is %d, enough for some %d tunnels; raise LimitNOFILE= or ulimit -n", limit, limit/3)
	}
	return ""
}

// clients is the number of descriptors from which on no client is accepted: a
// client may need another for its upstream.
func clients(limit int) int { return limit - limit/4 }

// upstreams is the number from which on no upstream is connected to.
func upstreams(limit int) int { return limit - min(reserved, limit/8) }
