package moatd_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"sync"
	"testing"

	"github.com/moatd/moatd/pkg/daemon"
)

var kills = flag.Int("kills", 50, "how often TestKilledDaemonLosesNothing kills the daemon")

// A held is what a client was told of one run that must be there.
type held struct {
	token     string
	container string // "" if none was acknowledged
	routed    bool   // its routes were acknowledged
}

// A ledger is what one client was told: which of its runs must be there, and
// which must not.
type ledger struct {
	present map[string]held // by run id, of acknowledged registrations
	gone    []string        // ids of acknowledged removals
}

// work registers, changes and unregisters runs until ctx ends. A call that
// fails was not acknowledged: both outcomes are right.
func (l *ledger) work(ctx context.Context, c *daemon.Client, name string, acks chan<- struct{}) {
	for i := 0; ctx.Err() == nil; i++ {
		id := fmt.Sprintf("%s-%d", name, i)
		call := context.WithoutCancel(ctx) // a call that has begun is not taken back
		res, err := c.RegisterRun(call, daemon.RegisterRequest{RunID: id})
		if err != nil {
			continue
		}
		l.acked(ctx, acks)
		l.present[id] = l.change(call, c, i, held{token: res.AuthToken}, id)
		if i%2 == 1 {
			continue // every other run stays
		}
		delete(l.present, id)
		if err := c.UnregisterRun(call, res.AuthToken); err != nil && !errors.Is(err, daemon.ErrRunNotFound) {
			continue
		}
		l.acked(ctx, acks)
		l.gone = append(l.gone, id)
	}
}

// change makes one further change of a run, one kind after the other.
func (*ledger) change(ctx context.Context, c *daemon.Client, i int, h held, id string) held {
	switch i % 8 {
	case 0, 1:
		if c.UpdateRun(ctx, h.token, "c-"+id) == nil {
			h.container = "c-" + id
		}
	case 2, 3:
		h.routed = c.RegisterRoutes(ctx, id, map[string]string{"web": "127.0.0.1:1"}) == nil
	case 4, 5:
		c.RegisterRun(ctx, daemon.RegisterRequest{RunID: id, AuthToken: h.token}) // the run is there either way
	}
	return h
}

// check compares what the client was told with the runs that there are.
func (l *ledger) check(t *testing.T, have state) {
	t.Helper()
	for id, h := range l.present {
		run, ok := have.runs[id]
		switch {
		case !ok:
			t.Errorf("run %s was acknowledged, and is lost", id)
		case h.container != "" && run.ContainerID != h.container:
			t.Errorf("container %s was acknowledged, and run %s has %q", h.container, id, run.ContainerID)
		case h.routed && !have.routed[id]:
			t.Errorf("the routes of run %s were acknowledged, and are lost", id)
		}
	}
	for _, id := range l.gone {
		if _, ok := have.runs[id]; ok || have.routed[id] {
			t.Errorf("the removal of run %s was acknowledged, and is undone (routes: %t)", id, have.routed[id])
		}
	}
}

// acked tells the test of an acknowledgement, while it listens.
func (*ledger) acked(ctx context.Context, acks chan<- struct{}) {
	select {
	case acks <- struct{}{}:
	case <-ctx.Done():
	}
}

// Eight clients register, change and unregister runs while the daemon is killed again and
// again. What was acknowledged holds, over every kill.
func TestKilledDaemonLosesNothing(t *testing.T) {
	const clients = 8
	const between = 40 // acknowledgements from one kill to the next
	p := newProcess(t)
	p.handOver()
	ledgers := make([]ledger, clients)
	for i := range ledgers {
		ledgers[i] = ledger{present: make(map[string]held)}
	}
	total := 0 // of the acknowledgements that hold, after the last round
	p.start()
	for round := range *kills {
		acks := make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for i := range ledgers {
			wg.Go(func() {
				ledgers[i].work(ctx, daemon.NewClient(p.sock), fmt.Sprintf("%d-%d", round, i), acks)
			})
		}
		for range between {
			<-acks
		}
		p.kill()
		stop()
		p.start() // it answers the calls that wait in the backlog, too
		wg.Wait()
		have, sum := p.state(t.Context()), 0
		for i := range ledgers {
			ledgers[i].check(t, have)
			sum += len(ledgers[i].present) + 2*len(ledgers[i].gone)
		}
		total = sum
		if t.Failed() {
			t.Fatalf("after %d kills", round+1)
		}
	}
	p.end()
	t.Logf("%d kills under %d clients, %d acknowledged changes were checked after each: none lost, none undone", *kills, clients, total)
}
