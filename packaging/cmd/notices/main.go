// Command notices prints the licences of all that is linked into Go programs:
// their modules, and Go itself. Most ask for that of whoever passes them on.
//
//	notices FILE ...
//
// It is called in the module of the programs, after they were built.
package main

import (
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

func run(w io.Writer, files []string) error {
	if len(files) == 0 {
		return errors.New("no program given; usage: notices FILE")
	}
	linked, err := modules(files)
	if err != nil {
		return err
	}
	root, err := exec.Command("go", "env", "GOROOT").Output() //nolint:noctx // it asks nobody
	if err != nil {
		return fmt.Errorf("go env GOROOT: %w", err)
	}
	if err := notice(w, "Go and its standard library", strings.TrimSpace(string(root))); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(linked)) {
		if err := notice(w, name, linked[name]); err != nil {
			return err
		}
	}
	return nil
}

// modules returns the modules that are in files, with the directories of their
// sources.
func modules(files []string) (map[string]string, error) {
	dirs := map[string]string{}
	for _, file := range files {
		info, err := buildinfo.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read what %s was built from: %w", file, err)
		}
		for _, m := range info.Deps {
			out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", m.Path).Output() //nolint:gosec,noctx // the paths are the linker's, and it asks nobody
			if err != nil {
				return nil, fmt.Errorf("where is the source of %s: %w", m.Path, err)
			}
			dirs[m.Path+" "+m.Version] = strings.TrimSpace(string(out))
		}
	}
	return dirs, nil
}

// licence is what the files are called that licences ask to pass on.
var licence = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents)([.-].*)?$`)

// notice prints the licence files of one directory. It is an error if there is
// none: then nobody may pass it on.
func notice(w io.Writer, name, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("licence of %s: %w", name, err)
	}
	found := false
	for _, e := range entries {
		if !e.Type().IsRegular() || !licence.MatchString(e.Name()) || strings.HasSuffix(e.Name(), ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return fmt.Errorf("licence of %s: %w", name, err)
		}
		if _, err := fmt.Fprintf(w, "==== %s: %s\n\n%s\n\n", name, e.Name(), strings.TrimSpace(string(text))); err != nil {
			return err
		}
		found = true
	}
	if !found {
		return fmt.Errorf("licence of %s: there is no such file in %s", name, dir)
	}
	return nil
}
