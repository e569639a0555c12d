package release_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/packaging/internal/release"
)

const log = `# Changelog

- This list is above the first version.

## [Unreleased]

### Added

- A thing with ` + "`code`" + ` in it.

## [0.2.0] - 2026-11-20

### Fixed

- A note that goes on
  in the next line.
- Another.

### Added

- **Bold.**

## [0.1.0-rc.1] - 2026-10-01

- The first.
`

var built = time.Date(2026, 11, 25, 12, 0, 0, 0, time.FixedZone("", 3600))

func parsed(t *testing.T, text string) []release.Changes {
	t.Helper()
	all, err := release.ParseChangelog(text)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func version(t *testing.T, describe string) release.Version {
	t.Helper()
	v, err := release.ParseVersion(describe)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestParseChangelog(t *testing.T) {
	want := []release.Changes{
		{Version: "Unreleased", Notes: []string{"A thing with `code` in it."}},
		{Version: "0.2.0", Date: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Notes: []string{"A note that goes on in the next line.", "Another.", "**Bold.**"}},
		{Version: "0.1.0-rc.1", Date: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Notes: []string{"The first."}},
	}
	if diff := cmp.Diff(want, parsed(t, log)); diff != "" {
		t.Errorf("ParseChangelog (-want +got):\n%s", diff)
	}
}

func TestParseChangelog_refuses(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a release without a date", "## [0.1.0]\n- x\n", "version 0.1.0: want its date"},
		{"a release on no day", "## [0.1.0] - 2026-02-30\n- x\n", "version 0.1.0: want its date"},
		{"a release without brackets", "\n## 0.1.0 - 2026-02-03\n- x\n", "line 2"},
		{"a release without a change", "## [0.1.0] - 2026-02-03\n\n### Added\n", "no changes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := release.ParseChangelog(tt.text); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ParseChangelog(%q): %v, want an error with %q", tt.text, err, tt.want)
			}
		})
	}
}

func TestPackaged_newestIsWhatIsBuilt(t *testing.T) {
	released := log[:strings.Index(log, "### Added")] + log[strings.Index(log, "## [0.2.0]"):]
	for _, tt := range []struct{ name, text, describe, want string }{
		{"what is not released counts as this version", log, "v0.2.0-3-gabc1234", "0.2.0+3.gabc1234-1 0.2.0-1 0.1.0~rc.1-1"},
		{"a release is itself", released, "v0.2.0", "0.2.0-1 0.1.0~rc.1-1"},
		{"commits that nobody has noted are after the release", released, "v0.2.0-3-gabc1234", "0.2.0+3.gabc1234-1 0.2.0-1 0.1.0~rc.1-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := release.Packaged(parsed(t, tt.text), version(t, tt.describe), built)
			if err != nil {
				t.Fatal(err)
			}
			var versions []string
			for _, c := range got {
				versions = append(versions, c.Version)
			}
			if all := strings.Join(versions, " "); all != tt.want {
				t.Errorf("Packaged(%s): %s, want %s", tt.describe, all, tt.want)
			}
		})
	}
	if got, err := release.Packaged(parsed(t, released), version(t, "v0.3.0"), built); err == nil {
		t.Errorf("Packaged(v0.3.0) of a log that ends with 0.2.0: %v, want an error", got)
	}
	if got, err := release.Packaged(nil, version(t, "v0.3.0"), built); err == nil {
		t.Errorf("Packaged of an empty log: %v, want an error", got)
	}
}

func TestDebian(t *testing.T) {
	all, err := release.Packaged(parsed(t, log), version(t, "v0.3.0-rc.1"), built)
	if err != nil {
		t.Fatal(err)
	}
	const want = `moatd (0.3.0~rc.1-1) unstable; urgency=medium

  * A thing with code in it.

 -- The maintainers <m@example.org>  Wed, 25 Nov 2026 11:00:00 +0000

moatd (0.2.0-1) unstable; urgency=medium

  * A note that goes on in the next line.
  * Another.
  * Bold.

 -- The maintainers <m@example.org>  Fri, 20 Nov 2026 00:00:00 +0000

moatd (0.1.0~rc.1-1) unstable; urgency=medium

  * The first.

 -- The maintainers <m@example.org>  Thu, 01 Oct 2026 00:00:00 +0000
`
	text := release.Debian(all, "moatd", "The maintainers <m@example.org>")
	if diff := cmp.Diff(want, text); diff != "" {
		t.Errorf("Debian (-want +got):\n%s", diff)
	}
	t.Run("dpkg reads it", func(t *testing.T) { dpkgReads(t, text, "0.3.0~rc.1-1") })
}

func dpkgReads(t *testing.T, text, newest string) {
	t.Helper()
	tool, err := exec.LookPath("dpkg-parsechangelog")
	if err != nil {
		t.Skip("no dpkg-dev here")
	}
	file := filepath.Join(t.TempDir(), "changelog")
	if err = os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := exec.CommandContext(t.Context(), tool, "-l", file, "-S", "Version").CombinedOutput()
	if want := newest + "\n"; err != nil || string(got) != want {
		t.Errorf("dpkg-parsechangelog: %q, %v; want %q and no warning", got, err, want)
	}
}

func TestRPM(t *testing.T) {
	all, err := release.Packaged(parsed(t, log), version(t, "v0.3.0"), built)
	if err != nil {
		t.Fatal(err)
	}
	got, err := release.RPM(all[:1], "The maintainers <m@example.org>")
	const want = `- semver: 0.3.0-1
  date: 2026-11-25T11:00:00Z
  packager: The maintainers <m@example.org>
  changes:
    - note: A thing with code in it.
`
	if diff := cmp.Diff(want, string(got)); diff != "" || err != nil {
		t.Errorf("RPM: %v (-want +got):\n%s", err, diff)
	}
}

// The change log of this very program must fit into a package.
func TestOurChangelog(t *testing.T) {
	text, err := os.ReadFile("../../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	all, err := release.Packaged(parsed(t, string(text)), version(t, "v99.0.0"), built)
	if err != nil {
		t.Fatalf("Packaged of CHANGELOG.md: %v", err)
	}
	for line := range strings.Lines(release.Debian(all, "moatd", "x <x@example.org>")) {
		if len([]rune(line)) > 81 {
			t.Errorf("a line of %d characters: %s", len([]rune(line)), line)
		}
	}
}

// However a log looks, what comes out of it has one entry for each version, and
// no line that could pass for another's beginning.
func FuzzParseChangelog(f *testing.F) {
	f.Add(log)
	f.Add("## [1.2.3] - 2026-01-02\n- a\n  ## b\n- moatd (1) unstable;\n")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := release.ParseChangelog(text)
		if err != nil {
			return
		}
		v, err := release.ParseVersion("9.9.9")
		if err != nil {
			t.Fatal(err)
		}
		if all, err = release.Packaged(all, v, built); err != nil {
			return
		}
		heads := 0
		for line := range strings.Lines(release.Debian(all, "moatd", "x <x@example.org>")) {
			if line != "\n" && line[0] != ' ' {
				heads++
			}
		}
		if heads != len(all) {
			t.Errorf("Debian of %d versions has %d heads; log %q", len(all), heads, text)
		}
	})
}
