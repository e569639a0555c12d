package activation

import "net"

// NewHanded returns listeners as if they had been passed to this process, by
// their names. It is for programs that get them in another way, or put something
// around those of [Take].
func NewHanded(byName map[string][]net.Listener) *Handed { return &Handed{byName: byName} }
