package supervisor

import (
	"fmt"
	"strings"
	"testing"
)

// What service managers' users reported of launchctl, as one table.
func TestMeaning(t *testing.T) {
	for _, tt := range []struct {
		verb string
		code int
		want outcome
		why  string
	}{
		{verbBootstrap, 0, outcomeDone, "it did"},
		{verbPrint, 0, outcomeDone, "the job is loaded"},
		{verbBootout, 3, outcomeNotLoaded, "no such process: it was not loaded"},
		{verbKill, 3, outcomeNoProcess, "no such process: it idled out"},
		{verbBootstrap, 5, outcomeAgain, "input/output error: loaded already, or not quite gone"},
		{verbBootout, 5, outcomeAgain, "input/output error"},
		{verbPrint, 5, outcomeFailed, "input/output error of a question is none of these"},
		{verbBootout, 36, outcomeDone, "operation now in progress"},
		{verbBootstrap, 37, outcomeAgain, "operation already in progress: the old one is on its way down"},
		{verbBootout, 37, outcomeAgain, "operation already in progress"},
		{verbKickstart, 37, outcomeAgain, "operation already in progress: it is starting, or stopping"},
		{verbPrint, 112, outcomeNoDomain, "could not find domain"},
		{verbBootstrap, 112, outcomeNoDomain, "could not find domain"},
		{verbPrint, 113, outcomeNotLoaded, "could not find service"},
		{verbKickstart, 113, outcomeNotLoaded, "could not find service"},
		{verbKill, 113, outcomeNotLoaded, "could not find service"},
		{verbPrint, 125, outcomeNoDomain, "domain does not support specified action"},
		{verbBootstrap, 125, outcomeNoDomain, "domain does not support specified action"},
		{verbBootstrap, 64, outcomeFailed, "usage"},
		{verbPrint, 1, outcomeFailed, "a code that nobody has seen"},
		{"", -1, outcomeFailed, "no exit at all"},
	} {
		if got := meaning(tt.verb, tt.code); got != tt.want {
			t.Errorf("meaning(%q, %d) = %d, want %d: %s", tt.verb, tt.code, got, tt.want, tt.why)
		}
	}
}

// Every code of every command, in the middle of everything that launchd is asked
// to do: either it is coped with, or the error says which command failed. Doing
// it again works in any case.
func TestLaunchd_aFailureInTheMiddle(t *testing.T) {
	codes := []int{3, 5, 37, 112, 113, 125}
	for _, s := range scenarios {
		for _, verb := range s.verbs {
			t.Run(s.name+" with "+verb+" failing", func(t *testing.T) {
				t.Parallel()
				for _, code := range codes {
					macTest(t, func(m *mac) {
						t := m.t
						s.before(m)
						m.set("fail", fmt.Sprint(verb, " ", code))
						err := s.act(m)
						if m.get("fail") != "" {
							t.Fatalf("%s was not called", verb)
						}
						// launchd may say that there is no job, or no gui, where there is; it is believed.
						lied := strings.HasPrefix(verb, "print") && meaning(verbPrint, code) != outcomeFailed
						what := "launchctl " + strings.TrimSuffix(verb, "-domain")
						switch {
						case err != nil && !strings.Contains(err.Error(), what):
							t.Errorf("code %d: %v; want %q in it", code, err, what)
						case err == nil && !lied:
							s.check(m)
						}
						if err := s.act(m); err != nil {
							t.Errorf("a second try after code %d (%v): %v", code, err, err)
						}
						s.check(m)
					})
				}
			})
		}
	}
}

// A scenario is something that launchd is asked to do. It can be asked again.
type scenario struct {
	name   string
	before func(*mac)
	act    func(*mac) error
	check  func(*mac)
	verbs  []string // of launchctl that it needs
}

func isInstalled(m *mac) { m.mustInstall(InstallOptions{}) }

func runs(m *mac) { m.wantRunning("gui") }

// loading are the verbs of a job that is loaded anew.
var loading = []string{"print-domain", "print-disabled", "print", "bootout", "enable", "bootstrap", "kickstart"}

var scenarios = []scenario{
	{
		name:   "a first install",
		before: func(*mac) {},
		act:    func(m *mac) error { _, err := m.install(InstallOptions{}); return err },
		check:  runs,
		verbs:  []string{"print-domain", "print-disabled", "print", "enable", "bootstrap", "kickstart"},
	},
	{
		name:   "an install over the same",
		before: isInstalled,
		act:    func(m *mac) error { _, err := m.install(InstallOptions{}); return err },
		check:  runs,
		verbs:  []string{"print-domain", "print-disabled", "print"},
	},
	{
		name:   "an upgrade of the executable",
		before: func(m *mac) { isInstalled(m); m.upgrade("two, which is longer") },
		act:    func(m *mac) error { _, err := m.install(InstallOptions{}); return err },
		check:  func(m *mac) { runs(m); m.wantNothingLeftToDo() },
		verbs:  []string{"print-domain", "print-disabled", "print", "list", "kickstart"},
	},
	{
		name:   "an upgrade with another plist",
		before: isInstalled,
		act: func(m *mac) error {
			_, err := m.install(InstallOptions{Listen: addrs("10.0.0.1:19080")})
			return err
		},
		check: func(m *mac) { runs(m); m.wantNothingLeftToDo() },
		verbs: loading,
	},
	{
		name:   "a restart",
		before: isInstalled,
		act:    func(m *mac) error { return m.Restart(m.t.Context()) },
		check:  runs,
		verbs:  []string{"print-domain", "print", "list", "kickstart"},
	},
	{
		name:   "a restart with another plist",
		before: func(m *mac) { isInstalled(m); m.edit() },
		act:    func(m *mac) error { return m.Restart(m.t.Context()) },
		check:  runs,
		verbs:  []string{"print-domain", "print", "bootout", "enable", "bootstrap", "kickstart"},
	},
	{
		name:   "a start",
		before: func(m *mac) { isInstalled(m); m.mustStop() },
		act:    func(m *mac) error { return m.Start(m.t.Context()) },
		check:  runs,
		verbs:  []string{"print-domain", "print-disabled", "print", "enable", "bootstrap", "kickstart"},
	},
	{
		name:   "a stop",
		before: isInstalled,
		act:    func(m *mac) error { return m.Stop(m.t.Context()) },
		check:  (*mac).wantStopped,
		verbs:  []string{"print", "bootout"},
	},
	{
		name:   "an uninstall",
		before: isInstalled,
		act:    func(m *mac) error { _, err := m.Uninstall(m.t.Context()); return err },
		check:  func(m *mac) { m.wantStopped(); m.wantNoFiles() },
		verbs:  []string{"print", "bootout"},
	},
}
