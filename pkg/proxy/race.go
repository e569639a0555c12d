package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// headStart is how long an address has before the next one is tried beside it
// (RFC 8305, section 5).
const headStart = 250 * time.Millisecond

// An attempt is how the connecting to one address ended.
type attempt struct {
	conn net.Conn
	err  error
}

// race connects to the addresses, which have been judged and of which there is at
// least one: each starts when the one before has failed or has had its head start,
// and the first connection counts. It resolves nothing.
func (d *dialer) race(ctx context.Context, network, port string, addrs []netip.Addr) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan attempt, len(addrs)) // so that nobody waits to say that he has lost
	start := func(a netip.Addr) {
		conn, err := d.connect(ctx, network, net.JoinHostPort(a.String(), port))
		ended <- attempt{conn, err}
	}
	var errs []error
	for running := 0; running > 0 || len(addrs) > 0; {
		var turn <-chan time.Time // of the next one; none if there is none
		if len(addrs) > 0 {
			go start(addrs[0])
			addrs, running = addrs[1:], running+1
		}
		if len(addrs) > 0 {
			turn = time.After(headStart)
		}
		select {
		case a := <-ended:
			running--
			if a.err == nil {
				go hangUp(ended, running)
				return a.conn, nil
			}
			errs = append(errs, a.err)
		case <-turn:
		}
	}
	return nil, errors.Join(errs...)
}

// hangUp closes the connections of n attempts that came too late. They are
// cancelled already, so that it does not wait for long.
func hangUp(ended <-chan attempt, n int) {
	for range n {
		if a := <-ended; a.err == nil {
			_ = a.conn.Close() // nobody has used it
		}
	}
}

// alternate returns the addresses with the two families in turn (RFC 8305,
// section 4), each in its order, that of the first address first.
func alternate(addrs []netip.Addr) []netip.Addr {
	var first, other []netip.Addr
	for _, a := range addrs {
		if a.Is4() == addrs[0].Is4() {
			first = append(first, a)
		} else {
			other = append(other, a)
		}
	}
	mixed := make([]netip.Addr, 0, len(addrs))
	for i := range max(len(first), len(other)) {
		mixed = append(mixed, first[min(i, len(first)):min(i+1, len(first))]...)
		mixed = append(mixed, other[min(i, len(other)):min(i+1, len(other))]...)
	}
	return mixed
}
