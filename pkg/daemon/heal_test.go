package daemon

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// restored registers a run with the grants, as after a restart.
func restored(r *Registry, id string, grants ...string) *RunContext {
	rc := NewRunContext(id)
	rc.AuthToken, rc.Grants = "token of "+id, grants
	r.restore(context.Background(), rc)
	return rc
}

func TestHealTriesAgainWithBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := newVault(nil)
		begin := time.Now()
		var asked []time.Duration
		r := NewRegistryWith(RegistryOptions{Granter: v})
		restored(r, "a", "github")
		v.asked = func(string) { asked = append(asked, time.Since(begin)/time.Second) }
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		if err := r.Heal(ctx); err != nil {
			t.Errorf("Heal = %v after the end of its context, want nil", err)
		}
		want := []time.Duration{1, 3, 7, 15, 31, 63, 127, 255, 511, 811, 1111}
		if d := cmp.Diff(want, asked); d != "" {
			t.Errorf("seconds of the attempts (-want +got):\n%s", d)
		}
	})
}

func TestHeal(t *testing.T) {
	for _, tt := range []struct {
		name      string
		meanwhile func(r *Registry, v *vault)
		after     time.Duration // when to look
		want      string
	}{
		{
			"a run is whole once its credential is there",
			func(_ *Registry, v *vault) { v.set("github", "s3cret") },
			2 * time.Second, "Authorization: Bearer s3cret",
		},
		{
			"other runs that come and go do not put it off",
			func(r *Registry, v *vault) {
				v.set("github", "s3cret")
				for i := range 100 {
					time.Sleep(100 * time.Millisecond)
					r.RegisterWithToken(NewRunContext(fmt.Sprint("other", i)), "t")
				}
			},
			2 * time.Second, "Authorization: Bearer s3cret",
		},
		{
			"the wait is short again for a later loss",
			func(r *Registry, v *vault) {
				time.Sleep(10 * time.Minute)
				v.set("github", "s3cret-1")
				r.Refresh(context.Background())
				time.Sleep(time.Millisecond)
				v.set("github", "")
				r.Refresh(context.Background())
				time.Sleep(time.Millisecond)
				v.set("github", "s3cret-2")
			},
			10*time.Minute + 1100*time.Millisecond, "Authorization: Bearer s3cret-2",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVault(nil)
				r := NewRegistryWith(RegistryOptions{Granter: v})
				rc := restored(r, "a", "github")
				ctx, cancel := context.WithCancel(t.Context())
				go func() { _ = r.Heal(ctx) }()
				go tt.meanwhile(r, v)
				time.Sleep(tt.after)
				synctest.Wait()
				if got := outcome(t, live(t, r, rc.AuthToken), "github.example"); got != tt.want {
					t.Errorf("a request gets %q, want %q", got, tt.want)
				}
				cancel()
				time.Sleep(time.Hour) // let meanwhile end
			})
		})
	}
}

func TestRefresh(t *testing.T) {
	lacks := "credential-unavailable: the credential for github.example:443 is not available: grant github: no credential; run `moat grant github`"
	for _, tt := range []struct {
		name         string
		before       map[string]string
		grants       []string
		after        string // secret of github, "" for revoked
		want         string // of a request to github.example
		elsewhere    string // of a request to other.example
		wantDegraded int
	}{
		{"a new credential reaches a live run", map[string]string{"github": "old"}, []string{"github"}, "new", "Authorization: Bearer new", "as it is", 0},
		{"one that was missing heals it", nil, []string{"github"}, "new", "Authorization: Bearer new", "as it is", 0},
		{"one that was revoked degrades it, for its hosts alone", map[string]string{"github": "old"}, []string{"github"}, "", lacks, "as it is", 1},
		{
			"a grant of an unknown provider refuses everything",
			map[string]string{"github": "old"},
			[]string{"github", "odd"},
			"new",
			"credential-unavailable: the credential for github.example:443 is not available: grant odd: no credential; run `moat grant odd`",
			"credential-unavailable: the credential for other.example:443 is not available: grant odd: no credential; run `moat grant odd`", 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := newVault(tt.before)
			r := NewRegistryWith(RegistryOptions{Granter: v})
			rc := restored(r, "a", tt.grants...)
			old := live(t, r, rc.AuthToken)
			was := outcome(t, old, "github.example")
			v.set("github", tt.after)
			if got := r.Refresh(t.Context()); got != tt.wantDegraded || len(r.Degraded()) != got {
				t.Errorf("Refresh = %d, Degraded() = %v; want %d runs", got, r.Degraded(), tt.wantDegraded)
			}
			for host, want := range map[string]string{"github.example": tt.want, "other.example": tt.elsewhere} {
				if got := outcome(t, live(t, r, rc.AuthToken), host); got != want {
					t.Errorf("a request to %s gets %q, want %q", host, got, want)
				}
			}
			if got := outcome(t, old, "github.example"); got != was {
				t.Errorf("a request under way gets %q, want still %q", got, was)
			}
		})
	}
}

func TestRefreshThatIsCutOffTakesNoCredential(t *testing.T) {
	v := newVault(map[string]string{"github": "s3cret"})
	r := NewRegistryWith(RegistryOptions{Granter: v})
	rc := restored(r, "a", "github")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if n := r.Refresh(ctx); n != 0 {
		t.Errorf("Refresh(ended context) = %d degraded, want 0", n)
	}
	if got, want := outcome(t, live(t, r, rc.AuthToken), "github.example"), "Authorization: Bearer s3cret"; got != want {
		t.Errorf("a request gets %q, want %q", got, want)
	}
}

func TestWhatWasFoundLastIsWhatCounts(t *testing.T) {
	v := newVault(map[string]string{"github": "old"})
	r := NewRegistryWith(RegistryOptions{Granter: v})
	rc := restored(r, "a", "github")
	var once sync.Once
	looked, goOn := make(chan struct{}), make(chan struct{})
	v.asked = func(string) { // between the look into the store and the use of what it had
		once.Do(func() {
			close(looked)
			<-goOn
		})
	}
	var both sync.WaitGroup
	both.Go(func() { r.Refresh(context.Background()) })
	<-looked
	v.set("github", "new")
	second := make(chan struct{})
	both.Go(func() {
		defer close(second)
		r.Refresh(context.Background())
	})
	select {
	case <-second: // it overtook the first
	case <-time.After(50 * time.Millisecond): // it waits for the first
	}
	close(goOn)
	both.Wait()
	if got, want := outcome(t, live(t, r, rc.AuthToken), "github.example"), "Authorization: Bearer new"; got != want {
		t.Errorf("a request gets %q, want %q", got, want)
	}
}

func TestWithoutACredentialStoreWhatARunBroughtStays(t *testing.T) {
	r := NewRegistry()
	rc := NewRunContext("a")
	rc.Grants = []string{"github"}
	rc.SetCredential("github.example", "Bearer own")
	token := r.Register(rc)
	if n := r.Refresh(t.Context()); n != 0 {
		t.Errorf("Refresh = %d degraded, want 0", n)
	}
	if got, want := outcome(t, live(t, r, token), "github.example"), "Authorization: Bearer own"; got != want {
		t.Errorf("a request gets %q, want %q", got, want)
	}
}
