package grants

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

func TestBurstsCountOnce(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	var long []time.Duration // an event each 70 ms up to 1,960
	for i := range 29 {
		long = append(long, ms(70*i))
	}
	for _, tt := range []struct {
		name         string
		events, want []time.Duration // since the start
	}{
		{"one event is reported after 100 ms", []time.Duration{0}, []time.Duration{ms(100)}},
		{"several are reported 100 ms after the last", []time.Duration{0, ms(60), ms(120)}, []time.Duration{ms(220)}},
		{"with quiet between them they are two", []time.Duration{0, ms(150)}, []time.Duration{ms(100), ms(250)}},
		{"what goes on is reported each second", long, []time.Duration{ms(1000), ms(2050)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &fsnotify.Watcher{Events: make(chan fsnotify.Event), Errors: make(chan error)}
				ctx, cancel := context.WithCancel(t.Context())
				start, done := time.Now(), make(chan error)
				var got []time.Duration
				go func() { done <- watch(ctx, w, nil, func() { got = append(got, time.Since(start)) }) }()
				for _, at := range tt.events {
					time.Sleep(time.Until(start.Add(at)))
					w.Events <- fsnotify.Event{Name: "/dir/file", Op: fsnotify.Write}
				}
				time.Sleep(time.Minute)
				cancel()
				if err := <-done; err != nil || !slices.Equal(got, tt.want) {
					t.Errorf("watch = %v, and changes at %v; want %v", err, got, tt.want)
				}
			})
		})
	}
}

func TestHiddenFilesDoNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fsnotify.Watcher{Events: make(chan fsnotify.Event), Errors: make(chan error)}
		ctx, cancel := context.WithCancel(t.Context())
		done, changes := make(chan error), 0
		go func() { done <- watch(ctx, w, []string{"/.dir"}, func() { changes++ }) }()
		for _, name := range []string{"/.dir/.tmp-1", "/.dir"} {
			w.Events <- fsnotify.Event{Name: name, Op: fsnotify.Create | fsnotify.Chmod}
		}
		time.Sleep(time.Minute)
		cancel()
		if err := <-done; err != nil || changes != 0 {
			t.Errorf("watch = %v after %d changes; want none", err, changes)
		}
	})
}

func TestErrorsOfTheWatcher(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &fsnotify.Watcher{Events: make(chan fsnotify.Event), Errors: make(chan error)}
		done, changes := make(chan error), 0
		go func() { done <- watch(t.Context(), w, nil, func() { changes++ }) }()
		w.Errors <- fsnotify.ErrEventOverflow
		time.Sleep(time.Minute)
		boom := errors.New("boom")
		w.Errors <- boom
		if err := <-done; !errors.Is(err, boom) || changes != 1 {
			t.Errorf("watch = %v after %d changes; want one, as events were lost, and %v", err, changes, boom)
		}
	})
}
