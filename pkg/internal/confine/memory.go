package confine

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Memory makes the memory of the process its own: no core dump of it is
// written, and on Linux no other process of the same user can read or trace it,
// nor look at its environment and open files below /proc.
//
// A limit alone does not do: where core_pattern is a pipe, as with
// systemd-coredump, the kernel hands the dump over whatever the limit is. A child
// starts with a memory of its own, which others can look at, but keeps the limit.
// Who has made the user namespace of the process counts as privileged over it,
// and can trace it all the same.
func Memory() error {
	var err error
	if e := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); e != nil {
		err = fmt.Errorf("give up core dumps: %w", e)
	}
	return errors.Join(err, undumpable())
}
