package doctor

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	initfiles "github.com/moatd/moatd/init"
)

// A unitFile is one of the places where a unit may be.
type unitFile struct {
	unit, path string
	masked     bool // a link to /dev/null, or an empty file
	ours       bool // in a directory of the user's, before those of packages
}

// unitFiles returns the files of moatd's units, the most important places first.
func (s *scene) unitFiles() []unitFile {
	var found []unitFile
	for _, dir := range []struct {
		path string
		ours bool
	}{
		{s.unitDir(), true},
		{s.path("etc/systemd/user"), false},
		{filepath.Join(s.opts.RuntimeDir, "systemd/user"), true},
		{s.path("usr/local/lib/systemd/user"), false},
		{s.path("usr/lib/systemd/user"), false},
	} {
		for _, unit := range initfiles.UnitNames() {
			path := filepath.Join(dir.path, unit)
			if info, err := os.Lstat(path); err == nil {
				found = append(found, unitFile{unit, path, isMask(path, info), dir.ours})
			}
		}
	}
	return found
}

func isMask(path string, info fs.FileInfo) bool {
	if info.Mode().IsRegular() {
		return info.Size() == 0
	}
	target, err := os.Readlink(path)
	return err == nil && target == os.DevNull
}

func (s *scene) masked(context.Context) Verdict {
	if s.statusErr != nil || s.status.Supervisor != "systemd" {
		return skip("a matter of systemd")
	}
	return judgeMasks(s.unitFiles())
}

// judgeMasks judges the masks among the files. That of the routes is a choice.
func judgeMasks(files []unitFile) Verdict {
	var units, paths []string
	for _, f := range files {
		if f.masked && f.unit != "moatd-routing.socket" {
			units, paths = append(units, f.unit), append(paths, f.path)
		}
	}
	if units == nil {
		return ok("no unit is masked")
	}
	fix := "systemctl --user unmask " + strings.Join(units, " ") + " && " + fixInstall + " && " + fixSockets
	return fail(fix, "masked, so that nothing can start it: %s", strings.Join(paths, ", "))
}

func (s *scene) shadowed(context.Context) Verdict {
	if s.statusErr != nil || s.status.Supervisor != "systemd" {
		return skip("a matter of systemd")
	}
	return judgeShadows(s.unitFiles())
}

// judgeShadows judges copies of a package's units in the user's directories:
// they hide what an upgrade of the package brings.
func judgeShadows(files []unitFile) Verdict {
	copies := make(map[string]string)
	var shadows []string
	for _, f := range files { // the package's come last
		if f.ours && !f.masked {
			copies[f.unit] = f.path
		} else if path, hidden := copies[f.unit]; hidden && !f.ours {
			shadows = append(shadows, path)
			delete(copies, f.unit)
		}
	}
	if shadows == nil {
		return ok("no unit of a package is hidden by a copy")
	}
	var words []string
	for _, path := range shadows {
		words = append(words, quote(path))
	}
	return warn("rm "+strings.Join(words, " ")+" && "+fixReload+" && "+fixRestart,
		"a copy hides the unit of a package, and what an upgrade changes in it: %s", strings.Join(shadows, ", "))
}

// duplicates looks for several installations in PATH.
func (s *scene) duplicates(context.Context) Verdict {
	var found []string
	seen := make(map[string]bool)
	for _, dir := range filepath.SplitList(s.opts.Path) {
		path := filepath.Join(dir, "moatd")
		info, err := os.Stat(path)
		if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
			continue
		}
		real, err := filepath.EvalSymlinks(path)
		if err == nil && !seen[real] {
			seen[real] = true
			found = append(found, path)
		}
	}
	return judgeDuplicates(found, s.status.Exe, s.opts.UserHome)
}

// judgeDuplicates judges the moatds in PATH, in its order. The one to keep is
// that of the service, else the first. What is not in the user's home directory
// is a package's, and not to be removed by hand.
func judgeDuplicates(found []string, service, home string) Verdict {
	switch {
	case len(found) == 0:
		return skip("there is no moatd in PATH")
	case len(found) == 1:
		return ok("one moatd in PATH, %s", found[0])
	}
	keep, fix := cmp.Or(service, found[0]), ""
	for _, path := range found {
		if path != keep && strings.HasPrefix(path, home+"/") {
			fix += " " + quote(path) + " " + quote(filepath.Join(filepath.Dir(path), "moat"))
		}
	}
	if fix != "" {
		fix = "rm -f" + fix
	}
	return warn(fix, "there are several moatds in PATH, %s, so that one may be upgraded and another run; to keep: %s", strings.Join(found, ", "), keep)
}
