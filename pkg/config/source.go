package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Source is one place that settings come from.
type Source struct {
	// Name says how the user knows a key in this place, for errors:
	// "--idle-exit", "MOAT_IDLE_EXIT".
	Name func(key string) string
	// Get returns the text of a key, and whether it is set.
	Get func(key string) (string, bool)
}

// Apply returns base changed by the sources, of which the first has the last
// word. The error names every bad value and where it stands.
func Apply(base Settings, sources ...Source) (Settings, error) {
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(setters)) {
		for _, src := range sources {
			text, ok := src.Get(key)
			if !ok {
				continue
			}
			if err := setters[key](&base, text); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", src.Name(key), err))
			}
			break // the sources below it have no say
		}
	}
	return base, errors.Join(errs...)
}

// Flags is the source of command line flags: those in set, by their name.
func Flags(set map[string]string) Source {
	flag := func(key string) string { return strings.ReplaceAll(key, "_", "-") }
	return Source{
		Name: func(key string) string { return "--" + flag(key) },
		Get:  func(key string) (string, bool) { v, ok := set[flag(key)]; return v, ok },
	}
}

// Environment is the source of the MOAT_* variables; an empty one counts as
// not set. getenv is [os.Getenv] or a stand-in.
func Environment(getenv func(string) string) Source {
	name := func(key string) string { return "MOAT_" + strings.ToUpper(key) }
	return Source{
		Name: name,
		Get:  func(key string) (string, bool) { v := getenv(name(key)); return v, v != "" },
	}
}

// File is the source of config.yaml in the directory home. A missing file sets
// nothing; a key that does not exist is an error, with its line.
func File(home string) (Source, error) {
	path := filepath.Join(home, "config.yaml")
	data, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Source{}, fmt.Errorf("read settings: %w", err)
	}
	values, err := parse(data)
	if err != nil {
		return Source{}, fmt.Errorf("%s: %w", path, err)
	}
	return Source{
		Name: func(key string) string { return fmt.Sprintf("%s: line %d: %s", path, values[key].line, key) },
		Get:  func(key string) (string, bool) { v, ok := values[key]; return v.text, ok },
	}, nil
}

type value struct {
	text string
	line int // from 1
}

// parse reads a flat YAML mapping from known keys to scalars.
func parse(data []byte) (map[string]value, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	values := make(map[string]value)
	if len(doc.Content) == 0 {
		return values, nil // empty, or comments alone
	}
	top := doc.Content[0]
	if top.Kind != yaml.MappingNode {
		return nil, fmt.Errorf("line %d: want lines of the form key: value", top.Line)
	}
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, val := top.Content[i], top.Content[i+1]
		if _, known := setters[key.Value]; !known {
			return nil, fmt.Errorf("line %d: no setting is called %q; there are %s",
				key.Line, key.Value, strings.Join(slices.Sorted(maps.Keys(setters)), ", "))
		}
		if _, twice := values[key.Value]; twice {
			return nil, fmt.Errorf("line %d: %s is set a second time", key.Line, key.Value)
		}
		if val.Kind != yaml.ScalarNode || val.Tag == "!!null" {
			return nil, fmt.Errorf("line %d: %s needs one value", val.Line, key.Value)
		}
		values[key.Value] = value{text: val.Value, line: val.Line}
	}
	return values, nil
}
