package mitm

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// idlers knows the HTTP/2 tunnels that wait for another request, which a
// server of net/http takes for active ones. A tunnel that has had no request
// yet is not among them: its first is on the way.
type idlers struct {
	mu     sync.Mutex
	states map[net.Conn]state // guarded by mu
}

// settle is how long a tunnel is idle before it is closed: net/http says so
// when it has the end of the answer, and sends it after that.
const settle = 10 * time.Millisecond

type state struct {
	stage stage
	since time.Time
}

type stage int

const (
	fresh stage = iota
	active
	idle
)

// note is the hook for what becomes of a connection. An HTTP/2 one is said to
// be active and idle once before its first request.
func (i *idlers) note(c net.Conn, now http.ConnState) {
	i.mu.Lock()
	defer i.mu.Unlock()
	before, known := i.states[c]
	switch {
	case now == http.StateClosed || now == http.StateHijacked:
		delete(i.states, c)
	case now == http.StateActive && !known:
		i.states[c] = state{fresh, time.Now()}
	case now == http.StateActive:
		i.states[c] = state{active, time.Now()}
	case now == http.StateIdle && before.stage == active:
		i.states[c] = state{idle, time.Now()}
	}
}

// close closes the tunnels that are idle.
func (i *idlers) close() {
	for _, c := range i.before(time.Now().Add(-settle)) {
		_ = c.Close() // nobody waits for it
	}
}

// before returns the tunnels that are idle since before then.
func (i *idlers) before(then time.Time) []net.Conn {
	i.mu.Lock()
	defer i.mu.Unlock()
	var conns []net.Conn
	for c, s := range i.states {
		if s.stage == idle && s.since.Before(then) {
			conns = append(conns, c)
		}
	}
	return conns
}
