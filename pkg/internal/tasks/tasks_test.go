package tasks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

var (
	errBoom = errors.New("boom")
	errSlow = errors.New("could not close")
)

// untilEnd is a task that ends when it is told to.
func untilEnd(ctx context.Context) error { <-ctx.Done(); return nil }

func fail(context.Context) error { return errBoom }

func TestRun(t *testing.T) {
	for _, tt := range []struct {
		name  string
		tasks []Task
		want  string // the error; "" for none
	}{
		{"no task is at once at its end", nil, ""},
		{"a failure ends the others", []Task{{"api", untilEnd}, {"proxy", fail}}, "proxy: boom"},
		{"a task without work left ends the others", []Task{{"api", untilEnd}, {"idle", func(context.Context) error { return nil }}}, ""},
		{"all errors are told, in the order of the tasks", []Task{{"b", fail}, {"a", fail}}, "b: boom\na: boom"},
		{"an error while ending is told", []Task{
			{"api", func(ctx context.Context) error { <-ctx.Done(); return errSlow }}, {"proxy", fail},
		}, "api: could not close\nproxy: boom"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := ""
				if err := Run(t.Context(), tt.tasks...); err != nil {
					got = err.Error()
				}
				if got != tt.want {
					t.Errorf("Run = %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestErrorsCanBeTestedFor(t *testing.T) {
	err := Run(t.Context(), Task{"proxy", fail}, Task{"api", func(ctx context.Context) error { <-ctx.Done(); return errSlow }})
	if !errors.Is(err, errBoom) || !errors.Is(err, errSlow) {
		t.Errorf("Run = %v, want both %v and %v in it", err, errBoom, errSlow)
	}
}

func TestRunWaitsForTheSlowest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		drain := func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(25 * time.Second)
			return nil
		}
		start := time.Now()
		err := Run(t.Context(), Task{"proxy", drain}, Task{"api", untilEnd}, Task{"store", fail})
		if d := time.Since(start); d != 25*time.Second || !errors.Is(err, errBoom) {
			t.Errorf("Run = %v after %v, want %v after 25s", err, d, errBoom)
		}
	})
}

func TestTheCallerEndsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, end := context.WithTimeout(t.Context(), time.Hour)
		defer end()
		start := time.Now()
		err := Run(ctx, Task{"api", untilEnd}, Task{"proxy", untilEnd})
		if d := time.Since(start); d != time.Hour || err != nil {
			t.Errorf("Run = %v after %v, want nil after 1h", err, d)
		}
	})
}

func TestAllStartBeforeOneEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		met := make(chan string)
		say := func(name string) Task {
			return Task{name, func(context.Context) error { met <- name; return nil }}
		}
		var got []string
		hear := func(context.Context) error {
			got = append(got, <-met, <-met)
			return nil
		}
		if err := Run(t.Context(), Task{"hear", hear}, say("a"), say("b")); err != nil {
			t.Errorf("Run = %v", err)
		}
		if slices.Sort(got); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("the tasks that ran side by side: %q, want a and b", got)
		}
	})
}

func ExampleRun() {
	err := Run(context.Background(),
		Task{"serve", func(ctx context.Context) error {
			<-ctx.Done()
			fmt.Println("serve: closing")
			return nil
		}},
		Task{"watch", func(context.Context) error { return errors.New("the disk is full") }},
	)
	fmt.Println(err)
	// Output:
	// serve: closing
	// watch: the disk is full
}
