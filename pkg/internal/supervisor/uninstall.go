package supervisor

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	initfiles "github.com/moatd/moatd/init"
)

// Uninstall implements [Supervisor]. What systemctl edit has made, and that the
// user's services run without a login, stays.
func (s *systemd) Uninstall(ctx context.Context) ([]string, error) {
	if err := s.mayChange("uninstall"); err != nil {
		return nil, err
	}
	units, err := s.show(ctx)
	if err != nil {
		return nil, err
	}
	where, err := s.places(ctx)
	if err != nil {
		return nil, err
	}
	var removed []string
	if units[serviceUnit].loaded() || units["moatd.socket"].loaded() {
		if err = s.stopLoaded(ctx, units); err != nil {
			return nil, err
		}
		_, _ = s.ctl(ctx, append([]string{"disable", "--quiet"}, socketUnits()...)...) // fails for a unit without a file, whose links go below
		removed = s.uninstallService(where.ours)
	}
	more, err := s.removeFiles(where)
	removed = append(removed, more...)
	_, reloaded := s.ctl(ctx, "daemon-reload")
	s.forgive(ctx)
	return removed, errors.Join(err, reloaded)
}

// stopLoaded stops what there is to stop, sockets first.
func (s *systemd) stopLoaded(ctx context.Context, units map[string]properties) error {
	for _, name := range initfiles.UnitNames() {
		if !units[name].running() {
			continue
		}
		if _, err := s.ctl(ctx, "stop", name); err != nil {
			return err
		}
	}
	return nil
}

// removeFiles removes what an installation may have left, whole or in part.
func (s *systemd) removeFiles(where dirs) ([]string, error) {
	ours := []string{
		filepath.Join(where.ours, "moatd-proxy.socket.d", listenFile),
		filepath.Join(where.ours, serviceUnit+".d", sandboxFile),
	}
	for _, name := range initfiles.UnitNames() {
		ours = append(ours, filepath.Join(where.ours, name), filepath.Join(where.ours, "sockets.target.wants", name))
	}
	halves, err := filepath.Glob(filepath.Join(where.ours, ".moatd-*.tmp"))
	if err != nil {
		return nil, err
	}
	var removed []string
	for _, path := range append(ours, halves...) {
		if target, no := os.Readlink(path); no == nil && target == os.DevNull {
			continue // masked by the user
		}
		there, failed := remove(path)
		if there {
			removed = append(removed, path)
		}
		err = errors.Join(err, failed)
	}
	if !s.opts.System {
		_ = os.Remove(where.ours)               // fails if there is anything else in it
		_ = os.Remove(filepath.Dir(where.ours)) // the same
	}
	return removed, err
}
