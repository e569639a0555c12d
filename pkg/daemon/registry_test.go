package daemon

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTokensAreRandomHexOf64Digits(t *testing.T) {
	seen := make(map[string]bool)
	for range 1000 {
		token := NewRegistry().Register(NewRunContext("r"))
		if b, err := hex.DecodeString(token); err != nil || len(b) != tokenSize || seen[token] {
			t.Fatalf("Register = a token of %d characters (decoded: %v, seen before: %t), want 64 hex digits, new each time", len(token), err, seen[token])
		}
		seen[token] = true
	}
}

func TestRegistryHolds(t *testing.T) {
	at := func(id string, second int) *RunContext {
		rc := NewRunContext(id)
		rc.RegisteredAt = time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC)
		return rc
	}
	for _, tt := range []struct {
		name string
		do   func(*Registry)
		want []string // ids in order
	}{
		{"nothing at first", func(*Registry) {}, nil},
		{"runs in the order of their registration, then of their ids", func(r *Registry) {
			r.RegisterWithToken(at("c", 2), "tc")
			r.RegisterWithToken(at("b", 1), "tb")
			r.RegisterWithToken(at("a", 2), "ta")
		}, []string{"b", "a", "c"}},
		{"one run for a token: the last", func(r *Registry) {
			r.RegisterWithToken(at("a", 1), "t")
			r.RegisterWithToken(at("b", 2), "t")
		}, []string{"b"}},
		{"no run that was removed", func(r *Registry) {
			r.RegisterWithToken(at("a", 1), "ta")
			r.RegisterWithToken(at("b", 2), "tb")
			r.Unregister("ta")
			r.Unregister("ta")
			r.Unregister("never there")
		}, []string{"b"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewRegistry()
			tt.do(r)
			var got []string
			for _, rc := range r.List() {
				got = append(got, rc.RunID)
				if found, ok := r.Lookup(rc.AuthToken); !ok || found != rc {
					t.Errorf("Lookup(token of %s) = %v, %t; want that run", rc.RunID, found, ok)
				}
			}
			if d := cmp.Diff(tt.want, got); d != "" || r.Count() != len(tt.want) {
				t.Errorf("List (-want +got):\n%sCount() = %d, want %d", d, r.Count(), len(tt.want))
			}
		})
	}
}

func TestLookupOfAnUnknownTokenFindsNothing(t *testing.T) {
	r := NewRegistry()
	token := r.Register(NewRunContext("r"))
	for _, other := range []string{"", token[:63], token + "0", NewToken()} {
		if rc, ok := r.Lookup(other); ok {
			t.Errorf("Lookup(other token) = %v, true; want nothing", rc)
		}
		if d, ok := r.Snapshot(other); ok || d != nil {
			t.Errorf("Snapshot(other token) = %v, %t; want nothing", d, ok)
		}
	}
}

func TestUpdateContainerIDTellsWhetherThereIsTheRun(t *testing.T) {
	r, rc := NewRegistry(), NewRunContext("r")
	token := r.Register(rc)
	if ok := r.UpdateContainerID(token, "c1"); !ok || rc.GetContainerID() != "c1" {
		t.Errorf("UpdateContainerID(token) = %t, container %q; want true, c1", ok, rc.GetContainerID())
	}
	if r.UpdateContainerID("other", "c2") {
		t.Error("UpdateContainerID(other token) = true, want false")
	}
}

func TestARunThatIsNoLongerLiveIsNotRefreshed(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(r *Registry, token string)
	}{
		{"removed", func(r *Registry, token string) { r.Unregister(token) }},
		{"replaced", func(r *Registry, token string) { r.RegisterWithToken(NewRunContext("r"), token) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, rc := NewRegistry(), NewRunContext("r")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			rc.SetRefreshCancel(cancel)
			token := r.Register(rc)
			if tt.end(r, token); ctx.Err() == nil {
				t.Errorf("the refresh of a run that is %s goes on", tt.name)
			}
			rc.CancelRefresh() // may be called again
		})
	}
}

func TestReservations(t *testing.T) {
	run := func(id, token string) *RunContext {
		rc := NewRunContext(id)
		rc.AuthToken = token
		return rc
	}
	for _, tt := range []struct {
		name      string
		before    func(*Registry)
		id, token string
		want      string // text of the error, "" for none
	}{
		{"a new run", func(*Registry) {}, "a", "ta", ""},
		{"a run that registers again", func(r *Registry) { r.RegisterWithToken(run("a", ""), "ta") }, "a", "ta", ""},
		{
			"the id of a live run", func(r *Registry) { r.RegisterWithToken(run("a", ""), "t1") }, "a", "ta",
			"run exists: a is registered under another token; unregister it first, or choose another id",
		},
		{
			"the id of a run on its way", func(r *Registry) { _ = r.reserve(run("a", "t1")) }, "a", "ta",
			"run exists: a is registered under another token; unregister it first, or choose another id",
		},
		{"the id of a run that did not come", func(r *Registry) {
			_ = r.reserve(run("a", "t1"))
			r.release(run("a", "t1"))
		}, "a", "ta", ""},
		{
			"the token of another run", func(r *Registry) { r.RegisterWithToken(run("b", ""), "ta") }, "a", "ta",
			"run exists: the token belongs to b",
		},
		{"an id that two tokens had, of which one is left", func(r *Registry) {
			r.RegisterWithToken(run("a", ""), "t1")
			r.RegisterWithToken(run("a", ""), "t2")
			r.Unregister("t1")
		}, "a", "ta", "run exists: a is registered under another token; unregister it first, or choose another id"},
		{"a live run whose attempt to register again failed", func(r *Registry) {
			r.RegisterWithToken(run("a", ""), "t1")
			_ = r.reserve(run("a", "t1"))
			r.release(run("a", "t1"))
		}, "a", "ta", "run exists: a is registered under another token; unregister it first, or choose another id"},
		{"a registry that is closing", func(r *Registry) { r.closeIfEmpty() }, "a", "ta", "daemon is closing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewRegistry()
			tt.before(r)
			var got string
			if err := r.reserve(run(tt.id, tt.token)); err != nil {
				got = err.Error()
			}
			if got != tt.want {
				t.Errorf("reserve(%s) = %q, want %q", tt.id, got, tt.want)
			}
		})
	}
}

func TestSecretsAreToldBeforeUseAndOrdinaryTokensAreNot(t *testing.T) {
	var told []string
	r := NewRegistryWith(RegistryOptions{Seen: func(s string) { told = append(told, s) }})
	rc := NewRunContext("r")
	rc.SetCredential("a.example", "s3cret-1")
	rc.SetTokenSubstitution("b.example", "PLACE", "s3cret-2")
	r.RegisterWithToken(rc, "chosen-token")
	r.Register(NewRunContext("other"))
	slices.Sort(told)
	if d := cmp.Diff([]string{"chosen-token", "s3cret-1", "s3cret-2"}, told); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

func TestLookupsDuringChangesSeeWholeRuns(t *testing.T) {
	r := NewRegistry()
	token := r.Register(NewRunContext("fixed"))
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 200 {
				rc := NewRunContext(fmt.Sprint("w", w, "i", i))
				own := r.Register(rc)
				rc.SetCredential("a.example", own)
				if got, ok := r.Lookup(own); !ok || got != rc {
					t.Errorf("Lookup(own token) = %v, %t; want %v", got, ok, rc)
				}
				r.UpdateContainerID(own, "c")
				r.Unregister(own)
			}
		})
		wg.Go(func() {
			for range 200 {
				if d, ok := r.Snapshot(token); !ok || d.RunID() != "fixed" {
					t.Errorf("Snapshot(token) = %v, %t during changes", d, ok)
				}
				r.List()
				r.Degraded()
				<-time.After(0)
			}
		})
	}
	wg.Wait()
	if r.Count() != 1 {
		t.Errorf("Count() = %d after all are removed but one", r.Count())
	}
}
