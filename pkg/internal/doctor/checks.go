package doctor

import "context"

// checks is everything that is looked at, in the order in which it is shown.
func (s *scene) checks() []Check {
	var list []Check
	for _, t := range []struct {
		topic  string
		checks []Check
	}{
		{"service", s.serviceChecks()},
		{"sockets", s.socketChecks()},
		{"daemon", s.daemonChecks()},
		{"state", s.stateChecks()},
		{"secrets", s.secretChecks()},
		{"log", []Check{{Name: "journal", Run: s.journal}}},
		{"containers", s.containerChecks()},
		{"hardening", s.hardeningChecks()},
	} {
		for _, c := range t.checks {
			c.Topic = t.topic
			list = append(list, c)
		}
	}
	return list
}

// judged makes a check of a judge that needs no more than the scene.
func (s *scene) judged(name string, judge func(*scene) Verdict) Check {
	return Check{Name: name, Run: func(context.Context) Verdict { return judge(s) }}
}

func (s *scene) serviceChecks() []Check {
	return []Check{
		{Name: "service-manager", Run: s.manager},
		s.judged("installed", judgeInstalled),
		s.judged("units-current", judgeDrift),
		s.judged("units-loaded", judgeLoaded),
		{Name: "units-masked", Run: s.masked},
		{Name: "units-shadowed", Run: s.shadowed},
		s.judged("enabled", judgeEnabled),
		s.judged("service-state", judgeState),
		s.judged("restarts", judgeRestarts),
		s.judged("linger", judgeLinger),
		{Name: "duplicates", Run: s.duplicates},
	}
}

func (s *scene) socketChecks() []Check {
	return []Check{
		s.judged("sockets", judgeSockets),
		{Name: "api-socket", Run: s.apiSocketFile},
		{Name: "proxy-port", Run: s.proxyPort},
		{Name: "routing-port", Run: s.routingPort},
		{Name: "proxy-answers", Run: s.proxyAnswers},
	}
}

func (s *scene) daemonChecks() []Check {
	return []Check{
		s.judged("daemon", judgeDaemon),
		s.judged("one-daemon", judgeSingle),
		s.judged("version", judgeVersion),
		{Name: "binary", Run: s.binary},
		s.judged("problems", judgeProblems),
		{Name: "descriptors", Run: s.descriptors},
		{Name: "environment", Run: s.environment},
		{Name: "clock", Run: s.clock},
	}
}

func (s *scene) stateChecks() []Check {
	return []Check{
		{Name: "home", Run: s.home},
		{Name: "filesystem", Run: s.filesystem},
		{Name: "database", Run: s.database},
		{Name: "quarantine", Run: s.quarantine},
		s.judged("config", judgeConfig),
		{Name: "providers", Run: s.providers},
	}
}

func (s *scene) secretChecks() []Check {
	return []Check{
		{Name: "ca", Run: s.ca},
		{Name: "ca-bundle", Run: s.caBundle},
		{Name: "store-key", Run: s.storeKey},
		{Name: "credentials", Run: s.credentials},
	}
}

func (s *scene) containerChecks() []Check {
	return []Check{
		{Name: "container-engine", Run: s.engine},
		{Name: "container-proxy", Run: s.containerProxy},
	}
}

func (s *scene) hardeningChecks() []Check {
	return []Check{
		{Name: "sandbox", Run: s.sandbox},
		{Name: "exposure", Run: s.exposure},
	}
}
