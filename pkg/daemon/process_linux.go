package daemon

import (
	"bytes"
	"errors"
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
	start, err := parseStat(stat)
	if err != nil {
		return process{}, fmt.Errorf("look at process %d: %w", pid, err)
	}
	return process{strings.TrimSpace(string(boot)), start}, nil
}

// parseStat returns the start time in /proc/PID/stat, in clock ticks since the
// boot. The name of the process, in parentheses, may hold anything, also
// parentheses. It is an error if the process has ended.
func parseStat(stat []byte) (start uint64, err error) {
	name := bytes.LastIndexByte(stat, ')')
	fields := bytes.Fields(stat[name+1:])
	if name < 0 || len(fields) <= startField {
		return 0, errors.New("its stat is too short")
	}
	if state := fields[0][0]; state == 'Z' || state == 'X' {
		return 0, errors.New("it has ended")
	}
	return strconv.ParseUint(string(fields[startField]), 10, 64)
}
