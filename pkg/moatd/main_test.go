package moatd_test

import (
	"os"
	"testing"

	"github.com/moatd/moatd/pkg/moatd"
)

// TestMain makes the test binary a daemon where a test starts it as one, so that
// there is a process to kill.
func TestMain(m *testing.M) {
	if os.Getenv("MOATD_TEST_DAEMON") == "" {
		os.Exit(m.Run())
	}
	exe, err := os.Executable()
	if err != nil {
		panic(err)
	}
	os.Exit(moatd.Main(moatd.Process{
		Args: os.Args[1:], Getenv: os.Getenv, Exe: exe, Stdout: os.Stdout, Stderr: os.Stderr, Version: "test",
	}))
}
