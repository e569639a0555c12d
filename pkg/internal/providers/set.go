package providers

import (
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed builtin/*.yaml
var builtin embed.FS

// Set is the providers there are. It does not change, so it is safe for
// concurrent use.
type Set struct {
	byName    map[string]*Provider
	broken    map[string]error // by the name of a provider whose file is bad
	problems  []error          // by file
	overrides []string
	users     map[string]string // by the name of a user's provider, its file
	unread    bool              // the user's directory could not be listed
}

// Get returns the provider called name. One whose file is bad is not there.
func (s *Set) Get(name string) (*Provider, bool) {
	if p, ok := s.byName[name]; ok {
		return p, true
	}
	return kept(name)
}

// Names returns the names of the providers, sorted.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.byName)) }

// Overrides returns, sorted, the names of the built-in providers that a user's
// file has replaced, or would have if it were good.
func (s *Set) Overrides() []string { return slices.Clone(s.overrides) }

// File returns the file of the user's provider called name, good or not, and ""
// for one that is built in.
func (s *Set) File(name string) string { return s.users[name] }

// Broken returns what is wrong with the file of the provider called name, or nil.
func (s *Set) Broken(name string) error { return s.broken[name] }

// BrokenNames returns the names of the providers whose file is bad, sorted.
func (s *Set) BrokenNames() []string { return slices.Sorted(maps.Keys(s.broken)) }

// Problems returns one error for each bad file, by file.
func (s *Set) Problems() []error { return slices.Clone(s.problems) }

// Keeping returns s with old's provider in place of each whose file is bad, or
// all of old's if the user's directory could not be read. The problems stay
// those of s.
func (s *Set) Keeping(old *Set) *Set {
	kept := *s
	if s.unread {
		kept.byName, kept.overrides, kept.users = old.byName, old.overrides, old.users
		return &kept
	}
	kept.byName = maps.Clone(s.byName)
	for name := range s.broken {
		if p, ok := old.byName[name]; ok {
			kept.byName[name] = p
		}
	}
	return &kept
}

// Builtin returns the providers that are part of the program. An error is a
// mistake of the program's.
func Builtin() (*Set, error) {
	files, err := fs.Glob(builtin, "builtin/*.yaml")
	if err != nil {
		return nil, err
	}
	s := &Set{byName: map[string]*Provider{}, broken: map[string]error{}, users: map[string]string{}}
	for _, file := range files {
		data, err := builtin.ReadFile(file)
		if err != nil {
			return nil, err
		}
		p, err := Parse(file, data)
		if err != nil {
			return nil, err
		}
		s.byName[p.name] = p
	}
	return s, nil
}

// Load returns the built-in providers and those in dir, one in each file whose
// name ends in ".yaml"; a user's provider replaces the built-in one of its name.
// If dir does not exist or is "", there are only the built-in ones.
//
// The error joins those of the bad files, and the set is good without them,
// as long as it is not nil. A bad file takes away the built-in provider that it
// would have replaced: that one may send the credential where the user's would not.
func Load(dir string) (*Set, error) {
	s, err := Builtin()
	if err != nil || dir == "" {
		return s, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		err = fmt.Errorf("read providers: %w", err)
		s.problems, s.unread = []error{err}, true
		return s, err
	}
	for _, e := range entries {
		s.add(filepath.Join(dir, e.Name()))
	}
	return s, errors.Join(s.problems...)
}

// add reads one file of a user's into the set. Hidden files, and those with
// another extension, are somebody else's, save ".yml", which is a slip.
func (s *Set) add(file string) {
	base := filepath.Base(file)
	name, ok := strings.CutSuffix(base, ".yaml")
	if strings.HasPrefix(base, ".") {
		return
	}
	if strings.HasSuffix(base, ".yml") {
		s.problems = append(s.problems, fmt.Errorf("%s: is not read; rename it to end in .yaml", file))
	}
	if !ok {
		return
	}
	s.users[name] = file
	if _, there := s.byName[name]; there {
		s.overrides = append(s.overrides, name)
		delete(s.byName, name)
	}
	p, err := parseFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%s: leads nowhere, or was just removed", file)
	}
	if err != nil {
		s.broken[name] = err
		s.problems = append(s.problems, err)
		return
	}
	s.byName[name] = p
}

func parseFile(file string) (*Provider, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: is not a regular file", file)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	return Parse(file, data)
}
