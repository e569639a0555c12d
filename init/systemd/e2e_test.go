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
	m.install(t)
	t.Run("the units are beyond reproach", m.testVerify)
	t.Run("the API socket is there before the daemon, for its user alone", m.testSocketFirst)
	t.Run("nobody else gets the proxy's port", m.testPortIsKept)
	t.Run("the first call starts the daemon", m.testFirstCall)
	t.Run("start by hand ends when the daemon is ready", m.testStart)
	t.Run("a run's requests reach the origin with the credential", m.testRequests)
	t.Run("a run's lines in the journal are found by its id", m.testJournal)
	t.Run("reload keeps the process and its runs", m.testReload)
	t.Run("stop lets a request in flight end", m.testStopDrains)
	t.Run("a drain may take longer than the unit says", m.testLongDrain)
	t.Run("kill -9 refuses nothing and forgets no run", m.testKill)
	t.Run("restart and upgrade refuse nothing and forget no run", m.testRestart)
	t.Run("a daemon that hangs is replaced", m.testWatchdog)
	t.Run("a daemon of which a part hangs is replaced", m.testStuck)
	t.Run("a crash loop is slow, closes no socket and loses no client", m.testCrashLoop)
	t.Run("a daemon that must not be restarted does not spin", m.testPermanentFailure)
	t.Run("a port that was taken is served once it is free", m.testTakenPort)
	t.Run("an upgrade is noticed", m.testUpgradeIsNoticed)
	t.Run("a run goes on after a reboot", m.testReboot)
	t.Run("a run goes on after the plug was pulled", m.testPlugPulled)
	t.Run("nobody else is in the memory of the daemon", m.testMemory)
	t.Run("the units are as little exposed as they say", m.testExposure)
	t.Run("a daemon in an odd place starts", m.testOddPlace)
	t.Run("without runs the daemon leaves, and comes back when called", m.testIdleExit)
	t.Run("no secret is in the journal or in a file", m.testNoSecrets)
}
