package pki

import (
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestGetRefusesWhatIsNoCanonicalName(t *testing.T) {
	l := NewLeaves(mustCreate(t))
	for _, name := range []string{
		"", "*", "*.github.com", "GitHub.com", "github.com.", "github.com:443", "[::1]", "::0:1", "127.1", "bücher.example",
		"::ffff:127.0.0.1", "a b", "a\x00b", "https://github.com", strings.Repeat("a", 64), "fe80::1%eth0",
	} {
		if cert, err := l.Get(name); err == nil || cert != nil {
			t.Errorf("Get(%q) = %v, %v; want an error", name, cert, err)
		}
	}
	if n := len(l.cache.nodes); n != 0 {
		t.Errorf("%d errors are kept, want none", n)
	}
}

func TestLeavesAreKept(t *testing.T) {
	l := NewLeaves(mustCreate(t))
	a := mustGet(t, l, "a.example")
	if again := mustGet(t, l, "a.example"); again != a {
		t.Error("Get again gave another certificate")
	}
	if b := mustGet(t, l, "b.example"); b == a || b.PrivateKey == a.PrivateKey {
		t.Error("Get of another name gave the same certificate or key")
	}
}

func TestLeavesAreBounded(t *testing.T) {
	l := NewLeaves(mustCreate(t))
	l.cache = newLRU[*leaf](2)
	a := mustGet(t, l, "a.example")
	mustGet(t, l, "b.example")
	if mustGet(t, l, "a.example") != a {
		t.Error("of two names in a cache of two, one was signed again")
	}
	mustGet(t, l, "c.example") // in place of b, which was not used for longest
	if mustGet(t, l, "a.example") != a || len(l.cache.nodes) != 2 {
		t.Errorf("after three names a cache of two has %d, or lost the one in use", len(l.cache.nodes))
	}
	if got := NewLeaves(mustCreate(t)).cache.limit; got != 4096 {
		t.Errorf("NewLeaves keeps %d names, want 4096", got)
	}
}

func TestRenewal(t *testing.T) {
	for _, tt := range []struct {
		name    string
		wait    time.Duration
		renewed bool
	}{
		{"at once the same", 0, false},
		{"after 5.9 days the same", 59 * day / 10, false},
		{"with less than a day left a new one", 65 * day / 10, true},
		{"after its end a new one", 30 * day, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ca := mustCreate(t)
				l := NewLeaves(ca)
				before := mustGet(t, l, "a.example")
				time.Sleep(tt.wait)
				after := mustGet(t, l, "a.example")
				if renewed := after != before; renewed != tt.renewed {
					t.Errorf("after %v Get gave a new certificate: %t, want %t", tt.wait, renewed, tt.renewed)
				}
				if err := verify(after, ca, "a.example"); err != nil {
					t.Errorf("after %v: %v", tt.wait, err)
				}
			})
		})
	}
}

func TestLeafEndsWithItsCA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ca := mustCreate(t)
		l := NewLeaves(ca)
		time.Sleep(time.Until(ca.NotAfter()) - 12*time.Hour)
		last := mustGet(t, l, "a.example")
		if !last.Leaf.NotAfter.Equal(ca.NotAfter()) {
			t.Errorf("the last leaf ends at %v, want %v with its CA", last.Leaf.NotAfter, ca.NotAfter())
		}
		time.Sleep(11 * time.Hour)
		if mustGet(t, l, "a.example") != last {
			t.Error("a leaf was signed again though it could not last longer")
		}
		time.Sleep(time.Hour)
		for range 2 {
			if cert, err := l.Get("a.example"); err == nil || !strings.Contains(err.Error(), "the CA is expired") {
				t.Errorf("Get after the CA's end = %v, %v; want an error", cert, err)
			}
		}
	})
}

func TestGetsOfOneNameShareOneSignature(t *testing.T) {
	l := NewLeaves(mustCreate(t))
	certs := make([]*tls.Certificate, 32)
	var wg sync.WaitGroup
	for i := range certs {
		wg.Go(func() { certs[i], _ = l.Get(fmt.Sprintf("host-%d.example", i%2)) })
	}
	wg.Wait()
	for i, cert := range certs {
		if cert == nil || cert != certs[i%2] {
			t.Errorf("Get %d gave %p, want %p", i, cert, certs[i%2])
		}
	}
}

func TestErrorForgetsOnlyItsOwnLeaf(t *testing.T) {
	l := NewLeaves(mustCreate(t))
	stale := l.ca.newLeaf("a.example", time.Now())
	cert := mustGet(t, l, "a.example")
	l.forget("a.example", stale)
	if mustGet(t, l, "a.example") != cert {
		t.Error("forgetting an older leaf removed the newer one")
	}
}

func BenchmarkMint(b *testing.B) {
	ca := mustCreate(b)
	for b.Loop() {
		if _, err := NewLeaves(ca).Get("api.github.com"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetCached(b *testing.B) {
	l := NewLeaves(mustCreate(b))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Get("api.github.com"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkGetCachedParallel(b *testing.B) {
	l := NewLeaves(mustCreate(b))
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := l.Get("api.github.com"); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func ExampleLeaves_Get() {
	dir, err := os.MkdirTemp("", "ca")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ca, created, err := LoadOrCreate(dir, time.Now())
	if err != nil {
		fmt.Println(err)
		return
	}
	cert, err := NewLeaves(ca).Get("api.github.com")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(created, cert.Leaf.DNSNames, cert.Leaf.VerifyHostname("api.github.com"))
	// Output:
	// true [api.github.com] <nil>
}
