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
// changed, and restarts a daemon that is out of date.
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
	var failed error
	switch {
	case len(targets) > 0 && svc.running():
		in.reopen(ctx, targets)
	case len(targets) > 0:
		_, failed = in.ctl(ctx, append([]string{"restart"}, targets...)...)
	case svc.running() && (now[serviceUnit] != in.before[serviceUnit] || in.replaced(svc)):
		failed = in.manage(ctx, "restart")
	default:
		return nil
	}
	return in.judge(ctx, svc, failed)
}

// judge says what does not run of what was started, and of the service if it
// ran before. The routes may do without
// their port, of which other programs are fond.
func (in *installation) judge(ctx context.Context, before properties, failed error) error {
	units, err := in.show(ctx)
	if err != nil {
		return err
	}
	err = errors.Join(in.listening(units, "moatd.socket"), in.listening(units, "moatd-proxy.socket"))
	if before.running() {
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
