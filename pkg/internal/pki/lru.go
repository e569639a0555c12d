package pki

// An lru maps names to values and drops the one that was not used for longest
// when there are too many. It is not safe for concurrent use.
type lru[V any] struct {
	limit int
	nodes map[string]*node[V]
	// used is the ring of all nodes, the last used after it and the longest
	// unused before it; it holds no value itself.
	used *node[V]
}

type node[V any] struct {
	name       string
	value      V
	prev, next *node[V]
}

func newLRU[V any](limit int) lru[V] {
	used := new(node[V])
	used.prev, used.next = used, used
	return lru[V]{limit, make(map[string]*node[V]), used}
}

// get returns the value of name and counts as its use.
func (c *lru[V]) get(name string) (value V, ok bool) {
	n, ok := c.nodes[name]
	if !ok {
		return value, false
	}
	n.unlink()
	n.linkAfter(c.used)
	return n.value, true
}

// put sets the value of name and counts as its use.
func (c *lru[V]) put(name string, value V) {
	c.remove(name)
	if len(c.nodes) == c.limit {
		c.remove(c.used.prev.name)
	}
	n := &node[V]{name: name, value: value}
	n.linkAfter(c.used)
	c.nodes[name] = n
}

// remove removes name if it is there.
func (c *lru[V]) remove(name string) {
	if n, ok := c.nodes[name]; ok {
		n.unlink()
		delete(c.nodes, name)
	}
}

func (n *node[V]) unlink() { n.prev.next, n.next.prev = n.next, n.prev }

func (n *node[V]) linkAfter(m *node[V]) {
	n.prev, n.next = m, m.next
	m.next.prev = n
	m.next = n
}
