package doctor

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// living is a scene with a daemon that answers as process 7 of the service.
func living(change func(*scene)) *scene {
	s := service(func(*supervisor.Status) {})
	s.opts = Options{Version: "v1.2.0", Commit: "0123456789", Settings: config.Settings{Home: "/h"}}
	s.lock, s.lockAlive = &daemon.LockInfo{PID: 7}, true
	s.health = &daemon.HealthResponse{PID: 7, RunCount: 2, Version: "v1.2.0", Commit: "0123456789", API: 1, APIMin: 1}
	change(s)
	return s
}

func TestJudgeDaemon(t *testing.T) {
	asleep := func(s *scene) { s.health, s.lockAlive, s.status.PID = nil, false, 0 }
	judge(t, []verdictCase{
		{"it answers", judgeDaemon(living(func(*scene) {})), OK, "process 7 answers, with 2 runs", ""},
		{"it does not answer", judgeDaemon(living(func(s *scene) { s.health, s.healthErr = nil, errors.New("timeout") })), Fail, "process 7 is there, but does not answer: timeout", fixRestart},
		{"asleep behind its sockets", judgeDaemon(living(asleep)), OK, "the first connection starts it", ""},
		{"asleep without sockets", judgeDaemon(living(func(s *scene) { asleep(s); s.status.Sockets[0].State = "inactive" })), Fail, "no socket would start it", fixStart},
		{"asleep without a service", judgeDaemon(living(func(s *scene) { asleep(s); s.status = supervisor.Status{} })), Skip, "moat run starts it", ""},
		{"a record that cannot be read", judgeDaemon(living(func(s *scene) { s.lockErr = errors.New("torn") })), Fail, "torn", ""},
	})
}

func TestJudgeSingle(t *testing.T) {
	pids := func(record, main, self int) *scene {
		return living(func(s *scene) {
			s.lock.PID, s.lockAlive, s.status.PID, s.health.PID = record, record > 0, main, self
			if self == 0 {
				s.health = nil
			}
		})
	}
	alone := pids(7, 0, 7)
	alone.status = supervisor.Status{}
	judge(t, []verdictCase{
		{"one", judgeSingle(pids(7, 7, 7)), OK, "process 7 alone", ""},
		{"none", judgeSingle(pids(0, 0, 0)), Skip, "no daemon runs", ""},
		{"one without a service", judgeSingle(alone), OK, "process 7 alone", ""},
		{"another answers than has the state", judgeSingle(pids(8, 7, 7)), Fail, "process 7 answers, process 8 has the state", "kill 8 && " + fixRestart},
		{"another answers than is the service", judgeSingle(pids(8, 7, 8)), Fail, "process 8 answers, the service is process 7", "kill 8 && " + fixSockets},
		{"a service that does not get the state", judgeSingle(pids(8, 7, 0)), Fail, "process 8 has the state directory, the service is process 7", "kill 8 && " + fixSockets},
		{"one that was started by hand", judgeSingle(pids(8, 0, 8)), Warn, "process 8 was not started by the service", "kill 8 && " + fixSockets},
		{"a service with another home", judgeSingle(pids(0, 7, 7)), Fail, "another state directory than /h", fixRestart},
	})
}

func TestJudgeVersion(t *testing.T) {
	says := func(version, commit string) *scene {
		return living(func(s *scene) { s.health.Version, s.health.Commit = version, commit })
	}
	judge(t, []verdictCase{
		{"the same", judgeVersion(says("v1.2.0", "0123456789")), OK, "v1.2.0", ""},
		{"the daemon is older", judgeVersion(says("v1.1.0", "abcdef0123")), Warn, "the daemon is v1.1.0, moat v1.2.0", fixRestart},
		{"moat is older", judgeVersion(says("v1.3.0", "abcdef0123")), Warn, "upgrade moat", ""},
		{"another build", judgeVersion(says("devel", "abcdef0123")), Warn, "devel (abcdef0)", fixRestart},
		{"no language in common", judgeVersion(living(func(s *scene) { s.health.API, s.health.APIMin = 9, 8 })), Fail, "upgrade moat", ""},
		{"a daemon of the first version", judgeVersion(living(func(s *scene) { s.health = &daemon.HealthResponse{PID: 7} })), OK, "", ""},
		{"nobody was asked", judgeVersion(living(func(s *scene) { s.health = nil })), Skip, "", ""},
	})
}

func TestJudgesOfTheProcess(t *testing.T) {
	judge(t, []verdictCase{
		{"no problems", judgeProblems(living(func(*scene) {})), OK, "", ""},
		{"a problem", judgeProblems(living(func(s *scene) { s.health.Problems = []string{"a provider is bad"} })), Warn, "a provider is bad", fixRestart},
		{"a degraded run", judgeProblems(living(func(s *scene) { s.runs = []daemon.RunInfo{{RunID: "a"}, {RunID: "b", Reason: "no credential"}} })), Warn, "run b is degraded: no credential", ""},
		{"a program as it is", judgeBinary("/usr/bin/moatd", 7), OK, "/usr/bin/moatd", ""},
		{"a program that was replaced", judgeBinary("/usr/bin/moatd (deleted)", 7), Warn, "/usr/bin/moatd was replaced", fixRestart},
		{"a program that cannot be seen", judgeBinary("", 7), Skip, "process 7", ""},
		{"no process", judgeBinary("", 0), OK, "no daemon", ""},
		{"room for descriptors", judgeDescriptors(65536, 20), OK, "20 of 65536", ""},
		{"a small limit", judgeDescriptors(1024, 20), Warn, "1024", fixInstall + " && " + fixRestart},
		{"nearly none left", judgeDescriptors(65536, 60000), Fail, "60000 of 65536", fixRestart},
		{"no limit", judgeDescriptors(parseLimit("Max open files unlimited unlimited files"), 3), OK, "without a limit", ""},
		{"an environment", judgeEnvironment([]string{"PATH=/bin", "MOAT_HOME=/h/", "https_proxy="}, "/h", true), OK, "", ""},
		{"a proxy of the company's", judgeEnvironment([]string{"https_proxy=http://u:p4ss@corp", "ALL_PROXY=x"}, "/h", true), Warn, "ALL_PROXY, https_proxy", "systemctl --user unset-environment ALL_PROXY https_proxy && " + fixRestart},
		{"one from a terminal", judgeEnvironment([]string{"HTTPS_PROXY=x"}, "/h", false), Warn, "HTTPS_PROXY", ""},
		{"another home", judgeEnvironment([]string{"MOAT_HOME=/other"}, "/h", true), Fail, "MOAT_HOME=/other", "systemctl --user unset-environment MOAT_HOME && " + fixRestart},
	})
}

func TestBinary(t *testing.T) {
	s, home := at(t)
	s.status = healthy()
	s.status.Exe, s.status.PID = filepath.Join(home, "moatd"), 7
	judge(t, []verdictCase{{"the program of the service is gone", s.binary(t.Context()), Fail, "which is no program", fixInstall}})
	save(t, s.status.Exe, "")
	judge(t, []verdictCase{{"it cannot be executed", s.binary(t.Context()), Fail, "which is no program", fixInstall}})
	check(t, os.Chmod(s.status.Exe, 0o700))
	s.status.Since = time.Now().Add(-time.Hour)
	judge(t, []verdictCase{{"it was replaced under a daemon that cannot be looked at", s.binary(t.Context()), Warn, "was replaced, and process 7", fixRestart}})
	s.status.Since = time.Now()
	judge(t, []verdictCase{{"a daemon that cannot be looked at", s.binary(t.Context()), OK, "as it is now", ""}})
	check(t, os.MkdirAll(s.path("proc/7"), 0o700))
	check(t, os.Symlink(s.status.Exe+deleted, s.path("proc/7/exe")))
	judge(t, []verdictCase{{"it was replaced", s.binary(t.Context()), Warn, "was replaced, and process 7", fixRestart}})
}

// environments is a service manager that tells what it gives to services.
type environments struct {
	supervisor.Supervisor
	list []string
}

func (e environments) Environment(context.Context) ([]string, error) { return e.list, nil }

func TestEnvironmentOfADaemonThatCannotBeLookedAt(t *testing.T) {
	s, _ := at(t)
	s.status = healthy()
	judge(t, []verdictCase{{"nobody tells", s.environment(t.Context()), Skip, "cannot be seen", ""}})
	s.opts.Supervisor = environments{list: []string{"HTTPS_PROXY=http://u:p4ss@corp"}}
	judge(t, []verdictCase{{"the service manager does", s.environment(t.Context()), Warn, "HTTPS_PROXY", "systemctl --user unset-environment HTTPS_PROXY && " + fixRestart}})
	save(t, s.path("proc/7/environ"), "A=b\x00")
	judge(t, []verdictCase{{"the process itself goes first", s.environment(t.Context()), OK, "", ""}})
}

func TestWhatTheDaemonSaysOfItselfGoesFirst(t *testing.T) {
	s := living(func(s *scene) {
		s.status.Exe, s.health.Exe, s.health.FDLimit, s.health.FDOpen = "", "/x/moatd", 1000, 900
	})
	judge(t, []verdictCase{
		{"its program", s.binary(t.Context()), OK, "process 7 is /x/moatd", ""},
		{"its descriptors", s.descriptors(t.Context()), Fail, "900 of 1000", fixRestart},
	})
	s.health.ExeChanged = true
	judge(t, []verdictCase{{"its program was replaced", s.binary(t.Context()), Warn, "/x/moatd was replaced", fixRestart}})
}

func TestParseLimit(t *testing.T) {
	for _, tt := range []struct {
		name, limits string
		want         int
	}{
		{"nothing", "", 0},
		{"a line that is cut", "Max open files", 0},
		{"unlimited", "Max open files            unlimited            unlimited            files     \n", 0},
		{"among others", "Max processes             62000                62000                processes \nMax open files            1024                 524288               files     \n", 1024},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseLimit(tt.limits); got != tt.want {
				t.Errorf("parseLimit(%q) = %d, want %d", tt.limits, got, tt.want)
			}
		})
	}
}

func TestJudgeClock(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	judge(t, []verdictCase{
		{"files of the past", judgeClock(map[string]time.Time{"a": now.Add(-time.Hour)}, now), OK, "", ""},
		{"a clock a little off", judgeClock(map[string]time.Time{"a": now.Add(time.Minute)}, now), OK, "", ""},
		{"a file of tomorrow", judgeClock(map[string]time.Time{"a": now.Add(time.Hour), "b": now.Add(24 * time.Hour)}, now), Warn, "b is from 2026-01-03", "sudo timedatectl set-ntp true"},
	})
}

func FuzzParseLimit(f *testing.F) {
	f.Add("Max open files            1024                 524288               files     \n")
	f.Fuzz(func(t *testing.T, limits string) {
		if got := parseLimit(limits); got < 0 {
			t.Errorf("parseLimit(%q) = %d, want no number below 0", limits, got)
		}
	})
}
