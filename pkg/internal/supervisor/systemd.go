package supervisor

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	initfiles "github.com/moatd/moatd/init"
)

// systemd is the user's manager, or the system's.
type systemd struct {
	opts    Options
	run     commands
	runtime string // XDG_RUNTIME_DIR of the user
}

// Name implements [Supervisor].
func (s *systemd) Name() string { return "systemd" }

// ctl runs systemctl on the manager.
func (s *systemd) ctl(ctx context.Context, args ...string) (string, error) {
	return s.run.output(ctx, "systemctl", s.flags(args)...)
}

// flags makes the arguments of a command ask the right manager.
func (s *systemd) flags(args []string) []string {
	if s.opts.System {
		return args
	}
	return append([]string{"--user"}, args...)
}

// line is a command for the user to type.
func (s *systemd) line(args ...string) string {
	if s.opts.System {
		return "sudo systemctl " + strings.Join(args, " ")
	}
	return "systemctl --user " + strings.Join(args, " ")
}

// moat is a command of ours for the user to type.
func (s *systemd) moat(verb string) string {
	if s.opts.System {
		return "sudo moat daemon " + verb + " --system"
	}
	return "moat daemon " + verb
}

// unit returns the text of a unit.
func (s *systemd) unit(name, exe string) (string, error) {
	if s.opts.System {
		return initfiles.SystemUnit(name, exe)
	}
	return initfiles.Unit(name, exe)
}

// dirs are the directories of the manager in which units may lie.
type dirs struct {
	ours     string   // for those of this user, or of the system's administrator
	packages []string // of packages, and of an administrator for all users
}

// places asks the manager where its units lie: its XDG_CONFIG_HOME counts, and
// not that of this process.
func (s *systemd) places(ctx context.Context) (dirs, error) {
	if s.opts.System {
		return dirs{s.path("/etc/systemd/system"), []string{
			s.path("/usr/local/lib/systemd/system"), s.path("/usr/lib/systemd/system"), s.path("/lib/systemd/system"),
		}}, nil
	}
	out, err := s.ctl(ctx, "show", "--property=UnitPath", "--value")
	if err != nil {
		return dirs{}, err
	}
	var d dirs
	for dir := range strings.FieldsSeq(out) {
		switch {
		case d.ours == "" && filepath.Base(dir) == "user" && filepath.Base(filepath.Dir(dir)) == "systemd":
			d.ours = dir
		case s.packaged(dir + "/"):
			d.packages = append(d.packages, dir)
		}
	}
	if d.ours == "" {
		return dirs{}, fmt.Errorf("the user's systemd names no directory for units of the user: UnitPath=%q", out)
	}
	return d, nil
}

// packaged reports whether a unit's file is not the user's: of a package, or of
// an administrator for all users.
func (s *systemd) packaged(file string) bool {
	roots := []string{"/usr/", "/lib/", "/etc/"}
	if s.opts.System {
		roots = roots[:2]
	}
	return slices.ContainsFunc(roots, func(root string) bool { return strings.HasPrefix(file, s.path(root)+"/") })
}

// mayChange says what is missing to change the service: root, for the system's.
func (s *systemd) mayChange(verb string) error {
	if !s.opts.System || s.opts.UID == 0 {
		return nil
	}
	return &Problem{What: "the system's service is root's to change", Todo: s.moat(verb)}
}

// known returns the state of the units, and ErrNotInstalled if there are none.
func (s *systemd) known(ctx context.Context, verb string) (map[string]properties, error) {
	if err := s.mayChange(verb); err != nil {
		return nil, err
	}
	units, err := s.show(ctx)
	if err != nil {
		return nil, err
	}
	if !units[serviceUnit].loaded() {
		return nil, &Problem{What: ErrNotInstalled.Error(), Todo: s.moat("install"), Kind: ErrNotInstalled}
	}
	return units, s.unmasked(units)
}

// unmasked complains about units that the user, or an administrator, has masked.
// The routing socket may be: that is how to do without it.
func (s *systemd) unmasked(units map[string]properties) error {
	for _, name := range []string{serviceUnit, "moatd.socket", "moatd-proxy.socket"} {
		switch u := units[name]; {
		case u.get("LoadState") != "masked":
		case u.empty():
			return &Problem{What: name + " is empty, as a failed installation leaves it", Todo: s.moat("install")}
		default:
			return &Problem{What: name + " is masked, so that nothing can start it", Todo: s.line("unmask", name)}
		}
	}
	return nil
}
