package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/internal/providers"
	"github.com/moatd/moatd/pkg/internal/store"
)

func (s *scene) home(context.Context) Verdict {
	return judgeHome(lookAt(s.opts.Settings.Home), os.Geteuid())
}

func judgeHome(f file, uid int) Verdict {
	switch {
	case missing(f.err):
		return skip("%s is not there yet; the daemon makes it", f.path)
	case f.err != nil:
		return fail("", "look at the state directory: %v", f.err)
	case f.mode.Type() == fs.ModeSymlink:
		return ok("%s is a link", f.path)
	case !f.mode.IsDir():
		return fail("mv "+quote(f.path)+" "+quote(f.path+".old"), "%s is no directory", f.path)
	}
	return judgeAccess(f, 0o700, uid)
}

// userOf is a user as chown takes it, by name if there is one.
func userOf(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

func (s *scene) filesystem(context.Context) Verdict {
	dir := s.opts.Settings.Home
	v, err := volumeOf(dir)
	if missing(err) {
		return skip("%s is not there yet", dir)
	}
	if err != nil {
		return fail("", "look at the file system of %s: %v", dir, err)
	}
	return judgeVolume(dir, v)
}

// A volume is what matters of a file system.
type volume struct {
	kind  string // its name as mount(8) has it, or a number
	free  uint64 // bytes that are left for users
	files uint64 // files that can still be made, where they are counted
	count bool   // they are
}

// Locks and the order of writes are not what they should be on these.
var shared = []string{"nfs", "cifs", "smb2", "smbfs", "9p", "fuse", "afs", "coda", "webdav", "macfuse", "osxfuse", "virtiofs"}

// The database takes some kilobytes for each run; a full disk stops everything.
const (
	littleSpace = 256 << 20
	noSpace     = 8 << 20
	noFiles     = 64
)

func judgeVolume(dir string, v volume) Verdict {
	free := fmt.Sprintf("%d MiB", v.free>>20)
	switch {
	case v.free < noSpace:
		return fail("", "%s are left on the file system of %s: runs cannot be registered; make room", free, dir)
	case v.count && v.files < noFiles:
		return fail("", "%d more files fit on the file system of %s: nothing can be written; make room", v.files, dir)
	case slices.Contains(shared, v.kind):
		return warn("", "%s is on a file system of the kind %s, whose locks are not reliable; MOAT_HOME can move it to a local disk", dir, v.kind)
	case v.free < littleSpace:
		return warn("", "%s are left on the file system of %s; make room", free, dir)
	}
	return ok("%s, %s free", v.kind, free)
}

// database checks the database, or its last copy while a daemon has it open.
func (s *scene) database(context.Context) Verdict {
	path := config.Database(s.opts.Settings.Home)
	report, err := store.Inspect(path)
	where := path
	if errors.Is(err, store.ErrLocked) {
		where = path + ".bak"
		report, err = store.Inspect(where)
	}
	return judgeDatabase(database{path, where, sizeOf(path), report, err})
}

// sizeOf is the size of a file in bytes, 0 if it is not there.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// A database is what is known of one.
type database struct {
	path   string
	where  string // what was checked: path, or its copy
	size   int64  // bytes
	report store.Report
	err    error
}

// A daemon that starts makes a copy of a database, and mends one; a damaged copy
// is made anew at the next start.
const (
	bigDatabase = 64 << 20 // bytes; some 75 000 runs
	manyBoots   = 3
)

func judgeDatabase(d database) Verdict {
	copied := d.where != d.path
	switch {
	case missing(d.err) && copied:
		return ok("a daemon has it open, %s; there is no copy yet", kib(d.size))
	case missing(d.err):
		return skip("there is none yet")
	case errors.Is(d.err, store.ErrNewer):
		return fail("", "%v", d.err)
	case errors.Is(d.err, store.ErrLocked):
		return ok("in use")
	case errors.Is(d.err, fs.ErrPermission):
		return fail("chmod 600 "+quote(d.where), "%v", d.err)
	case d.err != nil && copied:
		return warn(fixRestart, "the copy is bad, and would not help if the database were damaged: %v", d.err)
	case d.err != nil:
		return fail(fixStart, "%v; a daemon that starts moves it aside and takes the copy", d.err)
	case d.report.Note != "":
		return warn(fixRestart, "%s: %s", d.where, d.report.Note)
	case !copied && d.report.Boots >= manyBoots:
		return warn(fixRestart, "moatd has ended %d times in a row without an orderly end; moat daemon logs tells why", d.report.Boots)
	case d.size > bigDatabase:
		return warn("", "%s has grown to %s; moat ls shows whether there are runs that nobody needs", d.path, kib(d.size))
	}
	return ok("%s is sound, %s", d.where, kib(d.size))
}

func kib(size int64) string { return fmt.Sprintf("%d KiB", size>>10) }

// quarantine looks for damaged databases that were moved aside.
func (s *scene) quarantine(context.Context) Verdict {
	kept, err := filepath.Glob(globQuote(config.Database(s.opts.Settings.Home)) + ".corrupt-*")
	if err != nil {
		return fail("", "look for damaged databases: %v", err)
	}
	var since time.Time
	for _, path := range kept {
		if info, err := os.Stat(path); err == nil && info.ModTime().After(since) {
			since = info.ModTime()
		}
	}
	return judgeQuarantine(kept, since)
}

// globQuote makes a path a pattern that matches it alone.
func globQuote(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

func judgeQuarantine(kept []string, since time.Time) Verdict {
	if len(kept) == 0 {
		return ok("no database was damaged")
	}
	var words []string
	for _, path := range kept {
		words = append(words, quote(path))
	}
	return warn("rm "+strings.Join(words, " "),
		"a damaged database was moved aside, and runs registered since the last copy may be lost: %s", strings.Join(kept, ", ")).since(since)
}

func judgeConfig(s *scene) Verdict {
	path := filepath.Join(s.opts.Settings.Home, "config.yaml")
	if s.opts.SettingsErr != nil {
		return fail("${EDITOR:-vi} "+quote(path)+" && "+fixRestart, "moatd refuses to start: %s", oneLine(s.opts.SettingsErr))
	}
	return ok("%s and the environment make sense", path)
}

func (s *scene) providers(context.Context) Verdict {
	dir := config.ProvidersDir(s.opts.Settings.Home)
	set, err := providers.Load(dir)
	if set == nil {
		return judgeProviders(dir, nil, []error{err})
	}
	return judgeProviders(dir, set.Names(), set.Problems())
}

func judgeProviders(dir string, names []string, problems []error) Verdict {
	verdicts := []Verdict{ok("%d", len(names))}
	for _, err := range problems {
		verdicts = append(verdicts, fail(mendProvider(dir, err), "%s; runs do not get its credential", oneLine(err)))
	}
	return all(verdicts...)
}

// mendProvider is the command for a bad file, whose path the error begins with.
func mendProvider(dir string, err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok && errors.Is(err, fs.ErrPermission) {
		return "chmod u+rw " + quote(pe.Path)
	}
	path, _, _ := strings.Cut(err.Error(), ".yaml:")
	if filepath.Dir(path) != dir {
		return ""
	}
	return "${EDITOR:-vi} " + quote(path+".yaml")
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }
