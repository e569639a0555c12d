package release_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/moatd/moatd/packaging/internal/release"
)

func TestParseVersion(t *testing.T) {
	for _, tt := range []struct{ name, describe, want, pkg string }{
		{"a tag", "v1.2.3", "1.2.3", "1.2.3"},
		{"a number that a person gave", "1.2.3", "1.2.3", "1.2.3"},
		{"a candidate sorts before its release", "v1.2.3-rc.1", "1.2.3-rc.1", "1.2.3~rc.1"},
		{"commits after a tag sort after it", "v1.2.3-5-gabc1234", "1.2.3+5.gabc1234", "1.2.3+5.gabc1234"},
		{"commits after a candidate", "v1.2.3-rc.1-5-gabc1234", "1.2.3-rc.1+5.gabc1234", "1.2.3~rc.1+5.gabc1234"},
		{"a version as we write it", "1.2.3-rc.1+5.gabc1234", "1.2.3-rc.1+5.gabc1234", "1.2.3~rc.1+5.gabc1234"},
		{"no tag yet", "b16b6d2", "0.0.0+0.gb16b6d2", "0.0.0+0.gb16b6d2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := release.ParseVersion(tt.describe)
			if err != nil || got.String() != tt.want || got.Package() != tt.pkg {
				t.Errorf("ParseVersion(%q) = %s, in packages %s, %v; want %s, %s", tt.describe, got, got.Package(), err, tt.want, tt.pkg)
			}
		})
	}
}

func TestParseVersion_refuses(t *testing.T) {
	for _, tt := range []struct{ name, describe, want string }{
		{"changes in no commit", "v1.2.3-dirty", "commit them"},
		{"changes before the first tag", "b16b6d2-dirty", "commit them"},
		{"nothing", "", "want 1.2.3"},
		{"a name", "devel", "want 1.2.3"},
		{"two numbers", "1.2", "want 1.2.3"},
		{"a revision of Debian's", "1.2.3-1~bpo12", "want 1.2.3"},
		{"an empty part", "1.2.3-rc..1", "empty"},
		{"a line more", "1.2.3\n1.2.4", "want 1.2.3"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := release.ParseVersion(tt.describe); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseVersion(%q) = %s, %v; want an error with %q", tt.describe, got, err, tt.want)
			}
		})
	}
}

// What dpkg makes of the order is what users get.
func TestPackageVersions_sortAsTheyFollow(t *testing.T) {
	dpkg, err := exec.LookPath("dpkg")
	if err != nil {
		t.Skip("no dpkg here to compare versions")
	}
	last := ""
	for _, describe := range []string{"b16b6d2", "v0.1.0-rc.1", "v0.1.0-rc.1-2-gabc1234", "v0.1.0-rc.2", "v0.1.0", "v0.1.0-3-g0000000", "v0.1.1-alpha", "v0.1.1", "v0.10.0"} {
		v, err := release.ParseVersion(describe)
		if err != nil {
			t.Fatal(err)
		}
		if last != "" && exec.CommandContext(t.Context(), dpkg, "--compare-versions", last, "lt", v.Package()).Run() != nil {
			t.Errorf("dpkg does not take %s for an upgrade of %s", v.Package(), last)
		}
		last = v.Package()
	}
}

func FuzzParseVersion(f *testing.F) {
	for _, seed := range []string{"v1.2.3", "v1.2.3-rc.1-5-gabc1234", "b16b6d2", "1.2.3-x", "v1.2.3-dirty"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, describe string) {
		v, err := release.ParseVersion(describe)
		if err != nil {
			return
		}
		if strings.ContainsAny(v.Package(), "- \n/:") || strings.Contains(v.String(), "~") {
			t.Errorf("ParseVersion(%q) = %s, in packages %s, which no package manager takes", describe, v, v.Package())
		}
		if again, err := release.ParseVersion(v.String()); err != nil || again != v {
			t.Errorf("ParseVersion(%q) = %s, and of that %s, %v", describe, v, again, err)
		}
	})
}
