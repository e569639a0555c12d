package doctor_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/daemontest"
	"github.com/moatd/moatd/pkg/internal/doctor"
	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// manager is a service manager that has what it says.
type manager struct {
	supervisor.Supervisor
	status supervisor.Status
	err    error
	hang   chan struct{} // not nil: Status returns when it is closed, or with its context
}

func (m manager) Status(ctx context.Context) (supervisor.Status, error) {
	if m.hang != nil {
		select {
		case <-m.hang:
		case <-ctx.Done():
			return supervisor.Status{}, ctx.Err()
		}
	}
	return m.status, m.err
}

func (m manager) Logs(context.Context, supervisor.LogOptions) error { return nil }

// patience is long for what answers, and short for what hangs.
const patience = time.Second

func examine(t *testing.T, d *daemontest.Daemon, m manager) map[string]doctor.Result {
	t.Helper()
	results := make(map[string]doctor.Result)
	for _, r := range doctor.Examine(t.Context(), doctor.Options{Settings: d.Settings, Supervisor: m, Version: "test", Patience: patience}) {
		if _, twice := results[r.Name]; twice || r.Name == "" || r.Topic == "" {
			t.Errorf("the check %q of topic %q is there twice, or without a name", r.Name, r.Topic)
		}
		results[r.Name] = r
	}
	return results
}

func TestADaemonInTheForegroundIsAllRight(t *testing.T) {
	d := daemontest.Start(t)
	d.Grant("github", "p4ss")
	results := examine(t, d, manager{status: supervisor.Status{Supervisor: "none"}, err: supervisor.ErrUnavailable})
	for _, name := range []string{"daemon", "one-daemon", "version", "proxy-port", "routing-port", "proxy-answers", "api-socket", "home", "database", "ca", "ca-bundle", "store-key", "credentials", "config"} {
		if r := results[name]; r.Status != doctor.OK {
			t.Errorf("%s: %s, %s; want ok", name, r.Status, r.Detail)
		}
	}
}

func TestLookingChangesNothing(t *testing.T) {
	d := daemontest.New(t)
	if err := os.Remove(d.Settings.Home); err != nil {
		t.Fatal(err)
	}
	examine(t, d, manager{status: supervisor.Status{Supervisor: "none"}, err: supervisor.ErrUnavailable})
	if _, err := os.Stat(d.Settings.Home); err == nil {
		t.Errorf("the doctor has made %s", d.Settings.Home)
	}
	d.Start()
	d.Stop()
	before := tree(t, d.Settings.Home)
	examine(t, d, manager{status: supervisor.Status{Supervisor: "none"}, err: supervisor.ErrUnavailable})
	if after := tree(t, d.Settings.Home); !slices.Equal(before, after) {
		t.Errorf("the doctor has changed the state:\nbefore %q\nafter  %q", before, after)
	}
}

// tree lists the files below dir, with their modes and times.
func tree(t *testing.T, dir string) (list []string) {
	t.Helper()
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil {
			list = append(list, fmt.Sprint(path, info.Mode(), info.Size(), info.ModTime().UnixNano()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestADaemonThatDoesNotRunIsNotStarted(t *testing.T) {
	d := daemontest.New(t)
	results := examine(t, d, manager{status: supervisor.Status{
		Supervisor: "systemd", Installed: true, Enabled: true, State: "inactive",
		Sockets: []supervisor.SocketStatus{{Name: "api", State: "active", Enabled: true, Listen: []string{d.Settings.APISocket}}},
	}})
	if r := results["daemon"]; r.Status != doctor.OK || r.Detail != "it does not run; the first connection starts it" {
		t.Errorf("daemon: %s, %s; want ok, and nobody asked", r.Status, r.Detail)
	}
	if r := results["api-socket"]; r.Status != doctor.Fail {
		t.Errorf("api-socket: %s, %s; want a fault: there is no file", r.Status, r.Detail)
	}
}

func TestAServiceManagerThatHangsIsOneFault(t *testing.T) {
	d := daemontest.Start(t)
	results := examine(t, d, manager{hang: make(chan struct{})})
	if r := results["service-manager"]; r.Status != doctor.Fail {
		t.Errorf("service-manager: %s, %s; want a fault", r.Status, r.Detail)
	}
	for name, r := range results {
		if r.Status == doctor.Fail && name != "service-manager" {
			t.Errorf("%s: fault %q, want only that of the service manager", name, r.Detail)
		}
	}
	if r := results["daemon"]; r.Status != doctor.OK {
		t.Errorf("daemon: %s, %s; want ok all the same", r.Status, r.Detail)
	}
}
