// Package activation gets the daemon its listeners, from the service manager or
// by binding them, and talks to the service manager about readiness. It is the
// only package that reads LISTEN_*, NOTIFY_SOCKET and WATCHDOG_*; see
// sd_listen_fds(3), sd_notify(3), sd_watchdog_enabled(3) and, for macOS,
// launch_activate_socket(3). launchd has nothing like sd_notify.
package activation

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// The names that a supervisor may give to a socket: FileDescriptorName= in a
// socket unit, the keys of Sockets in a launchd.plist(5).
const (
	API     = "api"     // the management API; a Unix socket
	Proxy   = "proxy"   // the proxy
	Routing = "routing" // the reverse proxy for host names of agents
)

// Handed are the listeners that a supervisor passed to this process. The nil
// and the zero value are those of a process to which nothing was passed.
type Handed struct {
	byName map[string][]net.Listener
}

// Take claims the listeners that the service manager passed to this process,
// and unsets LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES, so that no child takes
// them for its own. On macOS it asks launchd too. It works once per process, in
// main; a second call finds nothing, or fails. Without a service manager the
// result is empty and the error nil.
//
// Every descriptor has to be a listening stream socket with one of the names
// [API], [Proxy] and [Routing]; API has to be a Unix socket; a Unix socket must
// not let group or others connect. Otherwise all of them are closed and the
// error says which is wrong: a unit or plist that is wrong here needs to be mended, and
// serving a part of its sockets would hide that.
func Take() (*Handed, error) {
	files, err := passed()
	if err != nil {
		return nil, err
	}
	return adopt(files)
}

// adopt turns files into listeners. It closes every file.
func adopt(files []*os.File) (*Handed, error) {
	h := &Handed{byName: make(map[string][]net.Listener)}
	var errs []error
	for i, f := range files {
		l, err := listener(f)
		if err != nil {
			errs = append(errs, fmt.Errorf("socket %d of %d from the service manager, %q: %w", i+1, len(files), f.Name(), err))
			continue
		}
		h.byName[f.Name()] = append(h.byName[f.Name()], l)
	}
	if len(errs) > 0 {
		return nil, errors.Join(append(errs, h.close())...)
	}
	return h, nil
}

// listener checks f, makes a listener of it and closes f.
func listener(f *os.File) (net.Listener, error) {
	defer f.Close() // the listener has its own duplicate
	if err := check(f); err != nil {
		return nil, err
	}
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listen on it: %w", err)
	}
	return l, nil
}

// Listeners returns the listeners called name in the order in which they were
// passed: one name may have several, such as 127.0.0.1 and the address of a
// bridge. It returns nil when there is none. The caller closes them; closing
// one does not remove the socket file, which is the service manager's.
func (h *Handed) Listeners(name string) []net.Listener {
	if h == nil {
		return nil
	}
	return h.byName[name]
}

// Any reports whether anything was passed.
func (h *Handed) Any() bool { return h != nil && len(h.byName) > 0 }

func (h *Handed) close() error {
	var errs []error
	for _, ls := range h.byName {
		for _, l := range ls {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}
