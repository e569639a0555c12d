package activation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// socket is what the kernel says of a descriptor.
type socket struct {
	stream, listening bool
	unix              bool   // a Unix socket; otherwise IPv4 or IPv6
	path              string // of a Unix socket; "@" first when abstract, empty when unnamed
}

// check returns nil if f may serve under its name.
func check(f *os.File) error {
	if !known(f.Name()) {
		return fmt.Errorf("unknown name; FileDescriptorName= has to be %s, %s or %s", API, Proxy, Routing)
	}
	s, err := inspect(f)
	if err != nil {
		return err
	}
	if err := s.fits(f.Name()); err != nil {
		return err
	}
	if !s.unix {
		return nil
	}
	return private(s.path)
}

func known(name string) bool { return name == API || name == Proxy || name == Routing }

// fits returns nil if s is of the kind that is served under name.
func (s socket) fits(name string) error {
	switch {
	case !s.stream:
		return errors.New("not a stream socket; use ListenStream=")
	case !s.listening:
		return errors.New("a connection, not a listening socket; use Accept=no")
	case name == API && !s.unix: // any local user could connect, and no peer has a uid
		return errors.New("not a Unix socket; the management API is served on no other")
	case s.unix && (s.path == "" || s.path[0] == '@'):
		return errors.New("a Unix socket without a file; it has no permissions, so anybody can connect")
	}
	return nil
}

// inspect asks the kernel about f. It does not use f.Fd, which would make the
// socket blocking, for the service manager too.
func inspect(f *os.File) (socket, error) {
	conn, err := f.SyscallConn()
	if err != nil {
		return socket{}, fmt.Errorf("inspect it: %w", err)
	}
	var s socket
	var inner error
	if err := conn.Control(func(fd uintptr) { s, inner = query(int(fd)) }); err != nil {
		return socket{}, fmt.Errorf("inspect it: %w", err)
	}
	return s, inner
}

func query(fd int) (socket, error) {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if errors.Is(err, unix.ENOTSOCK) {
		return socket{}, errors.New("not a socket")
	}
	if err != nil {
		return socket{}, fmt.Errorf("read its type: %w", err)
	}
	listening, err := listens(fd)
	if err != nil {
		return socket{}, fmt.Errorf("read its state: %w", err)
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return socket{}, fmt.Errorf("read its address: %w", err)
	}
	s := socket{stream: kind == unix.SOCK_STREAM, listening: listening}
	switch a := addr.(type) {
	case *unix.SockaddrUnix:
		s.unix, s.path = true, a.Name
	case *unix.SockaddrInet4, *unix.SockaddrInet6:
	default:
		return socket{}, fmt.Errorf("an address of the kind %s; moatd serves Unix and TCP sockets",
			strings.TrimPrefix(fmt.Sprintf("%T", addr), "*unix.Sockaddr"))
	}
	return s, nil
}

// listens reports whether the socket fd waits for connections.
func listens(fd int) (bool, error) {
	on, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if errors.Is(err, unix.ENOPROTOOPT) { // macOS has the option's name, but not the option
		return unconnected(fd)
	}
	return on != 0, err
}

// unconnected reports whether nobody is at the other end of the socket fd. It
// cannot tell a socket that listens from one that does nothing.
func unconnected(fd int) (bool, error) {
	_, err := unix.Getpeername(fd)
	switch {
	case errors.Is(err, unix.ENOTCONN):
		return true, nil
	case errors.Is(err, unix.EINVAL): // macOS says so where the peer has gone
		return false, nil
	}
	return false, err
}

// private returns nil if only the owner can connect to the socket file at path:
// unix(7) asks for the permission to write. A file that is gone lets nobody in,
// and is no reason to take down the other sockets.
func private(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the mode of its file: %w", err)
	}
	if perm := info.Mode().Perm(); perm&0o022 != 0 {
		return fmt.Errorf("%s has mode %04o, so others can connect; use SocketMode=0600 (SockPathMode 384 in a plist)", path, perm)
	}
	return nil
}
