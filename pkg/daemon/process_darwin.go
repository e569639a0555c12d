package daemon

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// processOf returns the identity of a process that lives. Its start is in
// microseconds since 1970, so that it needs no boot to tell it apart.
func processOf(pid int) (process, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	t := info.Proc.P_starttime
	return process{start: uint64(t.Sec)*1e6 + uint64(t.Usec)}, nil //nolint:gosec // times after 1970
}
