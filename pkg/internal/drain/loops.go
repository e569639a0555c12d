package drain

import (
	"context"
	"errors"
	"sync"
)

// Start runs the loops, the first of which to return calls end. The function
// that it returns waits for them all and joins their errors, but not those that
// came of the end of ctx.
func Start(ctx context.Context, end func(), loops ...func() error) (wait func() error) {
	errs := make([]error, len(loops))
	var running sync.WaitGroup
	for i, loop := range loops {
		running.Go(func() {
			defer end()
			if err := loop(); ctx.Err() == nil {
				errs[i] = err
			}
		})
	}
	return func() error {
		running.Wait()
		return errors.Join(errs...)
	}
}
