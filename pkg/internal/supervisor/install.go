package supervisor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	initfiles "github.com/moatd/moatd/init"
)

// installation is what one call of Install knows and has done.
type installation struct {
	*systemd
	opts   InstallOptions
	dirs   dirs
	before map[string]string     // what counts in the text of each unit, before any change
	units  map[string]properties // before any change
	done   Installed
}

// Install implements [Supervisor]. Sockets whose text stays the same stay open;
// a daemon that runs is restarted if its unit or its executable has changed.
func (s *systemd) Install(ctx context.Context, opts InstallOptions) (Installed, error) {
	in := &installation{systemd: s, opts: opts}
	for _, step := range []func(context.Context) error{
		in.check, in.look, in.account, in.write, in.load, in.converge, in.linger,
	} {
		if err := step(ctx); err != nil {
			return in.done, err
		}
	}
	return in.done, nil
}

func (in *installation) note(format string, args ...any) {
	in.done.Notes = append(in.done.Notes, fmt.Sprintf(format, args...))
}

// check looks at the options.
func (in *installation) check(context.Context) error {
	if err := in.mayChange("install"); err != nil {
		return err
	}
	info, err := os.Stat(in.opts.Exe)
	if err != nil {
		return fmt.Errorf("the daemon's executable: %w", err)
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("the daemon's executable %s is no program", in.opts.Exe)
	}
	if _, err := in.unit(serviceUnit, in.opts.Exe); err != nil {
		return err
	}
	for _, at := range in.opts.Listen {
		if err := checkListen(at); err != nil {
			return err
		}
		if !at.Addr().Unmap().IsPrivate() && !at.Addr().Unmap().IsLoopback() {
			in.note("%s is a public address: only the tokens of the runs keep others out of the proxy", at)
		}
	}
	return nil
}

// look finds out what is there.
func (in *installation) look(ctx context.Context) (err error) {
	if in.units, err = in.show(ctx); err != nil {
		return err
	}
	if err = in.unmasked(in.mended()); err != nil {
		return err
	}
	if in.dirs, err = in.places(ctx); err != nil {
		return err
	}
	in.done.Packaged = slices.ContainsFunc(in.dirs.packages, func(dir string) bool { return exists(filepath.Join(dir, serviceUnit)) })
	in.before = in.texts()
	return nil
}

// mended are the units without those of no bytes, which the installation writes
// anew.
func (in *installation) mended() map[string]properties {
	units := maps.Clone(in.units)
	maps.DeleteFunc(units, func(_ string, u properties) bool { return u.empty() })
	return units
}

// texts returns what counts in the text of each unit, with our drop-ins.
func (in *installation) texts() map[string]string {
	all := make(map[string]string)
	for _, name := range initfiles.UnitNames() {
		what := "Socket"
		if name == serviceUnit {
			what = "Service"
		}
		var text []byte
		for _, dir := range append([]string{in.dirs.ours}, in.dirs.packages...) {
			var err error
			if text, err = os.ReadFile(filepath.Join(dir, name)); err == nil {
				break
			}
		}
		all[name] = section(string(text), what)
		for _, ours := range []string{listenFile, sandboxFile} {
			if more, err := os.ReadFile(filepath.Join(in.dirs.ours, name+".d", ours)); err == nil {
				all[name] += "\n" + section(string(more), what)
			}
		}
	}
	return all
}

// write writes the units, or removes our copies of those that a package has, and
// the drop-ins.
func (in *installation) write(ctx context.Context) error {
	if in.done.Packaged {
		if err := in.unshadow(); err != nil {
			return err
		}
	} else if err := in.writeUnits(); err != nil {
		return err
	}
	return errors.Join(in.writeListen(), in.writeSandbox(ctx))
}

func (in *installation) writeUnits() error {
	for _, name := range initfiles.UnitNames() {
		text, err := in.unit(name, in.opts.Exe)
		if err != nil {
			return err
		}
		f := file{filepath.Join(in.dirs.ours, name), text}
		write := f.write
		if name == serviceUnit {
			write = func() (bool, error) { return in.installService(f) }
		}
		if _, err := write(); err != nil {
			return err
		}
		in.done.Files = append(in.done.Files, f.path)
	}
	return nil
}

// unshadow removes the units that an installation without the package has left:
// systemd would prefer them to the package's, also to its next version's.
func (in *installation) unshadow() error {
	for _, name := range initfiles.UnitNames() {
		path := filepath.Join(in.dirs.ours, name)
		there, err := remove(path)
		if err != nil {
			return err
		}
		if there {
			in.note("removed %s, which hid the unit of the package", path)
		}
	}
	if exe := packagedExe; in.opts.Exe != exe {
		in.note("the units of the package start %s, and not %s", exe, in.opts.Exe)
	}
	return nil
}

// packagedExe is where packages have the daemon.
const packagedExe = "/usr/bin/moatd"

// dropIn makes one of our drop-ins be as it should; no text removes it.
func (in *installation) dropIn(unit, name, text string) error {
	f := file{filepath.Join(in.dirs.ours, unit+".d", name), text}
	if text == "" {
		_, err := remove(f.path)
		return err
	}
	in.done.Files = append(in.done.Files, f.path)
	_, err := f.write()
	return err
}

// linger lets the user's services run without a login.
func (in *installation) linger(ctx context.Context) error {
	if !in.opts.Linger || in.lingers() {
		return nil
	}
	if _, err := in.run.output(ctx, "loginctl", "enable-linger"); err != nil {
		return &Problem{
			What: fmt.Sprintf("all is installed but for lingering: %v", err),
			Todo: "sudo loginctl enable-linger " + in.userName(),
		}
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func joinLines(lines ...string) string { return strings.Join(lines, "\n") + "\n" }
