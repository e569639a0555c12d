package supervisor_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/moatd/moatd/pkg/internal/supervisor"
)

func TestRun_returnsWhatServeDoes(t *testing.T) {
	mine := errors.New("mine")
	for _, want := range []error{nil, mine} {
		got := supervisor.Run(t.Context(), func(context.Context) error { return want })
		if !errors.Is(got, want) || got != want { //nolint:errorlint // it is passed on as it is
			t.Errorf("Run = %v, want %v, as it is", got, want)
		}
	}
}

func TestRun_waitsForServeToDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		drained := make(chan struct{})
		ended := make(chan error)
		go func() {
			ended <- supervisor.Run(ctx, func(ctx context.Context) error {
				<-ctx.Done()
				<-drained
				return nil
			})
		}()
		cancel()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("Run returned %v before serve did", err)
		default:
		}
		close(drained)
		if err := <-ended; err != nil {
			t.Errorf("Run = %v, want nil", err)
		}
	})
}

func ExampleRun() {
	err := supervisor.Run(context.Background(), func(context.Context) error {
		fmt.Println("serving")
		return nil
	})
	fmt.Println(err)
	// Output:
	// serving
	// <nil>
}
