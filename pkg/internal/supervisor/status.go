package supervisor

import (
	"context"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	initfiles "github.com/moatd/moatd/init"
)

// socketNames are the names of the listeners, by those of their units.
var socketNames = map[string]string{
	"moatd.socket": "api", "moatd-proxy.socket": "proxy", "moatd-routing.socket": "routing",
}

// serviceUnit is the unit of the daemon itself.
const serviceUnit = "moatd.service"

// socketUnits are the units of the sockets, in the order of initfiles.UnitNames.
func socketUnits() []string {
	names := initfiles.UnitNames()
	return names[:len(names)-1]
}

// Status implements [Supervisor]. It costs one command.
func (s *systemd) Status(ctx context.Context) (Status, error) {
	units, err := s.show(ctx)
	if err != nil {
		return Status{Supervisor: s.Name()}, err
	}
	return s.status(units), nil
}

func (s *systemd) status(units map[string]properties) Status {
	svc := units[serviceUnit]
	st := Status{
		Supervisor: s.Name(),
		Installed:  svc.loaded(),
		State:      svc.get("ActiveState"),
		PID:        svc.number("MainPID"),
		Since:      svc.time("StateChangeTimestamp"),
		Restarts:   svc.number("NRestarts"),
		Result:     svc.get("Result"),
		ExitCode:   svc.number("ExecMainStatus"),
		Text:       svc.get("StatusText"),
		Exe:        svc.exe(),
		Linger:     s.lingers(),
	}
	if svc.get("LoadState") == "masked" {
		st.State = "masked"
	}
	st.Packaged = st.Installed && s.packaged(svc.get("FragmentPath"))
	for _, name := range initfiles.UnitNames() {
		st.Changed = st.Changed || units[name].get("NeedDaemonReload") == "yes"
		st.DropIns = append(st.DropIns, s.foreignDropIns(units[name])...)
	}
	if st.Installed && !st.Packaged {
		st.Drift = s.drift(units, st.Exe)
	}
	st.sockets(units)
	return st
}

func (st *Status) sockets(units map[string]properties) {
	for _, name := range socketUnits() {
		u := units[name]
		if !u.loaded() {
			continue
		}
		one := SocketStatus{Name: socketNames[name], State: u.get("ActiveState"), Enabled: u.enabled(), Listen: u.listen()}
		if r := u.get("Result"); r != "success" {
			one.Result = r
		}
		if u.get("LoadState") == "masked" {
			one.State = "masked"
		}
		st.Enabled = st.Enabled || name == socketUnits()[0] && one.Enabled
		st.Sockets = append(st.Sockets, one)
	}
}

// drift returns the unit files that are not as this version would write them.
func (s *systemd) drift(units map[string]properties, exe string) []string {
	var odd []string
	for _, name := range initfiles.UnitNames() {
		path := filepath.Join(filepath.Dir(units[serviceUnit].get("FragmentPath")), name)
		want, err := s.unit(name, exe)
		if err != nil {
			continue // an executable that this version would not install
		}
		if have, err := os.ReadFile(path); err != nil || string(have) != want {
			odd = append(odd, path)
		}
	}
	return odd
}

// foreignDropIns returns the drop-ins of a unit that are not ours, nor a
// package's, such as those of systemctl edit.
func (s *systemd) foreignDropIns(u properties) []string {
	var all []string
	for path := range strings.FieldsSeq(u.get("DropInPaths")) {
		name, ofPackage := filepath.Base(path), strings.HasPrefix(path, s.path("/usr/lib/"))
		if name != sandboxFile && name != listenFile && !ofPackage {
			all = append(all, path)
		}
	}
	return all
}

// lingers reports whether the user's services run without a login; the system's
// always do.
func (s *systemd) lingers() bool {
	if s.opts.System {
		return true
	}
	name := s.userName()
	_, err := os.Stat(s.path("/var/lib/systemd/linger/" + name))
	return name != "" && err == nil
}

// userName returns the name of the user, "" if there is none.
func (s *systemd) userName() string {
	u, err := user.LookupId(strconv.Itoa(s.opts.UID))
	if err != nil {
		return ""
	}
	return u.Username
}
