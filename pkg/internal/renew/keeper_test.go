package renew_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/renew"
)

// A world is a daemon of which nothing but the keeper is real.
type world struct {
	life time.Duration // of each secret; 0 for one without an end
	slow time.Duration // how long a renewal takes

	mu        sync.Mutex
	fail      error       // guarded by mu; what a renewal ends with
	asked     []time.Time // guarded by mu
	published int         // guarded by mu
	stored    *credential.Credential
	changed   chan struct{} // guarded by mu
}

// newWorld starts a keeper for a run with the grant g, until the test ends.
func newWorld(t *testing.T, life, slow time.Duration) (*world, *renew.Keeper) {
	t.Helper()
	w := &world{life: life, slow: slow, changed: make(chan struct{})}
	w.store(t.Context(), "first")
	k := renew.NewKeeper(renew.Options{
		Ask:     w.ask,
		Stored:  w.get,
		Grants:  func() []string { return []string{"g"} },
		Changed: func() <-chan struct{} { w.mu.Lock(); defer w.mu.Unlock(); return w.changed },
		Publish: func(context.Context, []string) { w.mu.Lock(); defer w.mu.Unlock(); w.published++ },
	})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- k.Run(ctx) }()
	synctest.Wait()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return w, k
}

// store puts a new secret into the store, whose fingerprints are those of a real one.
func (w *world) store(ctx context.Context, secret string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := &credential.Credential{
		Grant: "g", Secret: credential.Secret(secret), CreatedAt: time.Now(),
		Renewal: &credential.Renewal{Kind: credential.RenewalOAuth2},
	}
	if w.life > 0 {
		c.ExpiresAt = time.Now().Add(w.life)
	}
	if err := prints.Put(context.WithoutCancel(ctx), c); err != nil {
		panic(err)
	}
	w.stored = c
}

var prints = credential.NewMemStore()

func (w *world) grant(ctx context.Context, secret string) {
	w.store(ctx, secret)
	w.mu.Lock()
	defer w.mu.Unlock()
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *world) get(context.Context, string) (*credential.Credential, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := *w.stored
	return &c, nil
}

func (w *world) ask(ctx context.Context, _ renew.Request) (renew.Reply, error) {
	w.mu.Lock()
	w.asked = append(w.asked, time.Now())
	n, fail := len(w.asked), w.fail
	w.mu.Unlock()
	<-time.After(w.slow)
	if fail != nil {
		return renew.Reply{}, fail
	}
	w.store(ctx, "secret-"+strconv.Itoa(n))
	c, err := w.get(ctx, "g")
	return renew.Reply{Fingerprint: c.Fingerprint(), Expires: c.ExpiresAt, Refreshed: c.CreatedAt}, err
}

func (w *world) failWith(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail = err
}

func (w *world) count() (asked, published int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.asked), w.published
}

func TestSecretsAreRenewedBeforeTheyRunOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, k := newWorld(t, time.Hour, time.Second)
		<-time.After(24*time.Hour + 30*time.Minute)
		asked, published := w.count()
		if asked < 25 || asked > 27 || published != asked {
			t.Errorf("in a day: asked %d times, published %d times, want 26 or so", asked, published)
		}
		if k.Fresh(t.Context(), []string{"g"}) {
			t.Error("a request has waited")
		}
		if h := k.Health(); len(h) != 1 || h[0].State != renew.StateFresh || h[0].Due.IsZero() {
			t.Errorf("health: %+v", h)
		}
	})
}

// A hundred requests that come when the secret has run out wait for one renewal.
func TestRequestsWaitForOneRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, k := newWorld(t, time.Hour, 10*time.Minute)
		<-time.After(61 * time.Minute) // the renewal that was due after 55 minutes or so goes on
		begun := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if !k.Fresh(t.Context(), []string{"g"}) {
					t.Error("a request has not waited")
				}
			})
		}
		wg.Wait()
		if waited := time.Since(begun); waited > renew.WaitLimit {
			t.Errorf("waited %v, more than %v", waited, renew.WaitLimit)
		}
		if asked, _ := w.count(); asked != 1 {
			t.Errorf("asked %d times, want once", asked)
		}
	})
}

func TestFailuresEnd(t *testing.T) {
	for _, tt := range []struct {
		name     string
		err      error
		min, max int // attempts in a day
	}{
		{"a server that is down is asked ever more rarely", errors.New("down"), 20, 45},
		{"a grant that is not taken is asked for once", &renew.Error{Class: renew.Final, Text: "invalid_grant"}, 1, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, k := newWorld(t, time.Hour, 0)
				w.failWith(tt.err)
				<-time.After(24 * time.Hour)
				if asked, _ := w.count(); asked < tt.min || asked > tt.max {
					t.Errorf("in a day: asked %d times, want %d to %d", asked, tt.min, tt.max)
				}
				if k.Fresh(t.Context(), []string{"g"}) {
					t.Error("a request has waited for what will not come")
				}
				if h := k.Health()[0]; h.State != renew.StateFailing || h.Reason != tt.err.Error() {
					t.Errorf("health: %+v", h)
				}
				w.failWith(nil)
				w.grant(t.Context(), "granted anew")
				synctest.Wait()
				if h := k.Health()[0]; h.State != renew.StateFresh {
					t.Errorf("health after a new grant: %+v", h)
				}
			})
		})
	}
}

func TestRejected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, k := newWorld(t, 0, time.Second) // nobody knows when it ends
		<-time.After(time.Hour)
		sent := time.Now()
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if !k.Rejected(t.Context(), []string{"g"}, sent) {
					t.Error("there is no newer secret after a 401")
				}
			})
		}
		wg.Wait()
		if asked, _ := w.count(); asked != 1 {
			t.Errorf("a hundred 401s: asked %d times, want once", asked)
		}
		if !k.Rejected(t.Context(), []string{"g"}, sent) {
			t.Error("a late 401 to the old secret: want that there is a newer one")
		}
		if k.Rejected(t.Context(), []string{"g"}, time.Now()) {
			t.Error("a 401 to the new secret: want that it is the last word")
		}
		k.Used([]string{"g"}, 401)
		if h := k.Health()[0]; h.State != renew.StateFailing || h.Status != 401 || h.Used.IsZero() {
			t.Errorf("health after a 401: %+v", h)
		}
		k.Used([]string{"g"}, 200)
		if h := k.Health()[0]; h.State != renew.StateFresh || h.Status != 200 {
			t.Errorf("health after a 200: %+v", h)
		}
		if asked, _ := w.count(); asked != 1 {
			t.Errorf("asked %d times, want once", asked)
		}
	})
}
