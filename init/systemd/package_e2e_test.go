//go:build e2e

package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestPackage installs the deb into a machine, upgrades it under load, removes
// and purges it, in this order.
func TestPackage(t *testing.T) {
	m := boot(t)
	m.withoutMoat(t)
	last := lastRelease(t)
	m.push(t, deb(t, last+"-1-g0000001"), "/root/old.deb")
	m.push(t, deb(t, last+"-2-g0000002"), "/root/new.deb")
	before := m.everyFile(t)

	t.Run("where no systemd runs it installs, and goes", m.testPackageOffline)
	m.sameFiles(t, before, "installed and purged without systemd")
	m.apt(t, "install", "/root/old.deb")
	t.Run("a user who is logged in has the sockets, and no daemon", m.testPackageSockets)
	t.Run("an account of the system does not have them", m.testPackagePeople)
	t.Run("it works at once", m.testPackageWorks)
	t.Run("an upgrade under load refuses nothing and loses no run", m.testPackageUpgrade)
	t.Run("an upgrade starts no daemon", m.testPackageStarts)
	t.Run("removed, it is gone for everybody", m.testPackageRemove)
	t.Run("installed again, it is as it was", m.testPackageAgain)
	m.apt(t, "purge", "moatd")
	m.sameFiles(t, before, "purged")
	if got := m.asUser(t, "ls", "/home/moat/.moat/credentials"); got != "demo.sealed" {
		t.Errorf("credentials of the user after a purge: %q, want demo.sealed", got)
	}
}

// withoutMoat puts into m what the tests have besides moat: an origin, a load, and
// the user's provider for the origin.
func (m machine) withoutMoat(t *testing.T) {
	t.Helper()
	bin := build(t)
	for _, name := range []string{"boxorigin", "boxload"} {
		m.push(t, filepath.Join(bin, name), "/usr/local/bin/"+name)
	}
	m.installOrigin(t)
	m.asUser(t, "mkdir", "-m", "0700", "/home/moat/.moat")
	m.write(t, "/home/moat/.moat/config.yaml", "upstream_ca: "+originCert+"\n")
	m.write(t, "/home/moat/.moat/providers/demo.yaml", provider)
}

// lastRelease returns the newest version that the change log has.
func lastRelease(t *testing.T) string {
	t.Helper()
	log, err := os.ReadFile("../../CHANGELOG.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^## \[(\d[^\]]*)\]`).FindSubmatch(log)
	if m == nil {
		return "0.0.0"
	}
	return string(m[1])
}

// deb builds the package of the version that git would describe so.
func deb(t *testing.T, describe string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "../../packaging/build", dir, "deb")
	cmd.Env = append(os.Environ(), "VERSION="+describe, "PLATFORMS=linux/"+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("packaging/build deb: %v\n%s", err, out)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	if err != nil || len(files) != 1 {
		t.Fatalf("debs of %s: %q, %v; want one", describe, files, err)
	}
	return files[0]
}

// apt runs apt-get. There is no network to ask.
func (m machine) apt(t *testing.T, args ...string) {
	t.Helper()
	m.asRoot(t, append([]string{
		"env", "DEBIAN_FRONTEND=noninteractive",
		"apt-get", "--yes", "--allow-downgrades", "--quiet",
	}, args...)...)
}

// everyFile lists what is on the disk but for logs, caches and the database of
// dpkg itself.
func (m machine) everyFile(t *testing.T) string {
	t.Helper()
	return m.asRoot(t, "sh", "-c", `find / -xdev \( -path /proc -o -path /tmp -o -path /var/tmp -o -path /var/log -o -path /var/cache -o \
		-path /var/lib/dpkg -o -path /var/lib/apt -o -path /root -o -path '/home/moat/.*' -o -path /var/lib/systemd/timers \) -prune -o -print | sort`)
}

func (m machine) sameFiles(t *testing.T, before, when string) {
	t.Helper()
	had := map[string]bool{}
	for name := range strings.Lines(before + "\n") {
		had[name] = true
	}
	for name := range strings.Lines(m.everyFile(t) + "\n") {
		if !had[name] {
			t.Errorf("%s: %s is left", when, strings.TrimSpace(name))
		}
		delete(had, name)
	}
	for name := range had {
		t.Errorf("%s: %s is missing", when, strings.TrimSpace(name))
	}
}

// states returns the states of moat's sockets and the service, by the user's manager.
func (m machine) states(t *testing.T) string {
	t.Helper()
	var all []string
	for _, unit := range []string{"moatd.socket", "moatd-proxy.socket", "moatd-routing.socket", "moatd.service"} {
		all = append(all, m.property(t, unit, "UnitFileState")+"/"+m.property(t, unit, "ActiveState"))
	}
	return strings.Join(all, " ")
}

func (m machine) wantStates(t *testing.T, when, want string) {
	t.Helper()
	if got := m.states(t); got != want {
		t.Errorf("%s: the sockets and the service are %s, want %s", when, got, want)
	}
}
