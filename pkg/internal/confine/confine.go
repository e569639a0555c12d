// Package confine holds what the daemon does to its own process once it has
// opened what it needs: it gives up files that it will never need again, and
// makes its memory private. Nothing here can be undone; children have it too,
// except for the memory, which a child has of its own.
//
// On systems other than Linux, only core dumps are given up.
package confine

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Places are the files that a process still needs. All paths are absolute; a
// directory stands for all below it. What is not there counts as missing: a rule
// is about a file, not about a name, so what comes later stays out of reach.
type Places struct {
	Write  []string // directories to read and write, but not to execute from
	Unlink []string // directories to remove files from
	Shared []string // directories of others' files to make files in, such as /dev/shm
	Read   []string // files and directories to read
	Run    []string // files and directories to read and execute
}

// Applied says what a process is confined to.
type Applied struct {
	// ABI is the version of Landlock that the kernel has, 0 if it has none: then
	// the process can still open whatever its user can.
	ABI int
	// Missing are the places that were not there.
	Missing []string
}

// Come returns those of the missing places that are there by now, which the
// process cannot use before it is started anew.
func (a Applied) Come() []string {
	var come []string
	for _, path := range a.Missing {
		if _, err := os.Stat(path); err == nil {
			come = append(come, path)
		}
	}
	return come
}

// System returns the places that hold the programs and settings of a Linux
// system, and nothing of a user's: what its own files let everybody read. etc is
// "/etc", or a stand-in.
func System(etc string) Places {
	p := Places{
		Run: []string{
			"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/opt", "/snap",
			"/nix/store", "/gnu/store", "/run/current-system",
		},
		Read: []string{
			etc, "/proc", "/dev/zero", "/dev/random", "/dev/urandom",
			"/var/lib/ca-certificates",                                                       // openSUSE's roots
			"/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf", "/run/connman", // where resolv.conf may be
		},
		Shared: []string{"/dev/null"},
	}
	// Those that are links elsewhere: to another system's files in WSL and toolboxes.
	for _, name := range []string{"resolv.conf", "hosts", "localtime", "nsswitch.conf"} {
		if to, err := filepath.EvalSymlinks(filepath.Join(etc, name)); err == nil {
			p.Read = append(p.Read, to)
		}
	}
	return p
}

// Plus returns the places of both.
func (p Places) Plus(more Places) Places {
	join := func(a, b []string) []string { return append(append([]string(nil), a...), b...) }
	return Places{
		Write:  join(p.Write, more.Write),
		Unlink: join(p.Unlink, more.Unlink),
		Shared: join(p.Shared, more.Shared),
		Read:   join(p.Read, more.Read),
		Run:    join(p.Run, more.Run),
	}
}

// Below reports whether path is dir or below it. Both are clean.
func Below(dir, path string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// missing reports a place that is not there, or that the process cannot even
// look at, for which a rule would be no use.
func missing(path string) (info fs.FileInfo, gone bool) {
	info, err := os.Stat(path)
	return info, err != nil
}

// errRelative reports a place without a root.
var errRelative = errors.New("a place is no absolute path")
