package initfiles

import (
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// packagedHome is where the drop-in says that the state is, as %h/.moat.
const packagedHome = "%h/.moat"

// Sandbox returns the drop-in for the user's moatd.service that needs user
// namespaces, for the state in ~/.moat. A unit with it fails where there are
// none.
func Sandbox() string { return text("systemd/sandbox.conf") }

// SandboxFor is [Sandbox] for a daemon whose MOAT_HOME is home, which the service
// must also have in its environment.
//
// It is an error if home is not an absolute, clean path of UTF-8 without control
// characters, or is where the sandbox gives the service files of its own: in
// /tmp, /var/tmp, /dev, /proc or /sys.
func SandboxFor(home string) (string, error) {
	if err := checkHome(home); err != nil {
		return "", err
	}
	word := quoteWord(home)
	// In a command, unlike in a list of paths, a dollar would name a variable.
	return strings.NewReplacer(
		"0700 "+packagedHome, "0700 "+strings.ReplaceAll(word, "$", "$$"),
		packagedHome, word,
	).Replace(Sandbox()), nil
}

// Sysusers returns the snippet for systemd-sysusers that makes the account of
// the system's units.
func Sysusers() string { return text("systemd/system/moatd.sysusers") }

func checkHome(home string) error {
	switch {
	case !path.IsAbs(home) || path.Clean(home) != home || home == "/":
		return fmt.Errorf("state directory %q is not an absolute, clean path", home)
	case !utf8.ValidString(home) || strings.ContainsFunc(home, unicode.IsControl):
		return fmt.Errorf("state directory %q has characters that no unit file can have", home)
	}
	for _, dir := range []string{"/tmp", "/var/tmp", "/dev", "/proc", "/sys"} {
		if home == dir || strings.HasPrefix(home, dir+"/") {
			return fmt.Errorf("state directory %q: a confined service has a %s of its own; choose another, or install with --sandbox=off", home, dir)
		}
	}
	return nil
}

// quoteWord writes s as one word of a list: systemd.unit(5) for the percent
// sign, systemd.syntax(7) for the rest.
func quoteWord(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`).Replace(s) + `"`
}

// text returns an embedded file.
func text(name string) string {
	data, err := files.ReadFile(name)
	if err != nil {
		panic(err) // it is embedded
	}
	return string(data)
}
