// Command moat runs coding agents so that their requests carry credentials that
// the agents never see. See moat --help.
package main

import (
	"context"
	"os"
	"runtime/debug"

	"github.com/moatd/moatd/pkg/cli"
)

// version and commit are set when a release is linked.
var version, commit string

func main() {
	identify()
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
		Commit:   commit,
	}))
}

// identify fills in what the linker did not say.
func identify() {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return
	}
	if version == "" {
		version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && commit == "" {
			commit = s.Value
		}
	}
}
