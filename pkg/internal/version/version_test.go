package version

import (
	"fmt"
	"testing"
)

func TestCompare(t *testing.T) {
	const c1, c2 = "0123456789abcdef0123456789abcdef01234567", "fedcba9876543210fedcba9876543210fedcba98"
	for _, tt := range []struct {
		name string
		a, b Version
		want Order
	}{
		{"one release", Version{"v1.2.3", c1}, Version{"v1.2.3", c1}, Same},
		{"with and without the v", Version{"1.2.3", ""}, Version{"v1.2.3", ""}, Same},
		{"a patch later", Version{"v1.2.4", c1}, Version{"v1.2.3", c2}, Newer},
		{"numbers, not texts", Version{"v1.9.0", ""}, Version{"v1.10.0", ""}, Older},
		{"a release and its candidate", Version{"v1.2.3", ""}, Version{"v1.2.3-rc.1", ""}, Newer},
		{"candidates", Version{"v1.2.3-rc.2", ""}, Version{"v1.2.3-rc.10", ""}, Older},
		{"a candidate with less to it", Version{"v1.2.3-rc", ""}, Version{"v1.2.3-rc.1", ""}, Older},
		{"a number before a word", Version{"v1.2.3-1", ""}, Version{"v1.2.3-beta", ""}, Older},
		{"commits after a release", Version{"v1.2.3-4-g0123456", c1}, Version{"v1.2.3", c2}, Newer},
		{"more commits after a release", Version{"v1.2.3-4-g0123456", c1}, Version{"v1.2.3-12-gfedcba9", c2}, Older},
		{"commits after a candidate", Version{"v1.2.3-rc.1-4-g0123456", ""}, Version{"v1.2.3-rc.1", ""}, Newer},
		{"as many commits on two branches", Version{"v1.2.3-4-g0123456", c1}, Version{"v1.2.3-4-gfedcba9", c2}, Different},
		{"metadata does not count", Version{"v1.2.3+a", ""}, Version{"v1.2.3+b", ""}, Same},
		{"a release built from another commit", Version{"v1.2.3", c1}, Version{"v1.2.3", c2}, Different},
		{"a dirty tree of one commit", Version{"v1.2.3-dirty", c1}, Version{"v1.2.3", c1}, Same},
		{"devel builds of one commit", Version{"(devel)", c1}, Version{"devel", c1}, Same},
		{"a shortened commit", Version{"devel", c1[:12]}, Version{"devel", c1}, Same},
		{"devel builds of two commits", Version{"devel", c1}, Version{"devel", c2}, Different},
		{"a devel build and a release", Version{"devel", c1}, Version{"v1.2.3", c2}, Different},
		{"a devel build and a release without commits", Version{"devel", ""}, Version{"v1.2.3", ""}, Different},
		{"pseudo-versions of two commits", Version{"v0.0.0-20261125022237-0123456789ab", c1}, Version{"v0.0.0-20260101000000-fedcba987654", c2}, Different},
		{"a daemon that says nothing", Version{"v1.2.3", c1}, Version{}, Same},
		{"a daemon that says only its commit", Version{"v1.2.3", c1}, Version{"", c2}, Different},
		{"a daemon that says only its version", Version{"devel", c1}, Version{"devel", ""}, Same},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Compare(tt.a, tt.b); got != tt.want {
				t.Errorf("Compare(%v, %v) = %s, want %s", tt.a, tt.b, got, tt.want)
			}
		})
	}
}

func TestString(t *testing.T) {
	for _, tt := range []struct {
		name string
		v    Version
		want string
	}{
		{"a release needs no commit", Version{"v1.2.3", "0123456789"}, "v1.2.3"},
		{"a devel build does", Version{"(devel)", "0123456789"}, "(devel) (0123456)"},
		{"a version that is a commit has it", Version{"0123456-dirty", "0123456789"}, "0123456-dirty"},
		{"nothing is known", Version{}, "an unknown version"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.v.String(); got != tt.want {
				t.Errorf("String of %q, %q = %q, want %q", tt.v.Text, tt.v.Commit, got, tt.want)
			}
		})
	}
}

func FuzzCompare(f *testing.F) {
	for _, a := range []string{"v1.2.3", "1.2.3-rc.1", "v1.2.3-4-gabcdef0-dirty", "devel", "", "v0.0.0-20261125022237-0123456789ab+dirty", "1.2", "v1.2.3-", "-g"} {
		f.Add(a, "", "v1.2.3-4-g0123456", "0123456789")
	}
	opposite := map[Order]Order{Same: Same, Different: Different, Older: Newer, Newer: Older}
	f.Fuzz(func(t *testing.T, text1, commit1, text2, commit2 string) {
		a, b := Version{text1, commit1}, Version{text2, commit2}
		if got := Compare(a, a); got != Same {
			t.Errorf("Compare(%v, itself) = %s, want the same", a, got)
		}
		if x, y := Compare(a, b), Compare(b, a); opposite[x] != y {
			t.Errorf("Compare(%q, %q) = %s, and the other way round %s", a, b, x, y)
		}
	})
}

func ExampleCompare() {
	daemon := Version{Text: "v1.1.0"}
	fmt.Println(Compare(Version{Text: "v1.2.0"}, daemon))
	// Output: newer
}
