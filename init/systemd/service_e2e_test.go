//go:build e2e

package systemd_test

import "testing"

// TestInstall has moatd install itself, as a plain user, in a machine of its own.
func TestInstall(t *testing.T) {
	m := boot(t)
	m.pushPrograms(t)
	t.Run("install, use and uninstall, twice", m.testServiceLife)
}

// pushPrograms puts moat and moatd where a user without a package has them.
func (m machine) pushPrograms(t *testing.T) {
	t.Helper()
	bin := build(t)
	for _, name := range []string{"moat", "moatd", "boxload", "boxorigin"} {
		m.push(t, bin+"/"+name, "/usr/local/bin/"+name)
	}
}

func (m machine) testServiceLife(t *testing.T) {
	t.Log(m.tryAsUser("moat", "daemon", "install"))
}
