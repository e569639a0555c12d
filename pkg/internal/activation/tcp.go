package activation

import (
	"context"
	"errors"
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// ErrInUse is in the tree of the errors of [ListenUnix] and [ListenTCP] when
// another program listens on the address.
var ErrInUse = errors.New("already in use")

// ListenTCP binds addr, a host and port such as 127.0.0.1:19080. Port 0 lets
// the kernel choose one, which Addr tells. An empty host means all addresses.
// The caller closes the listener.
func ListenTCP(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, unix.EADDRINUSE):
		return nil, fmt.Errorf("listen on %s: %w by another program; stop it (ss -ltnp or lsof -nP -iTCP tells which it is) or choose another port", addr, ErrInUse)
	case errors.Is(err, unix.EADDRNOTAVAIL):
		return nil, fmt.Errorf("listen on %s: this host has no such address (yet)", addr)
	case errors.Is(err, unix.EACCES):
		return nil, fmt.Errorf("listen on %s: not permitted; choose a port of 1024 or more", addr)
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		err = op.Err // op itself says "listen tcp" and the address again
	}
	return nil, fmt.Errorf("listen on %s: %w", addr, err)
}
