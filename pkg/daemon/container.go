package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
)

// A CommandContainerChecker asks the container engines of this machine: Docker
// and Podman over their sockets, and by their commands where there is no socket;
// on macOS Apple's container by its command. It is safe for concurrent use.
//
// It remembers which engine has a container, and asks no other about it again.
// So an engine that is down is not mistaken for a container that is gone, just
// because another engine has never heard of it.
type CommandContainerChecker struct {
	engines []engine

	mu    sync.Mutex
	homes map[string]engine // guarded by mu; by container, the engine that has it
}

// ContainerOptions say where the container engines are. The zero value of each
// is useful.
type ContainerOptions struct {
	// Sockets are paths of engines' sockets that there are for sure: while one
	// does not answer, containers that are not known elsewhere may be its own.
	Sockets []string
	// RuntimeDir is where engines without root have their sockets, as of
	// XDG_RUNTIME_DIR; "" means nowhere.
	RuntimeDir string
	// UserHome is where engines of desktops have theirs; "" means nowhere.
	UserHome string
}

// NewCommandContainerChecker returns a checker of the engines in their usual
// places.
func NewCommandContainerChecker() *CommandContainerChecker {
	return NewContainerChecker(ContainerOptions{RuntimeDir: fmt.Sprintf("/run/user/%d", os.Getuid())})
}

// NewContainerChecker returns a checker of the engines in their usual places and
// in those of opts.
func NewContainerChecker(opts ContainerOptions) *CommandContainerChecker {
	return &CommandContainerChecker{engines: enginesOf(opts, runtime.GOOS), homes: make(map[string]engine)}
}

// condition is what an engine says of a container.
type condition int

const (
	absent  condition = iota // it has none of this name
	alive                    // it runs, or may soon
	stopped                  // it has ended
)

// An engine has containers. It must be safe for concurrent use.
type engine interface {
	// present reports whether it is on this machine, so that it may have a
	// container of which nobody knows whose it is.
	present() bool
	// condition returns what the engine says of a container.
	condition(ctx context.Context, container string) (condition, error)
}

var (
	errNoEngine = errors.New("there is no container engine")
	errStrange  = errors.New("no engine calls a container so")
	errReturns  = errors.New("it has ended, and its engine will start it again")
)

// IsContainerRunning reports whether the container with this id, the beginning
// of one, or this name runs. A container that is paused or not started yet
// counts as running. The error means that it could not be found out: the engine
// that has it does not answer, or will start it again by itself.
func (c *CommandContainerChecker) IsContainerRunning(ctx context.Context, id string) (bool, error) {
	if !plainName(id) {
		return false, fmt.Errorf("ask about container %.80q: %w", id, errStrange)
	}
	found, err := c.ask(ctx, id)
	if err != nil {
		return false, fmt.Errorf("ask about container %.80s: %w", id, err)
	}
	return found == alive, nil
}

// ask returns the word of the engine that has the container; absent if all
// engines that there are say so.
func (c *CommandContainerChecker) ask(ctx context.Context, id string) (condition, error) {
	if home := c.home(id); home != nil {
		return home.condition(ctx, id)
	}
	failed := errNoEngine
	var errs []error
	for _, e := range c.engines {
		if !e.present() {
			continue
		}
		found, err := e.condition(ctx, id)
		if err == nil && found != absent {
			c.remember(e, id)
			return found, nil
		}
		failed, errs = nil, append(errs, err)
	}
	return absent, errors.Join(append(errs, failed)...)
}

func (c *CommandContainerChecker) home(id string) engine {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.homes[id]
}

func (c *CommandContainerChecker) remember(e engine, ids ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		c.homes[id] = e
	}
}

// keep forgets the engines of all containers but these.
func (c *CommandContainerChecker) keep(containers map[string]struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.homes {
		if _, ok := containers[id]; !ok {
			delete(c.homes, id)
		}
	}
}

// plainName reports whether s is of the characters of ids and names, so that it
// is neither an option of a command nor another path.
func plainName(s string) bool {
	for i, c := range []byte(s) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case i > 0 && (c == '_' || c == '.' || c == '-'):
		default:
			return false
		}
	}
	return s != ""
}
