package daemon

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
)

// EngineState is a container engine of this machine.
type EngineState struct {
	Name  string // "docker" or "podman"; "container" for Apple's
	Place string // its socket, or its command
	Err   error  // why it cannot be asked; nil if it answers
}

// Engines asks each container engine that there is on this machine whether it
// answers, within 5 s each. An engine without a socket counts if there is its
// command, which is not run.
func Engines(ctx context.Context, opts ContainerOptions) []EngineState {
	var states []EngineState
	for _, e := range enginesOf(opts, runtime.GOOS) {
		if !e.present() {
			continue
		}
		switch e := e.(type) {
		case *socketEngine:
			states = append(states, EngineState{e.name(), e.path, e.ping(ctx)})
		case *commandEngine:
			states = append(states, EngineState{e.name, "the command " + e.name, nil})
		}
	}
	return states
}

// ping asks the engine whether it is there.
func (e *socketEngine) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, socketTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://engine/_ping", nil)
	if err != nil {
		return err
	}
	res, err := e.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answers %s", res.Status)
	}
	return nil
}
