package store_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/internal/store"
)

var oracleOps = flag.Int("store.ops", 2000, "number of operations that are compared with a map")

// TestOracle does the same to a store and to a map, and compares them after each
// batch, before and after a reopen.
func TestOracle(t *testing.T) {
	const batch = 50
	path := filepath.Join(t.TempDir(), "moatd.db")
	r := rand.New(rand.NewPCG(1, 2))
	want := map[string]string{}
	for range *oracleOps / batch {
		s := mustOpen(t, path)
		for range batch {
			if err := step(r, s, want); err != nil {
				t.Fatal(err)
			}
		}
		wantRuns(t, s, want)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = mustOpen(t, path)
		wantRuns(t, s, want)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// step does one random thing to s and to want.
func step(r *rand.Rand, s *store.Store, want map[string]string) error {
	id := fmt.Sprintf("run_%d", r.IntN(200))
	switch r.IntN(20) {
	case 0:
		return s.Backup()
	case 1:
		runs := map[string][]byte{}
		for _, id := range slices.Sorted(maps.Keys(want))[len(want)/2:] {
			runs[id] = []byte(want[id])
		}
		maps.DeleteFunc(want, func(id, _ string) bool { return runs[id] == nil })
		return s.ReplaceRuns(runs)
	case 2, 3, 4, 5:
		delete(want, id)
		return s.DeleteRun(id)
	case 6:
		want[id] = strings.Repeat("long ", r.IntN(5000))
	default:
		want[id] = fmt.Sprint(r.Uint64())
	}
	return s.PutRun(id, []byte(want[id]))
}
