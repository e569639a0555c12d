// Command moat runs coding agents so that their requests carry credentials that
// the agents never see. See moat --help.
package main

import (
	"context"
	"os"
	"runtime/debug"

	"github.com/moatd/moatd/pkg/cli"
)

// version is set when a release is linked.
var version string

func main() {
	if info, ok := debug.ReadBuildInfo(); ok && version == "" {
		version = info.Main.Version
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // MOAT_HOME may say it all; if not, the command asks for it
	}
	os.Exit(cli.Main(context.Background(), cli.Process{
		Args:     os.Args[1:],
		Getenv:   os.Getenv,
		Environ:  os.Environ(),
		UserHome: home,
		Stdin:    os.Stdin,
		Stdout:   os.Stdout,
		Stderr:   os.Stderr,
		Version:  version,
	}))
}
