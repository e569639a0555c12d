package store_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/internal/store"
)

func TestRoutesAreThereAfterReopenAndApartFromRuns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "moatd.db")
	s := mustOpen(t, path)
	for _, err := range []error{
		s.PutRoutes("b", []byte("1")), s.PutRoutes("a", []byte("2")), s.PutRoutes("b", []byte("3")), s.PutRoutes("gone", []byte("4")),
		s.PutRun("a", []byte("a run")), s.DeleteRoutes("gone"), s.DeleteRoutes("never there"), s.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	s = mustOpen(t, path)
	got, err := s.Routes()
	want := []store.Record{{ID: "a", Val: []byte("2")}, {ID: "b", Val: []byte("3")}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Routes: %v (-want +got):\n%s", err, diff)
	}
	wantRuns(t, s, map[string]string{"a": "a run"})
	if err := s.PutRoutes("", nil); err == nil {
		t.Error("PutRoutes of no agent = nil, want an error")
	}
}
