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

// A ledger is what one client was told: which of its runs must be there, and
// which must not.
type ledger struct {
	present map[string]string // token by run id, of acknowledged registrations
	gone    []string          // ids of acknowledged removals
	unsure  map[string]bool   // ids of changes that were under way when the daemon died
}

// work registers and unregisters until ctx ends. A call that fails was not
// acknowledged: both outcomes are right.
func (l *ledger) work(ctx context.Context, c *daemon.Client, name string, acks chan<- struct{}) {
	for i := 0; ctx.Err() == nil; i++ {
		id := fmt.Sprintf("%s-%d", name, i)
		res, err := c.RegisterRun(context.WithoutCancel(ctx), daemon.RegisterRequest{RunID: id})
		if err != nil {
			l.unsure[id] = true
			continue
		}
		l.acked(ctx, acks)
		l.present[id] = res.AuthToken
		if i%2 == 1 {
			continue // every other run stays
		}
		delete(l.present, id)
		if err := c.UnregisterRun(context.WithoutCancel(ctx), res.AuthToken); err != nil && !errors.Is(err, daemon.ErrRunNotFound) {
			l.unsure[id] = true
			continue
		}
		l.acked(ctx, acks)
		l.gone = append(l.gone, id)
	}
}

// acked tells the test of an acknowledgement, while it listens.
func (*ledger) acked(ctx context.Context, acks chan<- struct{}) {
	select {
	case acks <- struct{}{}:
	case <-ctx.Done():
	}
}

// check compares what the client was told with the runs that there are.
func (l *ledger) check(t *testing.T, have map[string]bool) {
	t.Helper()
	for id := range l.present {
		if !have[id] {
			t.Errorf("run %s was acknowledged, and is lost", id)
		}
	}
	for _, id := range l.gone {
		if have[id] {
			t.Errorf("the removal of run %s was acknowledged, and is undone", id)
		}
	}
}

// Eight clients register and unregister while the daemon is killed again and
// again. What was acknowledged holds, over every kill.
func TestKilledDaemonLosesNothing(t *testing.T) {
	const clients = 8
	const between = 40 // acknowledgements from one kill to the next
	p := newProcess(t)
	p.handOver()
	ledgers := make([]ledger, clients)
	for i := range ledgers {
		ledgers[i] = ledger{present: make(map[string]string), unsure: make(map[string]bool)}
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
		have, sum := p.runs(t.Context()), 0
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
