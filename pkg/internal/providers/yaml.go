package providers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// maxFile is the size of a provider's file, in bytes; the built-in ones have under 1,000.
const maxFile = 64 << 10

// reader collects what is wrong with one file: all of it, with line and field.
// It walks yaml's nodes, as decoding into structs would lose the lines.
type reader struct {
	file string
	errs []error
}

// value is a value in the file, or the absence of one if node is nil.
type value struct {
	r    *reader
	node *yaml.Node
	line int    // of the value, or of what it is missing in
	path string // as in "inject[0].hosts[1]"
}

// document reads the only document of a file.
func (r *reader) document(data []byte) (value, error) {
	if len(data) > maxFile {
		return value{}, fmt.Errorf("%s: has more than %d bytes", r.file, maxFile)
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := dec.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return value{}, fmt.Errorf("%s: is empty", r.file)
	}
	if err != nil {
		return value{}, fmt.Errorf("%s: %s", r.file, err.Error())
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		return value{}, fmt.Errorf("%s: has more than one YAML document", r.file)
	}
	return value{r: r, node: doc.Content[0], line: doc.Content[0].Line}, nil
}

// fail records what is wrong with v.
func (v value) fail(problem string) {
	where := v.r.file + ":" + strconv.Itoa(v.line)
	switch {
	case strings.ContainsFunc(v.path, notHeaderText): // an odd key; errors stay on one line
		where += ": " + strconv.QuoteToASCII(v.path)
	case v.path != "":
		where += ": " + v.path
	}
	v.r.errs = append(v.r.errs, errors.New(where+": "+problem))
}

// absent reports whether there is no value; "field:" with nothing after it is none.
func (v value) absent() bool {
	return v.node == nil || v.node.Kind == yaml.ScalarNode && v.node.ShortTag() == "!!null"
}

// is reports whether v has a value of that kind, and fails if it has another.
func (v value) is(kind yaml.Kind, name string) bool {
	switch {
	case v.absent():
		return false
	case v.node.Kind == yaml.AliasNode:
		v.fail("aliases are not supported")
		return false
	case v.node.Kind != kind:
		v.fail("must be " + name)
		return false
	}
	return true
}

// pairs returns the fields of a mapping in their order, each key once.
func (v value) pairs() (keys []string, values []value) {
	if !v.is(yaml.MappingNode, "a mapping") {
		return nil, nil
	}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		key := v.child(v.node.Content[i], "."+v.node.Content[i].Value)
		name := key.text()
		if name == "" || slices.Contains(keys, name) {
			key.fail("must stand here once, and have a name")
			continue
		}
		keys = append(keys, name)
		values = append(values, v.child(v.node.Content[i+1], "."+name))
	}
	return keys, values
}

// fields returns the fields of a mapping by name, and fails for unknown ones.
func (v value) fields(known ...string) map[string]value {
	fields := map[string]value{}
	for _, k := range known {
		fields[k] = v.child(nil, "."+k)
	}
	keys, values := v.pairs()
	for i, k := range keys {
		if slices.Contains(known, k) {
			fields[k] = values[i]
		} else {
			values[i].fail("unknown field; the known ones are " + strings.Join(known, ", "))
		}
	}
	return fields
}

// list returns the elements of a list.
func (v value) list() []value {
	if !v.is(yaml.SequenceNode, "a list") {
		return nil
	}
	var elems []value
	for i, n := range v.node.Content {
		elems = append(elems, v.child(n, "["+strconv.Itoa(i)+"]"))
	}
	return elems
}

// text returns a string, or "" without one.
func (v value) text() string {
	if !v.is(yaml.ScalarNode, "a string") {
		return ""
	}
	if v.node.ShortTag() != "!!str" {
		v.fail("must be a string; put it in quotes")
		return ""
	}
	return v.node.Value
}

// number returns an integer as it is written, or "" without one.
func (v value) number() string {
	if !v.is(yaml.ScalarNode, "a number") || v.node.ShortTag() != "!!int" {
		return ""
	}
	return v.node.Value
}

func (v value) textOr(absent string) string {
	if v.absent() {
		return absent
	}
	return v.text()
}

// child is a part of v, absent if n is nil.
func (v value) child(n *yaml.Node, path string) value {
	line := v.line
	if n != nil {
		line = n.Line
	}
	return value{r: v.r, node: n, line: line, path: strings.TrimPrefix(v.path+path, ".")}
}
