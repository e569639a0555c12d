package moatd_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/daemontest"
)

// dock is a ContainerChecker that knows of the containers that have ended.
type dock []string

func (d dock) IsContainerRunning(_ context.Context, id string) (bool, error) {
	return !slices.Contains(d, id), nil
}

func TestARunWhoseContainerIsGoneGoesAtTheStart(t *testing.T) {
	d := daemontest.New(t)
	d.Start()
	for _, id := range []string{"lives", "ended", "bare"} {
		token := d.Register(daemon.RegisterRequest{RunID: id})
		if err := d.Client.RegisterRoutes(t.Context(), id, map[string]string{"web": "127.0.0.1:1"}); err != nil {
			t.Fatal(err)
		}
		if id == "bare" {
			continue
		}
		if err := d.Client.UpdateRun(t.Context(), token, id); err != nil {
			t.Fatal(err)
		}
	}
	d.Stop()
	d.Containers = dock{"ended"}
	for range 2 { // the second time neither the run nor its routes are on disk any more
		d.Start()
		var runs, agents []string
		for soon := time.Now().Add(10 * time.Second); time.Now().Before(soon); {
			if runs, agents = present(t, d); len(runs) == 2 && len(agents) == 2 {
				break
			}
		}
		if !slices.Equal(runs, []string{"lives", "bare"}) || !slices.Equal(agents, []string{"bare", "lives"}) {
			t.Errorf("the runs are %v, and %v have routes, want lives and bare", runs, agents)
		}
		d.Stop()
	}
}

// present returns the ids of the runs and the agents that have routes.
func present(t *testing.T, d *daemontest.Daemon) (runs, agents []string) {
	t.Helper()
	list, err := d.Client.ListRuns(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	routes, err := d.Client.ListRoutes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range list {
		runs = append(runs, r.RunID)
	}
	for _, r := range routes {
		agents = append(agents, r.Agent)
	}
	return runs, agents
}

func TestWhatAnOlderProgramLeftComesAlongOnce(t *testing.T) {
	d := daemontest.New(t)
	for name, text := range map[string]string{
		"runs.json":   `{"version":1,"runs":[{"auth_token":"token-of-a","run_id":"a","container_id":"c1"}]}`,
		"routes.json": `{"app":{"web":"127.0.0.1:8081"},"..":{"web":"127.0.0.1:8082"}}`,
		"daemon.lock": `{`,
	} {
		if err := os.WriteFile(filepath.Join(d.Settings.Home, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.Start()
	h, err := d.Client.Health(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	problems := strings.Join(h.Problems, "\n")
	if h.RunCount != 1 || !strings.Contains(problems, "daemon.lock") || !strings.Contains(problems, `the routes of ".."`) {
		t.Errorf("%d runs and the problems %q, want one, and what became of the lock and of an agent without a name", h.RunCount, problems)
	}
	routes, err := d.Client.ListRoutes(t.Context())
	if err != nil || len(routes) != 1 || routes[0].Services["web"] != "127.0.0.1:8081" {
		t.Errorf("the routes are %+v (%v), want those of app", routes, err)
	}
	if err = d.Client.UnregisterRun(t.Context(), "token-of-a"); err != nil {
		t.Errorf("the run's token of before: %v", err)
	}
	d.Stop()
	d.Start()
	if h, err = d.Client.Health(t.Context()); err != nil || h.RunCount != 0 || len(h.Problems) != 0 {
		t.Errorf("the second daemon says %+v (%v), want no run: it was unregistered, and the file is not read again", h, err)
	}
}
