// Command moatd is the daemon: it holds the credentials of coding agents, and
// puts them into the requests that come through its proxy.
//
// moatd serve runs in the foreground, or under systemd or launchd, which then
// own its sockets.
package main

import (
	"os"
	"runtime/debug"

	"github.com/moatd/moatd/pkg/moatd"
)

// version and commit are set when a release is linked.
var version, commit string

func main() {
	identify()
	user, err := os.UserHomeDir()
	if err != nil {
		user = "" // MOAT_HOME may say it all; if not, the daemon asks for it
	}
	exe, err := os.Executable()
	if err != nil {
		exe = "" // the daemon does without its helper
	}
	os.Exit(moatd.Main(moatd.Process{
		Args:     os.Args[1:],
		Getenv:   os.Getenv,
		UserHome: user,
		Exe:      exe,
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
