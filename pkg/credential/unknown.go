package credential

import (
	"encoding/json"
	"maps"
	"reflect"
	"strings"
)

// unknown returns the fields of a sealed object that this version does not
// know. A newer one wrote them, and finds them again after this one has written
// the object; nil means that there are none. They may be secret; see Key.raw.
type unknown func() map[string]json.RawMessage

// unknownIn returns the fields of the object val that T does not have.
func unknownIn[T any](val []byte) unknown {
	var all map[string]json.RawMessage
	if json.Unmarshal(val, &all) != nil {
		return nil // what is no object, whoever decodes it into T reports
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		known, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool { return strings.EqualFold(name, known) })
	}
	if len(all) == 0 {
		return nil
	}
	return func() map[string]json.RawMessage { return all }
}

// join returns the object val with the fields of u.
func (u unknown) join(val []byte) ([]byte, error) {
	if u == nil {
		return val, nil
	}
	all := maps.Clone(u())
	if err := json.Unmarshal(val, &all); err != nil {
		return nil, err
	}
	return json.Marshal(all)
}
