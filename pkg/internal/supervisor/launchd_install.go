package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Install implements [Supervisor]. A job whose text stays the same keeps its
// sockets; a daemon that runs is replaced if the job or the executable changed.
func (l *launchd) Install(ctx context.Context, opts InstallOptions) (Installed, error) {
	text, err := l.render(opts)
	if err != nil {
		return Installed{}, err
	}
	d, err := l.domain(ctx)
	if err != nil {
		return Installed{}, err
	}
	off, err := l.disabled(ctx, d)
	if err != nil {
		return Installed{}, err
	}
	sockets := l.sockets() // those of the agent before this one too
	if err := errors.Join(l.makeDirs(), l.writePlist(text)); err != nil {
		return Installed{}, err
	}
	out := Installed{Files: []string{l.plist()}, Notes: l.notes(opts, d, off)}
	if off {
		if _, err := l.ctl(ctx, verbEnable, d.job()); err != nil {
			return out, fmt.Errorf("switch the job on: %w", err)
		}
	}
	how := driveKeep
	if l.replaced() {
		how = driveReplace
	}
	return out, l.converge(ctx, d, how, sockets)
}

// render checks the options and returns the text of the agent's file.
func (l *launchd) render(opts InstallOptions) (string, error) {
	info, err := os.Stat(opts.Exe)
	switch {
	case err != nil:
		return "", fmt.Errorf("the daemon's executable: %w", err)
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return "", fmt.Errorf("the daemon's executable %s is no program", opts.Exe)
	case opts.Sandbox == SandboxOn:
		return "", &Problem{What: "the sandbox is made of namespaces, which only systemd has", Todo: "install without it: --sandbox=auto", Kind: errors.ErrUnsupported}
	}
	a := l.agent(opts.Exe)
	a.Listen = opts.Listen
	if before, ok := l.installedAgent(); ok && opts.Listen == nil {
		a.Listen = before.Listen
	}
	return a.Plist()
}

// notes are what the user should know of an installation in the domain d, whose
// job was switched off before it.
func (l *launchd) notes(opts InstallOptions, d domain, off bool) []string {
	var notes []string
	if off {
		notes = append(notes, "moatd had been switched off, in System Settings > General > Login Items or by moat daemon disable; it is on again")
	}
	if d != l.domains()[0] {
		notes = append(notes, "nobody is logged in at the screen, so moatd runs without the login keychain; install again from there if it needs that")
	}
	if opts.Linger {
		notes = append(notes, "launchd has nothing like lingering: moatd runs while this user is logged in, at the screen or over ssh")
	}
	for _, at := range opts.Listen {
		notes = append(notes, fmt.Sprintf("launchd listens on %s only if this Mac has that address when the job is loaded; moat daemon stop and start after it has got it", at))
	}
	return notes
}

// Uninstall implements [Supervisor]. The daemon's log goes too.
func (l *launchd) Uninstall(ctx context.Context) ([]string, error) {
	if err := l.unload(ctx, l.sockets()); err != nil {
		return nil, err
	}
	var removed []string
	there, err := l.removePlist()
	if there && err == nil {
		removed = append(removed, l.plist())
	}
	halves, globbed := filepath.Glob(filepath.Join(filepath.Dir(l.plist()), ".moatd-*.tmp"))
	err = errors.Join(err, globbed)
	for _, path := range append(halves, l.recordPath(), l.log(), l.log()+".old") {
		there, failed := remove(path)
		if there {
			removed = append(removed, path)
		}
		err = errors.Join(err, failed)
	}
	_ = os.Remove(filepath.Dir(l.log()))        // fails if there is anything else in it
	_ = os.Remove(filepath.Dir(l.recordPath())) // the same
	return removed, err
}
