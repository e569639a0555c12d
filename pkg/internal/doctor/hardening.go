package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// sandbox finds out whether the drop-in that needs user namespaces is possible
// here, and whether it is there.
func (s *scene) sandbox(context.Context) Verdict {
	if !s.managed() || s.status.Supervisor != "systemd" {
		return skip("moatd is no service of systemd here")
	}
	return judgeSandbox(s.sandboxed(), s.namespaces())
}

// sandboxed reports whether a drop-in of the service asks for namespaces.
func (s *scene) sandboxed() bool {
	for _, dir := range []string{s.unitDir(), s.path("etc/systemd/user"), s.path("usr/lib/systemd/user")} {
		files, err := filepath.Glob(filepath.Join(globQuote(dir), "moatd.service.d", "*.conf"))
		if err != nil {
			continue // it is no pattern
		}
		for _, path := range files {
			text, err := os.ReadFile(path)
			if err == nil && strings.Contains("\n"+string(text), "\nPrivateUsers=yes") {
				return true
			}
		}
	}
	return false
}

// namespaces returns why users have no namespaces here, "" if they have.
func (s *scene) namespaces() string {
	switch {
	case s.sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1":
		return "AppArmor keeps them from users (kernel.apparmor_restrict_unprivileged_userns)"
	case s.sysctl("kernel/unprivileged_userns_clone") == "0":
		return "the kernel keeps them from users (kernel.unprivileged_userns_clone)"
	case s.sysctl("user/max_user_namespaces") == "0":
		return "there are to be none (user.max_user_namespaces)"
	}
	if _, err := os.Stat(s.path("proc/self/ns/user")); err != nil {
		return "the kernel has none"
	}
	return ""
}

// sysctl returns a setting of the kernel, "" if it does not have it.
func (s *scene) sysctl(name string) string {
	value, err := os.ReadFile(s.path("proc/sys", name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(value))
}

// judgeSandbox judges whether the service is in a sandbox, and why it could not
// be, "" if it could.
func judgeSandbox(there bool, impossible string) Verdict {
	switch {
	case there && impossible != "":
		return fail("moat daemon install --sandbox=off", "the service is to run in namespaces of its own, and %s", impossible)
	case there:
		return ok("the service has namespaces of its own")
	case impossible != "":
		return ok("without namespaces, since %s; what needs none is in force", impossible)
	}
	return warn(fixInstall, "the service could have namespaces of its own, and has not")
}

// exposure asks systemd how exposed the service is, as it is installed.
func (s *scene) exposure(ctx context.Context) Verdict {
	if !s.managed() || s.status.Supervisor != "systemd" {
		return skip("moatd is no service of systemd here")
	}
	out, err := s.opts.Exec(ctx, "systemd-analyze", "--user", "--no-pager", "security", "moatd.service")
	if err != nil {
		return skip("systemd-analyze cannot tell: %v", err)
	}
	score, err := parseExposure(out)
	if err != nil {
		return skip("%v", err)
	}
	return judgeExposure(score)
}

// parseExposure reads the last line of systemd-analyze security:
// "→ Overall exposure level for moatd.service: 6.2 MEDIUM 😐".
func parseExposure(out string) (float64, error) {
	_, rest, ok := strings.Cut(out, "exposure level for ")
	_, rest, colon := strings.Cut(rest, ": ")
	number, _, _ := strings.Cut(rest, " ")
	score, err := strconv.ParseFloat(number, 64)
	if sound := score >= 0 && score <= 10; !ok || !colon || err != nil || !sound { // NaN is a number, too
		return 0, errors.New("systemd-analyze tells no exposure level")
	}
	return score, nil
}

// exposed is the level of our unit without namespaces, 6.2, and something for
// what later versions of systemd count.
const exposed = 7

func judgeExposure(score float64) Verdict {
	if score >= exposed {
		return warn(fixInstall, "systemd rates the exposure of the service %.1f of 10; the unit of this version has 6.2 or less", score)
	}
	return ok("%.1f of 10", score)
}
