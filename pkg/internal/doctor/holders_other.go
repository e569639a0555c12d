//go:build !linux

package doctor

import (
	"context"
	"fmt"
	"net/netip"
)

// holders returns who listens on addr, or on all addresses, as lsof tells.
func (s *scene) holders(ctx context.Context, addr netip.AddrPort) ([]holder, error) {
	// lsof fails where it finds nothing, which is an answer; -F is for programs.
	out, err := s.opts.Exec(ctx, "lsof", "-nP", fmt.Sprintf("-iTCP:%d", addr.Port()), "-sTCP:LISTEN", "-Fpcu")
	if missing(err) {
		return nil, err
	}
	return parseLsof(out), nil
}
