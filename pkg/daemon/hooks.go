package daemon

import "sync/atomic"

// hooks are what the setters of the fixed API set. Each may be set at any time,
// also while serving, and is one atomic store. Functions are called with no
// lock held, after the change that they tell of is durable.
type hooks struct {
	register   atomic.Pointer[func()]
	empty      atomic.Pointer[func()]
	shutdown   atomic.Pointer[func()]
	unregister atomic.Pointer[func(runID string)]
	persister  atomic.Pointer[RunPersister]
}

func (*hooks) call(p *atomic.Pointer[func()]) {
	if fn := p.Load(); fn != nil && *fn != nil {
		(*fn)()
	}
}

func (*hooks) callWith(p *atomic.Pointer[func(string)], v string) {
	if fn := p.Load(); fn != nil && *fn != nil {
		(*fn)(v)
	}
}

// SetOnRegister sets what is called after a run is registered; nil for nothing.
func (s *Server) SetOnRegister(fn func()) { s.hooks.register.Store(&fn) }

// SetOnEmpty sets what is called after the last run is unregistered. A run may
// have been registered meanwhile; to end an idle daemon use
// [Registry.WaitIdle], which knows.
func (s *Server) SetOnEmpty(fn func()) { s.hooks.empty.Store(&fn) }

// SetOnUnregister sets what is called, with its id, after a run is unregistered.
func (s *Server) SetOnUnregister(fn func(runID string)) { s.hooks.unregister.Store(&fn) }

// SetOnShutdown sets what is called when a client asks the daemon to end. It
// must return soon, before the daemon does end.
func (s *Server) SetOnShutdown(fn func()) { s.hooks.shutdown.Store(&fn) }

// SetPersister sets where runs are kept; nil for nowhere. Runs that are
// registered already are not stored by it.
func (s *Server) SetPersister(p *RunPersister) { s.hooks.persister.Store(p) }

// SetProxyPort sets the port of the proxy that answers report.
func (s *Server) SetProxyPort(port int) { s.proxyPort.Store(int64(port)) }
