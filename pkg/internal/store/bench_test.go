package store_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/moatd/moatd/pkg/internal/store"
)

// benchVal is of the size that a run's record has.
var benchVal = bytes.Repeat([]byte("v"), 800)

// fill makes a database with n runs.
func fill(b *testing.B, n int) (s *store.Store, path string) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "moatd.db")
	s = mustOpen(b, path)
	runs := map[string][]byte{}
	for i := range n {
		runs[fmt.Sprintf("run_%06d", i)] = benchVal
	}
	if err := s.ReplaceRuns(runs); err != nil {
		b.Fatal(err)
	}
	return s, path
}

// BenchmarkPutRun measures a durable put, with others present and with others
// that write at the same time.
func BenchmarkPutRun(b *testing.B) {
	for _, present := range []int{10, 10_000} {
		for _, writers := range []int{1, 16} {
			b.Run(fmt.Sprintf("present=%d/writers=%d", present, writers), func(b *testing.B) {
				s, _ := fill(b, present)
				var next atomic.Int64
				procs := runtime.GOMAXPROCS(0)
				b.SetParallelism(max(1, writers/procs))
				if writers == 1 {
					defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
				}
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						id := fmt.Sprintf("run_%06d", next.Add(1)%int64(present))
						if err := s.PutRun(id, benchVal); err != nil {
							b.Error(err)
						}
					}
				})
			})
		}
	}
}

func BenchmarkRuns(b *testing.B) {
	s, _ := fill(b, 10_000)
	for b.Loop() {
		if recs, err := s.Runs(); len(recs) != 10_000 || err != nil {
			b.Fatal(len(recs), err)
		}
	}
}

// BenchmarkOpen includes the check of every page.
func BenchmarkOpen(b *testing.B) {
	for _, present := range []int{10, 10_000} {
		b.Run(fmt.Sprintf("present=%d", present), func(b *testing.B) {
			s, path := fill(b, present)
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				again, _, err := store.Open(path, store.Options{})
				if err != nil {
					b.Fatal(err)
				}
				again.Close()
			}
		})
	}
}

func BenchmarkRecord(b *testing.B) {
	path := filepath.Join(b.TempDir(), "daemon.lock.db")
	b.Run("write", func(b *testing.B) {
		for b.Loop() {
			if err := store.WriteRecord(path, benchVal); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("read", func(b *testing.B) {
		for b.Loop() {
			if val, err := store.ReadRecord(path); len(val) != len(benchVal) || err != nil {
				b.Fatal(len(val), err)
			}
		}
	})
}
