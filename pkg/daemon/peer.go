package daemon

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"github.com/moatd/moatd/pkg/internal/activation"
)

func pid() int { return os.Getpid() }

type peerKey struct{}

// peer is who is at the other end of a connection.
type peer struct {
	uid uint32
	err error // uid is not known
}

func withPeer(ctx context.Context, c net.Conn) context.Context {
	p := peer{err: fmt.Errorf("%T is no Unix socket", c)}
	if outer, ok := c.(interface{ NetConn() net.Conn }); ok {
		c = outer.NetConn()
	}
	if u, ok := c.(*net.UnixConn); ok {
		p.uid, p.err = activation.PeerUID(u)
	}
	return context.WithValue(ctx, peerKey{}, p)
}

// onlyOwner lets through who has our uid, and root.
func (s *Server) onlyOwner(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, ok := r.Context().Value(peerKey{}).(peer)
		if !ok || p.err != nil || !trusted(p.uid) {
			replyError(w, r, s.opts.Log, fmt.Errorf("%w: this socket is for uid %d and root alone", ErrForbidden, os.Getuid()))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func trusted(uid uint32) bool { return uid == 0 || int(uid) == os.Getuid() }
