package grants

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A change is reported after quiet without another, or after atMost although
// others go on.
const (
	quiet  = 100 * time.Millisecond
	atMost = time.Second
)

// Watch calls changed when files in dirs, which must exist, were changed, made
// or removed: credentials granted and revoked, providers edited. It calls it
// once at the start too, as soon as it sees changes, so that none is missed
// between an earlier look and the first event. A burst counts as one change: it
// is reported after 100 ms of quiet, or after 1 s. Files whose names begin
// with a dot do not count, nor do the files in directories below.
//
// It calls changed by itself and waits for it. It blocks until ctx ends, then
// returns nil; it returns an error if it cannot watch, or one of dirs is gone.
func Watch(ctx context.Context, dirs []string, changed func()) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch files: %w", err)
	}
	defer w.Close()
	clean := make([]string, 0, len(dirs))
	for _, dir := range dirs {
		if err := w.Add(dir); err != nil {
			return fmt.Errorf("watch %s: %w", dir, err)
		}
		clean = append(clean, filepath.Clean(dir))
	}
	changed()
	return watch(ctx, w, clean, changed)
}

// watch is Watch, once the watcher stands.
func watch(ctx context.Context, w *fsnotify.Watcher, dirs []string, changed func()) error {
	var burst burst
	for {
		select {
		case <-ctx.Done():
			return nil
		case ev := <-w.Events:
			if slices.Contains(dirs, filepath.Clean(ev.Name)) && ev.Op&(fsnotify.Remove|fsnotify.Rename) != 0 {
				changed()
				return fmt.Errorf("watch %s: the directory is gone", ev.Name)
			}
			if !strings.HasPrefix(filepath.Base(ev.Name), ".") {
				burst.event(time.Now())
			}
		case err := <-w.Errors:
			if !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch files: %w", err)
			}
			burst.event(time.Now()) // events were lost, so there were some
		case <-burst.due:
			burst.due = nil
			changed()
		}
	}
}

// burst is the events that have not been reported yet.
type burst struct {
	due   <-chan time.Time // nil if there are none
	first time.Time
}

func (b *burst) event(now time.Time) {
	if b.due == nil {
		b.first = now
	}
	b.due = time.After(min(quiet, b.first.Add(atMost).Sub(now)))
}
