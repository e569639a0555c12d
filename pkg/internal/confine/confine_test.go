package confine_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/internal/confine"
)

func TestBelow(t *testing.T) {
	for _, tt := range []struct {
		name, dir, path string
		want            bool
	}{
		{"a directory is below itself", "/home/al", "/home/al", true},
		{"what is in it", "/home/al", "/home/al/bin/moatd", true},
		{"a name that begins alike is another", "/home/al", "/home/alice", false},
		{"not what is above", "/home/al", "/home", false},
		{"all is below the root", "/", "/home", true},
	} {
		if got := confine.Below(tt.dir, tt.path); got != tt.want {
			t.Errorf("%s: Below(%q, %q) = %v", tt.name, tt.dir, tt.path, got)
		}
	}
}

func TestPlus_leavesBothAsTheyWere(t *testing.T) {
	a := confine.Places{Read: append(make([]string, 0, 4), "/a")} // with room, into which append would write
	b := a.Plus(confine.Places{Read: []string{"/b"}, Write: []string{"/w"}})
	c := a.Plus(confine.Places{Read: []string{"/c"}})
	if diff := cmp.Diff([][]string{{"/a", "/b"}, {"/a", "/c"}, {"/w"}}, [][]string{b.Read, c.Read, b.Write}); diff != "" {
		t.Errorf("Plus, -want +got:\n%s", diff)
	}
}
