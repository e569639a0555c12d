// Package initfiles holds what an init system has to know about moatd: the unit
// files for systemd, embedded so that the program can install itself.
//
// The files are the ones that a distribution's package installs as they are. Of
// all their lines only the daemon's path depends on where it was installed.
package initfiles

import (
	"embed"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

//go:embed systemd/*.socket systemd/*.service systemd/*.conf systemd/system
var files embed.FS

// packagedCommand is how the embedded service starts the daemon: the place where
// a distribution's package puts it.
const packagedCommand = "ExecStart=/usr/bin/moatd "

// UnitNames returns the names of the systemd units, in the order in which to
// install and enable them: sockets first, since they start the service.
func UnitNames() []string {
	return []string{"moatd.socket", "moatd-proxy.socket", "moatd-routing.socket", "moatd.service"}
}

// Unit returns the text of the systemd unit called name, one of [UnitNames],
// with exe as the daemon's executable. An exe of "/usr/bin/moatd" returns the
// file as it is packaged.
//
// It is an error if there is no such unit, or if exe is not an absolute, clean
// path of UTF-8 without the characters that systemd refuses in the name of an
// executable, however quoted: control characters, quotes and backslashes.
func Unit(name, exe string) (string, error) {
	return render("systemd", name, exe)
}

// SystemUnit is [Unit] for the system's manager: the daemon of the whole machine,
// which runs as the account moat.
func SystemUnit(name, exe string) (string, error) {
	return render("systemd/system", name, exe)
}

func render(dir, name, exe string) (string, error) {
	if err := checkExe(exe); err != nil {
		return "", err
	}
	text, err := files.ReadFile(path.Join(dir, name))
	if err != nil || !slices.Contains(UnitNames(), name) {
		return "", fmt.Errorf("no unit %q among moatd's", name)
	}
	return strings.Replace(string(text), packagedCommand, "ExecStart="+quote(exe)+" ", 1), nil
}

func checkExe(exe string) error {
	switch {
	case !path.IsAbs(exe) || path.Clean(exe) != exe || exe == "/":
		return fmt.Errorf("executable %q is not an absolute, clean path", exe)
	case !utf8.ValidString(exe) || strings.ContainsAny(exe, `"'\`) || strings.ContainsFunc(exe, unicode.IsControl):
		return fmt.Errorf("executable %q has characters that systemd refuses", exe)
	}
	return nil
}

// quote writes exe as the first word of an Exec line: systemd.unit(5) for the
// percent sign, systemd.syntax(7) for the quotes, which only a space or a
// semicolon needs. A dollar stays, as the name of an executable is not expanded.
func quote(exe string) string {
	exe = strings.ReplaceAll(exe, "%", "%%")
	if !strings.ContainsFunc(exe, unicode.IsSpace) && !strings.Contains(exe, ";") {
		return exe
	}
	return `"` + exe + `"`
}
