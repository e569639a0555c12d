package supervisor

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	initfiles "github.com/moatd/moatd/init"
)

// properties are the values of one unit, as systemctl show prints them: a name
// may have several.
type properties map[string][]string

// get returns the first value of a name.
func (p properties) get(name string) string {
	if v := p[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// parseShow reads what systemctl show prints: for each unit its lines, and an
// empty line between two. A value may hold "=" but no line break.
func parseShow(text string) []properties {
	var all []properties
	unit := properties{}
	for line := range strings.SplitSeq(text+"\n", "\n") {
		if line == "" {
			if len(unit) > 0 {
				all = append(all, unit)
			}
			unit = properties{}
			continue
		}
		if name, value, ok := strings.Cut(line, "="); ok {
			unit[name] = append(unit[name], value)
		}
	}
	return all
}

// shown are the properties that are asked for.
const shown = "Id,LoadState,ActiveState,SubState,UnitFileState,FragmentPath,DropInPaths,NeedDaemonReload,Result," +
	"StateChangeTimestamp,Listen,MainPID,NRestarts,StatusText,ExecMainStatus,ExecMainStartTimestamp,ExecStart"

// show asks for all of moatd's units at once. It starts nothing.
func (s *systemd) show(ctx context.Context) (map[string]properties, error) {
	args := append([]string{"show", "--timestamp=unix", "--property=" + shown}, initfiles.UnitNames()...)
	out, err := s.ctl(ctx, args...)
	if err != nil {
		return nil, err
	}
	units := make(map[string]properties)
	for _, p := range parseShow(out) {
		units[p.get("Id")] = p
	}
	return units, nil
}

// loaded reports whether the manager knows the unit.
func (p properties) loaded() bool {
	state := p.get("LoadState")
	return state != "" && state != "not-found"
}

// empty reports whether the unit's file has no bytes, which systemd takes for a
// mask.
func (p properties) empty() bool {
	info, err := os.Lstat(p.get("FragmentPath"))
	return err == nil && info.Mode().IsRegular() && info.Size() == 0
}

// running reports whether the unit is there, or on its way to be, or on its way
// to the end: starting its sockets would be refused.
func (p properties) running() bool {
	switch p.get("ActiveState") {
	case "active", "activating", "reloading", "deactivating", "refreshing":
		return true
	}
	return false
}

func (p properties) enabled() bool {
	return strings.HasPrefix(p.get("UnitFileState"), "enabled")
}

// number returns a property that is a number, 0 if it is none.
func (p properties) number(name string) int {
	n, err := strconv.Atoi(p.get(name))
	if err != nil {
		return 0 // the unit has no such property
	}
	return n
}

// time returns a property that is a time, the zero time if it never was.
func (p properties) time(name string) time.Time {
	sec, err := strconv.ParseInt(strings.TrimPrefix(p.get(name), "@"), 10, 64)
	if err != nil || sec <= 0 {
		return time.Time{}
	}
	return time.Unix(sec, 0)
}

// exe returns the path in a property such as
// { path=/usr/bin/moatd ; argv[]=/usr/bin/moatd serve ; … }.
func (p properties) exe() string {
	_, rest, ok := strings.Cut(p.get("ExecStart"), "path=")
	if !ok {
		return ""
	}
	path, _, _ := strings.Cut(rest, " ; argv[]=")
	return path
}

// listen returns the addresses of a socket.
func (p properties) listen() []string {
	var all []string
	for _, v := range p["Listen"] {
		if addr, _, ok := strings.Cut(v, " ("); ok {
			all = append(all, addr)
		}
	}
	return all
}
