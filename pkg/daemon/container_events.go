package daemon

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// The times between two attempts to hear an engine's events. An engine that was
// stopped and started is heard again before the user looks.
const (
	firstListen = 250 * time.Millisecond
	lastListen  = 5 * time.Second
)

// watch hears the events of all engines that have a socket. Whose container has
// ended is remembered: one that is removed at once is known to nobody any more.
func (c *CommandContainerChecker) watch(ctx context.Context, heard func(notice)) {
	var listeners sync.WaitGroup
	for _, e := range c.engines {
		if s, ok := e.(*socketEngine); ok {
			listeners.Go(func() {
				s.listen(ctx, func(n notice) {
					c.remember(s, n.names()...)
					heard(n)
				})
			})
		}
	}
	listeners.Wait()
}

// listen hears the events of one engine, and begins again with back-off when
// they break off, until ctx ends.
func (e *socketEngine) listen(ctx context.Context, heard func(notice)) {
	wait := firstListen
	for {
		if e.events(ctx, heard) {
			wait = firstListen
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, lastListen)
		case <-ctx.Done():
			return
		}
	}
}

// events tells heard of an engine that begins to tell, and of each container
// that ends, until the stream breaks off. It reports whether there was one.
func (e *socketEngine) events(ctx context.Context, heard func(notice)) bool {
	res, err := e.get(ctx, "/events", url.Values{"filters": {`{"type":["container"]}`}})
	if err != nil {
		return false // no engine, or one that is down; the checks find out what that means
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return false
	}
	heard(notice{})
	dec := json.NewDecoder(res.Body)
	for {
		var ev event
		if err := dec.Decode(&ev); err != nil {
			return true
		}
		if ev.ends() {
			heard(notice{id: ev.Actor.ID, name: ev.Actor.Attributes.Name})
		}
	}
}

// shortID is the length of the ids that commands print.
const shortID = 12

// names returns what runs may call the container.
func (n notice) names() []string {
	names := []string{n.id, n.name}
	if len(n.id) > shortID {
		names = append(names, n.id[:shortID])
	}
	return names
}

// event is what Docker's API says of a container.
type event struct {
	Action string
	Actor  struct {
		ID         string
		Attributes struct {
			Name string `json:"name"`
		}
	}
}

// ends reports whether the container may have ended. Podman has words of its own.
func (ev event) ends() bool {
	switch ev.Action {
	case "die", "died", "stop", "destroy", "remove":
		return ev.Actor.ID != ""
	}
	return false
}
