//go:build e2e

package systemd_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	initfiles "github.com/moatd/moatd/init"
)

func (m machine) testVerify(t *testing.T) {
	args := append([]string{"systemd-analyze", "--user", "verify"}, initfiles.UnitNames()...)
	if got := m.tryAsUser(args...); got != (result{}) {
		t.Errorf("systemd-analyze verify: exit %d, printed %q; want silence", got.code, got.stdout+got.stderr)
	}
}

func (m machine) testSocketFirst(t *testing.T) {
	m.systemctl(t, "stop", "moatd.service")
	for _, tt := range []struct{ what, got, want string }{
		{"the service", m.property(t, "moatd.service", "ActiveState"), "inactive"},
		{"moatd.socket is", m.property(t, "moatd.socket", "UnitFileState"), "enabled"},
		{"moatd-proxy.socket is", m.property(t, "moatd-proxy.socket", "UnitFileState"), "enabled"},
		{"the socket", m.asRoot(t, "stat", "-c", "%a %U %F", socketPath), "600 moat socket"},
		{"its directory", m.asRoot(t, "stat", "-c", "%a %U %F", "/run/user/1000/moat"), "700 moat directory"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.what, tt.got, tt.want)
		}
	}
}

// Otherwise a thief could take the port while the daemon is down, and get tokens.
func (m machine) testPortIsKept(t *testing.T) {
	m.systemctl(t, "stop", "moatd.service")
	thief := m.tryAsUser("boxorigin", "-addr", "127.0.0.1:19080")
	if thief.code == 0 || !strings.Contains(thief.stderr, "address already in use") {
		t.Errorf("another server at the proxy's port: exit %d: %s; want address already in use", thief.code, thief.stderr)
	}
}

func (m machine) testFirstCall(t *testing.T) {
	m.systemctl(t, "stop", "moatd.service")
	health := m.call(t, "GET", "/v1/health", "", "200")
	var got struct {
		PID       int
		ProxyPort int `json:"proxy_port"`
	}
	decode(t, health, &got)
	if got.PID == 0 || got.ProxyPort != 19080 {
		t.Errorf("health: %s, want a pid and proxy_port 19080", health)
	}
	if state := m.property(t, "moatd.service", "ActiveState"); state != "active" {
		t.Errorf("after the first call the service is %s, want active", state)
	}
}

func (m machine) testStart(t *testing.T) {
	m.systemctl(t, "stop", "moatd.service")
	m.systemctl(t, "start", "moatd")
	if state := m.property(t, "moatd", "ActiveState"); state != "active" {
		t.Errorf("after systemctl start the service is %s, want active", state)
	}
	m.register(t, "run_start")
	eventually(t, "StatusText with the one run", func() bool {
		return strings.Contains(m.property(t, "moatd", "StatusText"), "1 run")
	})
	if status := m.asUser(t, "moat", "status", "--json"); !json.Valid([]byte(status)) {
		t.Errorf("moat status --json: %q is no JSON", status)
	}
}

func (m machine) testOddPlace(t *testing.T) {
	const exe = "/home/moat/an odd; place/$HOME/100%s moatd"
	text, err := initfiles.Unit("moatd.service", exe)
	if err != nil {
		t.Fatal(err)
	}
	m.asUser(t, "install", "-D", "/usr/bin/moatd", exe)
	m.write(t, "/home/moat/.config/systemd/user/moatd.service", text)
	defer func() {
		m.asUser(t, "rm", "/home/moat/.config/systemd/user/moatd.service")
		m.systemctl(t, "daemon-reload")
		m.systemctl(t, "restart", "moatd")
	}()
	m.systemctl(t, "daemon-reload")
	m.systemctl(t, "restart", "moatd")
	pid := m.property(t, "moatd", "MainPID")
	if got := m.asRoot(t, "readlink", "/proc/"+pid+"/exe"); got != exe {
		t.Errorf("executable of the service: %q, want %q", got, exe)
	}
}

// upgrade puts another file in the place of the daemon's, as a package manager does.
func (m machine) upgrade(t *testing.T) {
	t.Helper()
	m.asRoot(t, "sh", "-ec", "cp /usr/bin/moatd /usr/bin/moatd.new; mv /usr/bin/moatd.new /usr/bin/moatd")
}

func (m machine) testUpgradeIsNoticed(t *testing.T) {
	changed := func() bool {
		var health struct {
			Exe        string
			ExeChanged bool `json:"exe_changed"`
		}
		decode(t, m.call(t, "GET", "/v1/health", "", "200"), &health)
		if health.Exe != "/usr/bin/moatd" {
			t.Errorf("health: exe %q, want /usr/bin/moatd", health.Exe)
		}
		return health.ExeChanged
	}
	m.systemctl(t, "restart", "moatd")
	if changed() {
		t.Error("health: exe_changed after a restart")
	}
	m.upgrade(t)
	if !changed() {
		t.Error("health: no exe_changed after an upgrade")
	}
	eventually(t, "the upgrade in the status", func() bool {
		return strings.HasSuffix(m.property(t, "moatd", "StatusText"), "another moatd is installed: moat daemon restart")
	})
	m.systemctl(t, "restart", "moatd")
	if changed() {
		t.Error("health: exe_changed after the restart")
	}
}

func (m machine) testIdleExit(t *testing.T) {
	m.dropIn(t, "Environment=MOAT_IDLE_EXIT=1s\n")
	m.systemctl(t, "restart", "moatd")
	eventually(t, "exit of a daemon without runs", func() bool {
		return m.property(t, "moatd", "ActiveState") == "inactive"
	})
	if got := m.property(t, "moatd", "Result"); got != "success" {
		t.Errorf("result of the service: %s, want success", got)
	}
	m.pid(t)
	m.dropIn(t, "Environment=MOAT_IDLE_EXIT=100ms\n")
	m.systemctl(t, "restart", "moatd")
	start := time.Now()
	l, daemons := m.load(t, run{}, "-rate", "0"), map[string]bool{}
	eventually(t, "ten daemons, one after the other, that leave between two calls", func() bool {
		daemons[m.mainPID(t)] = true
		return len(daemons) > 10
	})
	m.held(t, l.end(), time.Since(start))
}
