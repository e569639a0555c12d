package proxy

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moatd/moatd/pkg/internal/hosts"
)

// TestRace connects to addresses of which some take their time; it pins when each
// is tried, and that nothing is left open.
func TestRace(t *testing.T) {
	const (
		never = time.Hour
		fails = -1
	)
	for _, tt := range []struct {
		name  string
		takes []time.Duration // for the addresses 1.0.0.1, 1.0.0.2 and so on
		wins  string          // "" for none
		after time.Duration
	}{
		{"the first answers", []time.Duration{0, 0}, "1.0.0.1:443", 0},
		{"the first is slow, and within its head start", []time.Duration{headStart - 1, 0}, "1.0.0.1:443", headStart - 1},
		{"the first hangs", []time.Duration{never, 0}, "1.0.0.2:443", headStart},
		{"the first is overtaken", []time.Duration{2 * headStart, headStart / 2}, "1.0.0.2:443", headStart * 3 / 2},
		{"the second is overtaken", []time.Duration{headStart + 1, headStart}, "1.0.0.1:443", headStart + 1},
		{"the first fails, and the second is tried at once", []time.Duration{fails, 0}, "1.0.0.2:443", 0},
		{"two hang", []time.Duration{never, never, 1}, "1.0.0.3:443", 2*headStart + 1},
		{"all fail", []time.Duration{fails, fails, fails}, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				open := make(map[string]net.Conn)
				var mu sync.Mutex
				var addrs []netip.Addr
				takes := make(map[string]time.Duration)
				for i, d := range tt.takes {
					addrs = append(addrs, netip.AddrFrom4([4]byte{1, 0, 0, byte(i + 1)}))
					takes[addrs[i].String()+":443"] = d
				}
				d := dialer{network: network{connect: func(ctx context.Context, _, addr string) (net.Conn, error) {
					if takes[addr] == fails {
						return nil, errors.New("refused")
					}
					select {
					case <-time.After(takes[addr]):
					case <-ctx.Done():
						if takes[addr] == never {
							return nil, ctx.Err()
						} // the others connect all the same, too late
					}
					conn, _ := net.Pipe()
					mu.Lock()
					defer mu.Unlock()
					open[addr] = conn
					return conn, nil
				}}}
				began := time.Now()
				conn, err := d.race(t.Context(), "tcp", "443", addrs)
				if took := time.Since(began); took != tt.after || (err == nil) != (tt.wins != "") {
					t.Errorf("race = %v after %v, want it after %v", err, took, tt.after)
				}
				synctest.Wait()
				for addr, c := range open {
					closed := errors.Is(c.SetDeadline(time.Time{}), net.ErrClosed) || c.SetDeadline(time.Time{}) != nil
					if won := addr == tt.wins; won != (c == conn) || won == closed {
						t.Errorf("%s: won %t, closed %t; want %s to win and the others closed", addr, c == conn, closed, tt.wins)
					}
				}
			})
		})
	}
}

func TestAlternate(t *testing.T) {
	addrs := func(list ...string) (as []netip.Addr) {
		for _, s := range list {
			as = append(as, netip.MustParseAddr(s))
		}
		return as
	}
	got := alternate(addrs("::1", "::2", "::3", "1.1.1.1", "1.1.1.2"))
	if want := addrs("::1", "1.1.1.1", "::2", "1.1.1.2", "::3"); !slices.Equal(got, want) {
		t.Errorf("alternate = %v, want %v", got, want)
	}
}

// TestNoRefusedAddressIsDialled asks for names whose addresses change with each
// look-up, between public ones and others: only what was judged fit is dialled,
// in however many attempts, and each dial looks up once.
func TestNoRefusedAddressIsDialled(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 7))
	own := netip.MustParseAddr("81.2.69.142")
	pool := []string{
		"93.184.216.34", "1.1.1.1", "2606:4700::1111", "64:ff9b::101:101", "127.0.0.1", "::1", "10.0.0.1", "::ffff:10.0.0.1",
		"169.254.169.254", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "2002:7f00:1::", "100.64.0.1", "0.0.0.0", "224.0.0.1", "fe80::1%eth0",
		"2606:4700::5efe:a9fe:a9fe", "81.2.69.142", "::ffff:81.2.69.142", "2001:0:808:808::1", "192.168.1.1", "240.0.0.1",
	}
	for range 3000 {
		special, lookups := rnd.IntN(2) == 1, 0
		var mu sync.Mutex
		var dialled []netip.Addr
		d := &dialer{special: special, network: network{
			lookup: func(context.Context, string, string) (addrs []netip.Addr, _ error) {
				lookups++
				for range 1 + rnd.IntN(5) {
					addrs = append(addrs, netip.MustParseAddr(pool[rnd.IntN(len(pool))]))
				}
				return addrs, nil
			},
			local: func() ([]net.Addr, error) {
				return []net.Addr{&net.IPNet{IP: own.AsSlice(), Mask: net.CIDRMask(24, 32)}}, nil
			},
			connect: func(_ context.Context, _, addr string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				dialled = append(dialled, netip.MustParseAddrPort(addr).Addr())
				return nil, errors.New("refused")
			},
		}}
		if _, err := d.dial(t.Context(), "tcp", "rebind.test:443"); err == nil || lookups != 1 {
			t.Fatalf("dial = %v after %d look-ups, want an error after one", err, lookups)
		}
		for _, a := range dialled {
			class := hosts.Classify(a)
			if class == hosts.ClassMetadata || !special && (class != hosts.ClassPublic || a == own) {
				t.Fatalf("%s was dialled, of class %q; special addresses allowed: %t", a, class, special)
			}
		}
	}
}
