package activation

import (
	"errors"
	"fmt"
	"net"
)

// PeerUID returns the user id of the process that connected to, or that listens
// at, the other end of c, as it was then. Of a socket that the service manager
// listens on, a client sees the service manager's. It is an error on systems
// other than Linux and macOS.
func PeerUID(c *net.UnixConn) (uint32, error) {
	if c == nil {
		return 0, errors.New("ask for the peer's uid: no connection")
	}
	conn, err := c.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("ask for the peer's uid: %w", err)
	}
	var uid uint32
	var inner error
	if err := conn.Control(func(fd uintptr) { uid, inner = peerUID(int(fd)) }); err != nil {
		return 0, fmt.Errorf("ask for the peer's uid: %w", err)
	}
	if inner != nil {
		return 0, fmt.Errorf("ask for the peer's uid: %w", inner)
	}
	return uid, nil
}
