package daemon

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/internal/store"
)

// fill registers n runs with a grant and returns their tokens.
func fill(r *Registry, n int) []string {
	tokens := make([]string, n)
	for i := range tokens {
		rc := NewRunContext(fmt.Sprint("run-", i))
		rc.AuthToken, rc.Grants = NewToken(), []string{"github"}
		r.restore(context.Background(), rc)
		tokens[i] = rc.AuthToken
	}
	return tokens
}

func newGranted() *Registry {
	return NewRegistryWith(RegistryOptions{Granter: newVault(map[string]string{"github": "s3cret"})})
}

func BenchmarkLookup(b *testing.B) {
	r := newGranted()
	tokens := fill(r, 10_000)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, ok := r.Snapshot(tokens[i%len(tokens)]); !ok {
				b.Error("a run is missing")
			}
		}
	})
}

func BenchmarkRegisterDurably(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint("beside ", n), func(b *testing.B) {
			r := newGranted()
			p := NewStorePersister(openStore(b, b.TempDir()), newSealer(b), r)
			fill(r, n)
			if err := p.Save(); err != nil {
				b.Fatal(err)
			}
			s := New(Options{Registry: r, Persister: p})
			for b.Loop() {
				res, err := s.register(request(""), RegisterRequest{RunID: "new", Grants: []string{"github"}})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				if _, err := s.unregister(request(res.AuthToken), empty{}); err != nil {
					b.Fatal(err)
				}
				b.StartTimer()
			}
		})
	}
}

// stored makes a database of n runs, each with rules of its own.
func stored(tb testing.TB, n int) (*store.Store, Sealer) {
	tb.Helper()
	r, s := newGranted(), newSealer(tb)
	fill(r, n)
	for _, rc := range r.List() {
		rc.SetCredential("own.example", "s3cret")
	}
	st := openStore(tb, filepath.Clean(tb.TempDir()))
	if err := NewStorePersister(st, s, r).Save(); err != nil {
		tb.Fatal(err)
	}
	return st, s
}

func BenchmarkRestore10000(b *testing.B) {
	st, s := stored(b, 10_000)
	for b.Loop() {
		if _, err := NewStorePersister(st, s, newGranted()).Restore(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// TestRestoreOfManyRunsIsQuick has a limit that leaves room for a slow machine
// and the race detector; the benchmark has the figure.
func TestRestoreOfManyRunsIsQuick(t *testing.T) {
	st, s := stored(t, 2_000)
	begin := time.Now()
	done, err := NewStorePersister(st, s, newGranted()).Restore(t.Context())
	if err != nil || done != (Restored{Runs: 2_000}) {
		t.Fatalf("Restore = %+v, %v; want 2000 whole runs", done, err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("Restore of 2000 runs took %v", took)
	}
}

func BenchmarkRefresh(b *testing.B) {
	r := newGranted()
	fill(r, 1000)
	for b.Loop() {
		r.Refresh(b.Context())
	}
}

func BenchmarkClient(b *testing.B) {
	_, c := serve(b, Options{})
	for b.Loop() {
		if _, err := c.Health(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
