package confine

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// undumpable counts for all threads: the flag is of the memory, which they share.
// The files in /proc/PID belong to root from now on. The process itself may
// still read them, and stat, which tells whether it lives, is for everybody.
func undumpable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keep others out of the memory: %w", err)
	}
	return nil
}
