package supervisor

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/kardianos/service"
)

// manage starts, stops or restarts the service, through the library where that
// reaches the right manager. The library's error says no more than an exit code;
// the caller asks systemd for the reason.
func (s *systemd) manage(ctx context.Context, verb string) error {
	if s.libraryReaches() {
		if svc := s.library(""); svc != nil {
			return service.Control(svc, verb)
		}
	}
	_, err := s.ctl(ctx, verb, serviceUnit)
	return err
}

// library returns the library's handle of moatd.service with a finished text;
// nil where the library has no systemd. It asks for the library's systemd by
// name, since the one that it would choose may be System V's.
func (s *systemd) library(text string) service.Service {
	if strings.Contains(text, "{{") {
		return nil // the library would take it for a template
	}
	for _, system := range service.AvailableSystems() {
		if system.String() != "linux-systemd" {
			continue
		}
		svc, err := system.New(new(program), &service.Config{
			Name:       serviceName,
			Executable: "/usr/bin/moatd", // stands in the text already
			Option:     service.KeyValue{"UserService": !s.opts.System, "SystemdScript": text},
		})
		if err == nil {
			return svc
		}
	}
	return nil
}

// libraryReaches reports whether the commands that the library runs, with the
// environment of this process, reach the manager.
func (s *systemd) libraryReaches() bool {
	return s.opts.System || s.opts.Getenv("XDG_RUNTIME_DIR") == s.runtime
}

// libraryInstalls returns the library's handle where it writes moatd.service
// into dir; nil elsewhere: its directory for a user's units is fixed.
func (s *systemd) libraryInstalls(dir, text string) service.Service {
	fixed := "/etc/systemd/system"
	if !s.opts.System {
		fixed = filepath.Join(s.opts.Getenv("HOME"), ".config/systemd/user")
	}
	if dir != fixed || !s.libraryReaches() {
		return nil
	}
	return s.library(text)
}

// installService writes moatd.service and reports whether that changed it.
//
// A first installation is the library's. It neither replaces a file nor is it
// atomic; both are ours, and so is what it leaves behind when it fails: a file
// of no bytes.
func (s *systemd) installService(f file) (changed bool, err error) {
	if !exists(f.path) {
		changed = true
		if svc := s.libraryInstalls(filepath.Dir(f.path), f.text); svc != nil {
			_ = svc.Install() // what is missing after it, write and the caller make good, with an error that says why
		}
	}
	wrote, err := f.write()
	return changed || wrote, err
}

// uninstallService removes moatd.service where the library can, and returns what
// it removed; what is left, the caller removes.
func (s *systemd) uninstallService(dir string) []string {
	path := filepath.Join(dir, serviceUnit)
	svc := s.libraryInstalls(dir, "")
	if !exists(path) || svc == nil {
		return nil
	}
	_ = svc.Uninstall() // as installService
	if exists(path) {
		return nil
	}
	return []string{path}
}
