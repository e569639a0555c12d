package supervisor

import "context"

// none is the absence of a service manager.
type none struct{ problem *Problem }

// Name implements [Supervisor].
func (none) Name() string { return "none" }

// Install implements [Supervisor].
func (n none) Install(context.Context, InstallOptions) (Installed, error) {
	return Installed{}, n.problem
}

// Uninstall implements [Supervisor].
func (n none) Uninstall(context.Context) ([]string, error) { return nil, n.problem }

// Start implements [Supervisor].
func (n none) Start(context.Context) error { return n.problem }

// Stop implements [Supervisor].
func (n none) Stop(context.Context) error { return n.problem }

// Restart implements [Supervisor].
func (n none) Restart(context.Context) error { return n.problem }

// Reload implements [Supervisor].
func (n none) Reload(context.Context) error { return n.problem }

// Enable implements [Supervisor].
func (n none) Enable(context.Context) error { return n.problem }

// Disable implements [Supervisor].
func (n none) Disable(context.Context) error { return n.problem }

// Status implements [Supervisor].
func (n none) Status(context.Context) (Status, error) {
	return Status{Supervisor: n.Name()}, n.problem
}

// Logs implements [Supervisor].
func (n none) Logs(context.Context, LogOptions) error { return n.problem }
