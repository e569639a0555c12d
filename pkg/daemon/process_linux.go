package daemon

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// startField is the place of starttime in /proc/PID/stat, counted from 0 after
// the name in parentheses: field 22 of proc(5), less the two before.
const startField = 22 - 3

// processOf returns the identity of a process that lives.
func processOf(pid int) (process, error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return process{}, fmt.Errorf("read the boot id: %w", err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= startField {
		return process{}, fmt.Errorf("look at process %d: stat has %d fields", pid, len(fields))
	}
	if state := fields[0][0]; state == 'Z' || state == 'X' {
		return process{}, fmt.Errorf("process %d has ended", pid)
	}
	start, err := strconv.ParseUint(string(fields[startField]), 10, 64)
	if err != nil {
		return process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return process{strings.TrimSpace(string(boot)), start}, nil
}
