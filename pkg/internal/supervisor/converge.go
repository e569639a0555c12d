package supervisor

import (
	"context"
	"errors"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// load makes systemd read the units, and enables the sockets.
func (in *installation) load(ctx context.Context) error {
	if _, err := in.ctl(ctx, "daemon-reload"); err != nil {
		return err
	}
	return in.enable(ctx)
}

// converge opens the sockets that are closed, opens those anew whose text has
// changed, and restarts a daemon that is out of date: in one transaction, in
// which systemd stops the service before its sockets and starts it after them.
func (in *installation) converge(ctx context.Context) error {
	in.forgive(ctx)
	units, err := in.show(ctx)
	if err != nil {
		return err
	}
	now := in.texts()
	targets := slices.DeleteFunc(socketUnits(), func(name string) bool {
		u := units[name]
		return u.get("LoadState") != "loaded" || u.running() && now[name] == in.before[name]
	})
	svc := units[serviceUnit]
	if svc.running() && (len(targets) > 0 || now[serviceUnit] != in.before[serviceUnit] || in.replaced(svc)) {
		targets = append(targets, serviceUnit)
	}
	if len(targets) == 0 {
		return nil
	}
	_, failed := in.ctl(ctx, append([]string{"restart"}, targets...)...)
	return in.judge(ctx, targets, failed)
}

// judge says what does not run of what was started. The routes may do without
// their port, of which other programs are fond.
func (in *installation) judge(ctx context.Context, targets []string, failed error) error {
	units, err := in.show(ctx)
	if err != nil {
		return err
	}
	err = errors.Join(in.listening(units, "moatd.socket"), in.listening(units, "moatd-proxy.socket"))
	if slices.Contains(targets, serviceUnit) && !units[serviceUnit].running() {
		err = errors.Join(err, in.started(units))
	}
	if err != nil || units["moatd-routing.socket"].get("LoadState") == "masked" {
		return err
	}
	if routes := in.listening(units, "moatd-routing.socket"); routes != nil {
		in.note("the names of agents do not work: %v", routes)
		return nil
	}
	return failed
}

// replaced reports whether the executable has changed since the daemon started.
func (in *installation) replaced(svc properties) bool {
	var st unix.Stat_t
	if err := unix.Stat(svc.exe(), &st); err != nil {
		return false
	}
	sec, nsec := st.Ctim.Unix()
	return !time.Unix(sec, nsec).Before(svc.time("ExecMainStartTimestamp").Truncate(time.Second))
}
