package confine

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/landlock-lsm/go-landlock/landlock"
	"github.com/landlock-lsm/go-landlock/landlock/syscall"
	"golang.org/x/sys/unix"
)

// What a rule allows. None of them has the right to link or rename between
// directories (refer): where it is asked for, the first version of Landlock
// would do nothing at all.
const (
	readFile   landlock.AccessFSSet = syscall.AccessFSReadFile
	read                            = readFile | syscall.AccessFSReadDir
	run                             = read | syscall.AccessFSExecute
	unlink     landlock.AccessFSSet = syscall.AccessFSRemoveFile
	writeFile                       = readFile | syscall.AccessFSWriteFile | syscall.AccessFSTruncate
	shared                          = writeFile | unlink | syscall.AccessFSMakeReg
	write                           = shared | read | syscall.AccessFSMakeDir | syscall.AccessFSRemoveDir
	onlyOfFile                      = writeFile | syscall.AccessFSExecute // the rest is about the entries of a directory
)

// Files confines all threads of the process, and the children that it will have,
// to the files of p, as far as the kernel can: that it has no Landlock is no
// error, and Applied says so. Files that are open stay usable, and so do
// connections, which Landlock would tell apart by port alone.
func Files(p Places) (Applied, error) {
	abi, err := syscall.LandlockGetABIVersion()
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP) {
		return Applied{}, nil
	}
	if err != nil {
		return Applied{}, fmt.Errorf("ask the kernel for Landlock: %w", err)
	}
	applied := Applied{ABI: abi}
	rules, err := applied.rules(p)
	if err != nil {
		return Applied{}, err
	}
	// The rights of V8 about files. Those about signals would keep one thread from
	// ending the child of another on kernels before it, where each thread has a
	// domain of its own; V9 restricts Unix sockets, such as Docker's.
	if err := landlock.V8.BestEffort().RestrictPaths(rules...); err != nil {
		return Applied{}, fmt.Errorf("confine the process with Landlock: %w", err)
	}
	return applied, nil
}

// rules returns what to allow, and notes what is missing.
func (a *Applied) rules(p Places) ([]landlock.Rule, error) {
	var rules []landlock.Rule
	for _, group := range []struct {
		paths  []string
		access landlock.AccessFSSet
	}{{p.Write, write}, {p.Unlink, unlink}, {p.Shared, shared}, {p.Read, read}, {p.Run, run}} {
		for _, path := range group.paths {
			if !filepath.IsAbs(path) {
				return nil, fmt.Errorf("%w: %q", errRelative, path)
			}
			info, gone := missing(path)
			access := group.access
			switch {
			case gone:
				a.Missing = append(a.Missing, path)
				continue
			case !info.IsDir():
				access &= onlyOfFile
			}
			rules = append(rules, landlock.PathAccess(access, path).IgnoreIfMissing())
		}
	}
	return rules, nil
}
