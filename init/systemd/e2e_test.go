//go:build e2e

// Package systemd_test installs moatd into a machine with a real systemd, see the
// script box, and holds the units and the daemon to what they promise together.
//
//	go test -tags e2e ./init/systemd
//
// needs root on a Debian and skips elsewhere; with MOATD_E2E_REQUIRED=1 it fails
// instead. With MOATD_E2E_KEEP=1 the box stays up, to look around in with
// `MOATD_BOX_NAME=e2e init/systemd/box exec --user bash`.
package systemd_test

import "testing"

// TestRealSystemd runs on one machine, in this order: what is read last has seen
// everything that happened before.
func TestRealSystemd(t *testing.T) {
	m := boot(t)
	install(t, m)
	for _, promise := range []struct {
		name string
		test func(*testing.T, machine)
	}{
		{"the units are beyond reproach", testVerify},
		{"the API socket is there before the daemon, for its user alone", testSocketFirst},
		{"the first call starts the daemon", testFirstCall},
		{"start by hand ends when the daemon is ready", testStart},
		{"a run's requests reach the origin with the credential", testRequests},
		{"a run's lines in the journal are found by its id", testJournal},
		{"reload keeps the process and its runs", testReload},
		{"stop lets a request in flight end", testStopDrains},
		{"kill -9 refuses nothing and forgets no run", testKill},
		{"restart and upgrade refuse nothing and forget no run", testRestart},
		{"a daemon that hangs is replaced", testWatchdog},
		{"a crash loop is slow, closes no socket and loses no client", testCrashLoop},
		{"a daemon that must not be restarted does not spin", testPermanentFailure},
		{"a run goes on after a reboot", testReboot},
		{"a run goes on after the plug was pulled", testPlugPulled},
		{"what the unit forbids is forbidden", testHardening},
		{"a daemon in an odd place starts", testOddPlace},
		{"without runs the daemon leaves, and comes back when called", testIdleExit},
		{"no secret is in the journal or in a file", testNoSecrets},
	} {
		t.Run(promise.name, func(t *testing.T) { promise.test(t, m) })
	}
}
