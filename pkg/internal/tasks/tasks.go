// Package tasks runs the parts of the daemon side by side and ends them together.
package tasks

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// A Task is one part of the daemon.
type Task struct {
	// Name stands before the errors of Run.
	Name string
	// Run does the work until ctx ends, and then returns nil. It returns earlier
	// only if there is nothing left to do, or with an error that says why it
	// cannot go on. A panic in it is not recovered: the supervisor starts a
	// daemon that crashed again, but not one that hangs on half its parts.
	Run func(ctx context.Context) error
}

// Run starts all tasks at once and returns when all of them have. The first to
// return, with or without an error, ends the context of the others, as does the
// end of ctx. The result joins the errors in the order of tasks, each wrapped
// under the name of its task; it is nil if there are none.
func Run(ctx context.Context, tasks ...Task) error {
	ctx, end := context.WithCancel(ctx)
	defer end()
	errs := make([]error, len(tasks))
	var running sync.WaitGroup
	for i, task := range tasks {
		running.Go(func() {
			defer end()
			if err := task.Run(ctx); err != nil {
				errs[i] = fmt.Errorf("%s: %w", task.Name, err)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}
