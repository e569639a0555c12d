package store_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/internal/store"
)

func TestPutThenReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	s, _, err := store.Open(path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.PutRun("run_1", []byte("one")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, rec, err := store.Open(path, store.Options{})
	if err != nil || rec != (store.Recovery{}) {
		t.Fatal(rec, err)
	}
	defer s.Close()
	recs, err := s.Runs()
	if d := cmp.Diff([]store.Record{{ID: "run_1", Val: []byte("one")}}, recs); d != "" || err != nil {
		t.Errorf("Runs() = %v (-want +got):\n%s", err, d)
	}
}
