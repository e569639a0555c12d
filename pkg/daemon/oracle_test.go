package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var operations = flag.Int("operations", 2000, "how many operations the oracle test does")

// modelRun is what the oracle knows of a run.
type modelRun struct{ ID, Container, Policy string }

// worker does random operations on runs of its own; it alone has their tokens.
type worker struct {
	name string
	rnd  *rand.Rand
	runs map[string]modelRun // by token
	next int
}

// request returns a request for the run with this token.
func request(token string) *http.Request {
	r := (&http.Request{Pattern: "oracle"}).WithContext(context.Background())
	r.SetPathValue("token", token)
	return r
}

func (w *worker) pick() (string, bool) {
	tokens := slices.Sorted(maps.Keys(w.runs))
	if len(tokens) == 0 {
		return "unknown", false
	}
	return tokens[w.rnd.IntN(len(tokens))], true
}

// step does one operation and says where server and model differ.
func (w *worker) step(s *Server) error {
	w.next++
	token, have := w.pick()
	policy := []string{"", "strict", "permissive"}[w.rnd.IntN(3)]
	switch op := w.rnd.IntN(8); op {
	case 0, 1, 2:
		id := fmt.Sprint(w.name, w.next)
		res, err := s.register(request(""), RegisterRequest{RunID: id, NetworkPolicy: policy, Credentials: []CredentialSpec{{"a.example", "X-Key", id, ""}}})
		w.runs[res.AuthToken] = modelRun{id, "", policy}
		return err
	case 3:
		if !have {
			return nil
		}
		id := w.runs[token].ID
		w.runs[token] = modelRun{id, "", policy}
		_, err := s.register(request(""), RegisterRequest{RunID: id, AuthToken: token, NetworkPolicy: policy})
		return err
	case 4:
		_, err := s.register(request(""), RegisterRequest{RunID: w.runs[token].ID})
		return expect(have, err, ErrRunExists, ErrBadRequest)
	case 5:
		container := fmt.Sprint("c", w.next)
		_, err := s.update(request(token), UpdateRunRequest{container})
		if have {
			w.runs[token] = modelRun{w.runs[token].ID, container, w.runs[token].Policy}
		}
		return expect(have, err, nil, ErrRunNotFound)
	default:
		_, err := s.unregister(request(token), empty{})
		delete(w.runs, token)
		return expect(have, err, nil, ErrRunNotFound)
	}
}

// expect compares err with what it is where the run is there, and where not.
func expect(have bool, err, there, not error) error {
	want := not
	if have {
		want = there
	}
	if !errors.Is(err, want) {
		return fmt.Errorf("got error %v, want %v", err, want)
	}
	return nil
}

// TestOracle does random operations, several at once, on a real store, and
// compares memory and disk with a map after each batch and each restart.
func TestOracle(t *testing.T) {
	const workers, batches = 4, 5
	dir, sealer, seed := t.TempDir(), newSealer(t), rand.Uint64()
	t.Logf("seed %d", seed)
	var all []*worker
	for i := range workers {
		all = append(all, &worker{name: fmt.Sprint("w", i, "-"), rnd: rand.New(rand.NewPCG(seed, uint64(i))), runs: make(map[string]modelRun)})
	}
	for range batches {
		st, r := openStore(t, dir), NewRegistry()
		p := NewStorePersister(st, sealer, r)
		if _, err := p.Restore(t.Context()); err != nil {
			t.Fatalf("Restore = %v", err)
		}
		compare(t, "after a restart", r, all)
		s := New(Options{Registry: r, Persister: p})
		var wg sync.WaitGroup
		for _, w := range all {
			wg.Go(func() {
				for range *operations / workers / batches {
					if err := w.step(s); err != nil {
						t.Errorf("worker %s, step %d: %v", w.name, w.next, err)
						return
					}
				}
			})
		}
		wg.Go(func() {
			for range 10 {
				if err := p.Save(); err != nil {
					t.Errorf("Save = %v", err)
				}
			}
		})
		wg.Wait()
		compare(t, "before a restart", r, all)
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func compare(t *testing.T, when string, r *Registry, all []*worker) {
	t.Helper()
	want, got := make(map[string]modelRun), make(map[string]modelRun)
	for _, w := range all {
		maps.Copy(want, w.runs)
	}
	for _, rc := range r.List() {
		got[rc.AuthToken] = modelRun{rc.RunID, rc.GetContainerID(), rc.NetworkPolicy}
	}
	if d := cmp.Diff(want, got); d != "" || r.Count() != len(want) || len(r.Degraded()) > 0 {
		t.Fatalf("%s: Count() = %d, degraded %v; runs (-model +registry):\n%s", when, r.Count(), r.Degraded(), d)
	}
}
