package daemon_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/moatd"
)

// raceVar makes the test program one of many that call EnsureRunning for the
// directory that it names.
const raceVar = "MOATD_TEST_ENSURE"

// TestMain makes the test program three: under the name moatd it is the daemon,
// and finds itself in PATH by that name; with raceVar it is a racer.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "moatd" {
		os.Exit(moatd.Main(moatd.Process{
			Args: os.Args[1:], Getenv: os.Getenv, Stdout: os.Stdout, Stderr: os.Stderr, Version: "test",
		}))
	}
	if dir := os.Getenv(raceVar); dir != "" {
		os.Exit(race(dir))
	}
	os.Exit(inPath(m.Run))
}

// race prints the process and the port of the daemon of dir.
func race(dir string) int {
	c, err := daemon.EnsureRunning(dir, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	h, err := c.Health(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(h.PID, h.ProxyPort)
	return 0
}

// inPath runs fn while PATH has the test program as moatd, which needs no port
// that somebody may have, and ends soon should a test leave it behind.
func inPath(fn func() int) int {
	dir, err := os.MkdirTemp("", "moat")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "moatd"))
	}
	if err != nil {
		panic(err)
	}
	for name, value := range map[string]string{
		"PATH": dir + string(os.PathListSeparator) + os.Getenv("PATH"), "MOAT_ROUTING_ADDR": "off", "MOAT_KEY_SOURCE": "file", "MOAT_IDLE_EXIT": "1m",
		"GORACE": "atexit_sleep_ms=0", // under the race detector a program ends a second late
	} {
		os.Setenv(name, value)
	}
	return fn()
}
