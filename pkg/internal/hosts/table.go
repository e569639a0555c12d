package hosts

// A Table is what a run has for hosts: credentials, headers, rules. An entry
// without a port counts for every port that has none of its own.
type Table[V any] map[Host]V

// Lookup returns the entry for h with its port, else the one without; ok is
// false if there is neither.
func (t Table[V]) Lookup(h Host) (v V, ok bool) {
	if v, ok = t[h]; ok || h.Port == 0 {
		return v, ok
	}
	v, ok = t[h.WithoutPort()]
	return v, ok
}
