package daemon

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"testing"

	"github.com/moatd/moatd/pkg/proxy"
)

func noLeaf(string) (*tls.Certificate, error) { return nil, errors.New("no tunnels here") }

// serveProxy serves p on a socket until stop is called.
func serveProxy(t *testing.T, p *proxy.Proxy) (addr string, stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Serve(ctx, ln) }()
	return ln.Addr().String(), func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	}
}
