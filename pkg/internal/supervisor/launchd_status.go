package supervisor

import (
	"context"
	"regexp"
	"strconv"

	initfiles "github.com/moatd/moatd/init"
)

// The states of moatd's job. launchd's own words are not for programs to read.
const (
	stateRunning  = "running"    // there is a daemon
	stateWaiting  = "waiting"    // launchd listens, and starts the daemon at a connection
	stateUnloaded = "not loaded" // launchd does not know the job: stopped, or not installed
	stateOff      = "disabled"   // the same, and the next login will not load it
)

// Status implements [Supervisor].
func (l *launchd) Status(ctx context.Context) (Status, error) {
	st := Status{Supervisor: l.Name(), State: stateUnloaded, Installed: l.installed() == nil}
	l.files(&st)
	d, err := l.where(ctx)
	if err != nil {
		return st, err
	}
	off, err := l.disabled(ctx, d)
	if err != nil {
		return st, err
	}
	st.Enabled = st.Installed && !off
	loaded, err := l.loaded(ctx, d)
	switch {
	case err != nil:
		return st, err
	case loaded:
		st.process(l.process(ctx, d))
		st.Changed = l.changed()
	case off:
		st.State = stateOff
	}
	for i := range st.Sockets {
		st.Sockets[i].Enabled = st.Enabled
		st.Sockets[i].State = stateUnloaded
		if loaded {
			st.Sockets[i].State = "loaded" // launchd does not say whether it got the address
		}
	}
	return st, nil
}

// files fills in what the agent's file says.
func (l *launchd) files(st *Status) {
	if !st.Installed {
		return
	}
	a, ok := l.installedAgent()
	if text, err := a.Plist(); !ok || err != nil || !(file{l.plist(), text}).asItShould() {
		st.Drift = []string{l.plist()}
	}
	if !ok {
		return
	}
	st.Exe = a.Exe
	for _, s := range a.Sockets() {
		st.Sockets = append(st.Sockets, SocketStatus{Name: s.Name, Listen: s.Listen})
	}
}

func (st *Status) process(p jobProcess) {
	st.State, st.PID = stateWaiting, p.pid
	if p.pid != 0 {
		st.State = stateRunning
	}
	st.Result, st.ExitCode = p.ended()
}

// A jobProcess is what launchctl list says of the job's. Its zero value is that of
// a job of which it says nothing.
type jobProcess struct {
	pid    int
	exited bool // at least once
	status int  // of the last exit, as wait(2) has it; a signal may be negative
}

// process asks for the daemon. What it cannot find out is zero: list, unlike
// print, is meant to be read, but knows only the jobs of the caller's session.
func (l *launchd) process(ctx context.Context, d domain) jobProcess {
	out, err := l.ctl(ctx, verbList, initfiles.AgentLabel)
	if err == nil {
		return parseList(out)
	}
	if out, err = l.ctl(ctx, verbPrint, d.job()); err != nil {
		return jobProcess{}
	}
	return jobProcess{pid: listedNumber(printedPID, out)}
}

var (
	listedPID  = regexp.MustCompile(`(?m)^\s*"PID"\s*=\s*(-?\d+);`)
	listedExit = regexp.MustCompile(`(?m)^\s*"LastExitStatus"\s*=\s*(-?\d+);`)
	printedPID = regexp.MustCompile(`(?m)^\s*pid\s*=\s*(\d+)\s*$`)
)

// parseList reads the output of launchctl list LABEL, a dictionary in the old
// style of property lists. What is not there, or is no number, is zero.
func parseList(out string) jobProcess {
	p := jobProcess{pid: max(0, listedNumber(listedPID, out)), status: listedNumber(listedExit, out)}
	p.exited = listedExit.MatchString(out)
	return p
}

func listedNumber(in *regexp.Regexp, text string) int {
	match := in.FindStringSubmatch(text)
	if match == nil {
		return 0
	}
	n, err := strconv.Atoi(match[1])
	if err != nil {
		return 0 // more digits than a number has
	}
	return n
}

// ended returns how the last daemon ended, in systemd's words, and the exit code
// as a shell has it.
func (p jobProcess) ended() (result string, code int) {
	signal := p.status & 0x7f
	if p.status < 0 {
		signal = -p.status & 0x7f
	}
	switch {
	case !p.exited:
		return "", 0
	case signal != 0:
		return "signal", 128 + signal
	case p.status == 0:
		return "success", 0
	}
	return "exit-code", p.status >> 8 & 0xff
}
