package daemon

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestStartTokenRefresh(t *testing.T) {
	const host = "github.example"
	for _, tt := range []struct {
		name   string
		grants []string // to refresh
		before func(ctx context.Context, r *Registry, rc *RunContext)
		want   string // the credential, two minutes after it changed
	}{
		{"a run gets what its grants are now", []string{"github"}, func(context.Context, *Registry, *RunContext) {}, "Bearer new"},
		{"no grants", nil, func(context.Context, *Registry, *RunContext) {}, "Bearer old"},
		{"a grant that is none of the run's", []string{"linear"}, func(context.Context, *Registry, *RunContext) {}, "Bearer old"},
		{"CancelRefresh ends it", []string{"github"}, func(_ context.Context, _ *Registry, rc *RunContext) { rc.CancelRefresh() }, "Bearer old"},
		{"the end of the run ends it", []string{"github"}, func(_ context.Context, r *Registry, rc *RunContext) { r.Unregister(rc.AuthToken) }, "Bearer old"},
		{"started twice it goes on once", []string{"github"}, func(ctx context.Context, _ *Registry, rc *RunContext) {
			StartTokenRefresh(ctx, rc, []string{"github"})
		}, "Bearer new"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVault(map[string]string{"github": "old"})
				r := NewRegistryWith(RegistryOptions{Granter: v})
				rc := NewRunContext("a")
				rc.AuthToken, rc.Grants = NewToken(), []string{"github"}
				r.restore(t.Context(), rc)
				ctx, cancel := context.WithCancel(t.Context())
				StartTokenRefresh(ctx, rc, tt.grants)
				tt.before(ctx, r, rc)
				v.set("github", "new")
				time.Sleep(2 * refreshInterval)
				synctest.Wait()
				if got, _ := rc.GetCredential(host); got.Value != tt.want {
					t.Errorf("two minutes after the credential changed the run has %q, want %q", got.Value, tt.want)
				}
				cancel() // synctest fails the test if a goroutine stays
			})
		})
	}
}

func TestTheRefreshOfARunThatIsNotRegisteredWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewRegistryWith(RegistryOptions{Granter: newVault(map[string]string{"github": "s3cret"})})
		rc := NewRunContext("a")
		rc.Grants = []string{"github"}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		StartTokenRefresh(ctx, rc, rc.Grants)
		time.Sleep(3 * refreshInterval)
		synctest.Wait()
		if _, ok := rc.GetCredential("github.example"); ok {
			t.Error("a run that is in no registry has a credential")
		}
		r.Register(rc)
		time.Sleep(2 * refreshInterval)
		synctest.Wait()
		if got, _ := rc.GetCredential("github.example"); got.Value != "Bearer s3cret" {
			t.Errorf("after it was registered the run has %q, want the credential of its grant", got.Value)
		}
	})
}
