package supervisor

import (
	"context"
	"regexp"
	"strconv"

	initfiles "github.com/moatd/moatd/init"
)

// The states of moatd's job, in systemd's words, by which others go: launchd's
// own are not for programs to read.
const (
	stateActive   = "active"   // there is a daemon; of a socket: the job is loaded
	stateInactive = "inactive" // there is none
	stateFailed   = "failed"   // there is none, and the last one ended with an error
)

// Status implements [Supervisor].
func (l *launchd) Status(ctx context.Context) (Status, error) {
	st := Status{Supervisor: l.Name(), State: stateInactive, Installed: l.installed() == nil}
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
	if err != nil {
		return st, err
	}
	if loaded {
		st.process(l.process(ctx, d))
		st.Changed = l.changed()
	}
	for i := range st.Sockets {
		st.Sockets[i].Enabled = st.Enabled
		st.Sockets[i].State = stateInactive
		if loaded {
			st.Sockets[i].State = stateActive // launchd does not say whether it got the address
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
	st.PID = p.pid
	st.Result, st.ExitCode = p.ended()
	switch {
	case p.pid != 0:
		st.State = stateActive
	case st.ExitCode != 0:
		st.State = stateFailed
	}
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
