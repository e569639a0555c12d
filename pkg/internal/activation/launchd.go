package activation

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// claim takes the sockets of this process's job from launchd, as files called
// by their names. It returns none when launchd did not start this process, or
// has none for it. activate is launch_activate_socket(3): it returns the
// descriptors of the sockets called name, and works once for each name.
func claim(activate func(name string) (fds []int, err error)) ([]*os.File, error) {
	syscall.ForkLock.RLock() // no child may start before the descriptors are closed to it
	defer syscall.ForkLock.RUnlock()
	var files []*os.File
	for _, name := range []string{API, Proxy, Routing} {
		fds, err := activate(name)
		if err = notHanded(err); err != nil {
			return nil, errors.Join(fmt.Errorf("take the sockets %q from launchd: %w", name, err), closeFiles(files))
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), name))
		}
	}
	return files, nil
}

// notHanded returns nil for the errors that mean that there is no socket to
// take: ESRCH from a process that launchd did not start, and ENOENT, in practice
// ESRCH too, for a name that the job does not have.
func notHanded(err error) error {
	switch {
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.EALREADY):
		return errors.New("this process has taken them before")
	}
	return err
}

func closeFiles(files []*os.File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
