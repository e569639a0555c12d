package mitm

import (
	"net"
	"net/http"
	"sync"
)

// idlers knows the HTTP/2 tunnels that wait for another request, which a
// server of net/http takes for active ones. A tunnel that has had no request
// yet is not among them: its first is on the way.
type idlers struct {
	mu     sync.Mutex
	states map[net.Conn]stage // guarded by mu
}

type stage int

const (
	fresh stage = iota
	active
	idle
)

// note is the hook for what becomes of a connection. An HTTP/2 one is said to
// be active and idle once before its first request.
func (i *idlers) note(c net.Conn, state http.ConnState) {
	i.mu.Lock()
	defer i.mu.Unlock()
	before, known := i.states[c]
	switch {
	case state == http.StateClosed || state == http.StateHijacked:
		delete(i.states, c)
	case state == http.StateActive && !known:
		i.states[c] = fresh
	case state == http.StateActive:
		i.states[c] = active
	case state == http.StateIdle && before == active:
		i.states[c] = idle
	}
}

// close closes the tunnels that are idle.
func (i *idlers) close() {
	for _, c := range i.all() {
		_ = c.Close() // nobody waits for it
	}
}

func (i *idlers) all() []net.Conn {
	i.mu.Lock()
	defer i.mu.Unlock()
	var conns []net.Conn
	for c, s := range i.states {
		if s == idle {
			conns = append(conns, c)
		}
	}
	return conns
}
