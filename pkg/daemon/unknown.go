package daemon

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
)

// unknown are the fields of a stored object that this version does not know. A
// newer one wrote them, and finds them again after this one has updated the
// object.
type unknown map[string]json.RawMessage

// unknownIn returns the fields of the object val that T does not have.
func unknownIn[T any](val []byte) unknown {
	var all unknown
	if json.Unmarshal(val, &all) != nil {
		return nil // what is no object, whoever decodes it into T reports
	}
	known := fieldsOf(reflect.TypeFor[T]())
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool { return known[strings.ToLower(name)] })
	if len(all) == 0 {
		return nil
	}
	return all
}

// join returns the object val with the fields of u.
func (u unknown) join(val []byte) ([]byte, error) {
	if len(u) == 0 {
		return val, nil
	}
	all := maps.Clone(u)
	if err := json.Unmarshal(val, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}

// fieldsOf returns the names that encoding/json has for the fields of a struct,
// in lower case: it takes either.
func fieldsOf(t reflect.Type) map[string]bool {
	names := make(map[string]bool)
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			names[strings.ToLower(name)] = true
		}
	}
	return names
}
