package initfiles_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	initfiles "github.com/moatd/moatd/init"
)

// Each case is a promise that rests on a line of a unit.
func TestUnits_sayWhatIsPromised(t *testing.T) {
	for _, tt := range []struct{ reason, unit, section, name, want string }{
		{"only our user may connect to the API", "moatd.socket", "Socket", "SocketMode", "0600"},
		{"only our user may look for the API", "moatd.socket", "Socket", "DirectoryMode", "0700"},
		{"client and daemon compute the same path", "moatd.socket", "Socket", "ListenStream", "%t/moat/moatd.sock"},
		{"the daemon tells its sockets apart by name", "moatd.socket", "Socket", "FileDescriptorName", "api"},
		{"no socket file without a listener", "moatd.socket", "Socket", "RemoveOnStop", "yes"},
		{"thousands may wait for a restart of the API", "moatd.socket", "Socket", "Backlog", "4096"},
		{"the API starts the daemon", "moatd.socket", "Socket", "Service", "moatd.service"},
		{"the API is there from login on", "moatd.socket", "Install", "WantedBy", "sockets.target"},

		{"the port is in every run's environment", "moatd-proxy.socket", "Socket", "ListenStream", "127.0.0.1:19080"},
		{"the daemon tells its sockets apart by name", "moatd-proxy.socket", "Socket", "FileDescriptorName", "proxy"},
		{"thousands may wait for a restart of the proxy", "moatd-proxy.socket", "Socket", "Backlog", "4096"},
		{"small packets go out at once", "moatd-proxy.socket", "Socket", "NoDelay", "yes"},
		{"the dead are noticed", "moatd-proxy.socket", "Socket", "KeepAlive", "yes"},
		{"a request starts the daemon", "moatd-proxy.socket", "Socket", "Service", "moatd.service"},
		{"runs that outlive a reboot find the proxy", "moatd-proxy.socket", "Install", "WantedBy", "sockets.target"},

		{"host names of agents have a port that stays", "moatd-routing.socket", "Socket", "ListenStream", "127.0.0.1:8080"},
		{"the daemon tells its sockets apart by name", "moatd-routing.socket", "Socket", "FileDescriptorName", "routing"},
		{"thousands may wait for a restart of the routes", "moatd-routing.socket", "Socket", "Backlog", "4096"},
		{"events go out at once", "moatd-routing.socket", "Socket", "NoDelay", "yes"},
		{"browsers that slept are noticed", "moatd-routing.socket", "Socket", "KeepAlive", "yes"},
		{"a browser starts the daemon", "moatd-routing.socket", "Socket", "Service", "moatd.service"},
		{"a bookmark works from login on", "moatd-routing.socket", "Install", "WantedBy", "sockets.target"},

		{"a started daemon is a ready one", "moatd.service", "Service", "Type", "notify"},
		{"started by hand, it has all sockets", "moatd.service", "Service", "Sockets", "moatd.socket moatd-proxy.socket moatd-routing.socket"},
		{"without the API there is no daemon", "moatd.service", "Unit", "Requires", "moatd.socket"},
		{"without a port there is one, to say why", "moatd.service", "Unit", "Wants", "moatd-proxy.socket moatd-routing.socket"},
		{"the sockets come first", "moatd.service", "Unit", "After", "moatd.socket moatd-proxy.socket moatd-routing.socket"},
		{"no number of crashes closes the sockets", "moatd.service", "Unit", "StartLimitIntervalSec", "0"},
		{"a crash is repaired, an idle exit is not one", "moatd.service", "Service", "Restart", "on-failure"},
		{"a mistake in the configuration is not repeated", "moatd.service", "Service", "RestartPreventExitStatus", "64 78"},
		{"reload is SIGHUP, on 252 too", "moatd.service", "Service", "ExecReload", "/bin/kill -HUP $MAINPID"},
		{"a hanging daemon is noticed", "moatd.service", "Service", "WatchdogSec", "30"},
		{"there are secrets in the memory", "moatd.service", "Service", "LimitCORE", "0"},
		{"each tunnel has two descriptors", "moatd.service", "Service", "LimitNOFILE", "65536"},
		{"files are private from the moment they exist", "moatd.service", "Service", "UMask", "0077"},
		{"enabling the service enables the sockets", "moatd.service", "Install", "Also", "moatd.socket moatd-proxy.socket moatd-routing.socket"},

		{"no set-uid program raises it", "moatd.service", "Service", "NoNewPrivileges", "yes"},
		{"no other personality", "moatd.service", "Service", "LockPersonality", "yes"},
		{"no memory both writable and executable", "moatd.service", "Service", "MemoryDenyWriteExecute", "yes"},
		{"no claim to all of the processor", "moatd.service", "Service", "RestrictRealtime", "yes"},
		{"no set-uid files", "moatd.service", "Service", "RestrictSUIDSGID", "yes"},
		{"no namespaces", "moatd.service", "Service", "RestrictNamespaces", "yes"},
		{"no exotic protocols", "moatd.service", "Service", "RestrictAddressFamilies", "AF_UNIX AF_INET AF_INET6 AF_NETLINK"},
		{"no foreign system calls", "moatd.service", "Service", "SystemCallArchitectures", "native"},
		{"a forbidden call is an error, not a death", "moatd.service", "Service", "SystemCallErrorNumber", "EPERM"},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			got := option(parse(t, tt.unit, packaged), tt.section, tt.name)
			if !slices.Equal(got, []string{tt.want}) {
				t.Errorf("%s: [%s] %s=%q, want %q", tt.unit, tt.section, tt.name, got, tt.want)
			}
		})
	}
}

// systemd goes through them in this order: what a service calls, less what needs
// a privilege, and what the daemon confines itself with.
func TestUnits_filterSystemCalls(t *testing.T) {
	want := []string{
		"@system-service", "~@privileged @resources", "landlock_create_ruleset landlock_add_rule landlock_restrict_self",
	}
	for _, unit := range []func(string, string) (string, error){initfiles.Unit, initfiles.SystemUnit} {
		text, err := unit("moatd.service", packaged)
		if err != nil {
			t.Fatal(err)
		}
		if got := option(parseText(t, text), "Service", "SystemCallFilter"); !slices.Equal(got, want) {
			t.Errorf("SystemCallFilter=%q, want %q", got, want)
		}
	}
}

// The drain limit of 25 s, and the database's last sync, must fit in.
func TestUnits_leaveTimeToDrain(t *testing.T) {
	const drain = 25 * time.Second
	got := option(parse(t, "moatd.service", packaged), "Service", "TimeoutStopSec")
	if d, err := time.ParseDuration(got[0] + "s"); err != nil || d < drain+5*time.Second {
		t.Errorf("TimeoutStopSec=%s, want at least 5 s more than the drain limit of %v", got, drain)
	}
}

// Without a limit on the number of starts this is all that bounds a crash loop;
// but clients wait that long after every crash.
func TestUnits_restartSoonButNotAtOnce(t *testing.T) {
	got := option(parse(t, "moatd.service", packaged), "Service", "RestartSec")
	if d, err := time.ParseDuration(got[0]); err != nil || d < 200*time.Millisecond || d > time.Second {
		t.Errorf("RestartSec=%s, want between 200ms and 1s", got)
	}
}

// Each of these fails or is ignored under a user manager of systemd 252.
func TestUnits_haveNothingThat252DoesNotDo(t *testing.T) {
	reasons := map[string]string{
		"RestartSteps":                "is of 254, and 252 warns about it",
		"RestartMaxDelaySec":          "is of 254, and 252 warns about it",
		"FileDescriptorStorePreserve": "is of 254, and 252 warns about it",
		"StateDirectory":              "is another directory in 252 than in 254",
		"LogsDirectory":               "is another directory in 252 than in 254",
		"ProtectSystem":               "is ignored without user namespaces",
		"ProtectHome":                 "is ignored without user namespaces",
		"PrivateTmp":                  "is ignored without user namespaces",
		"PrivateUsers":                "keeps the unit from starting where there are no user namespaces",
		"PrivateDevices":              "keeps the unit from starting",
		"ProtectClock":                "keeps the unit from starting",
		"ProtectKernelModules":        "keeps the unit from starting",
		"ProtectKernelLogs":           "keeps the unit from starting",
		"CapabilityBoundingSet":       "keeps the unit from starting",
		"DynamicUser":                 "keeps the unit from starting",
		"IPAddressDeny":               "is ignored",
		"ProtectProc":                 "is ignored",
		"ProcSubset":                  "is ignored",
		"BindPaths":                   "keeps the unit from starting",
		"BindReadOnlyPaths":           "keeps the unit from starting",
		"TemporaryFileSystem":         "keeps the unit from starting",
		"ReadWritePaths":              "is ignored without user namespaces",
		"ProtectControlGroups":        "is ignored without user namespaces",
		"ProtectKernelTunables":       "is ignored without user namespaces",
		"ProtectHostname":             "is ignored without user namespaces",
		"SocketBindDeny":              "is ignored",
		"RestrictNetworkInterfaces":   "is ignored",
		"DevicePolicy":                "is ignored",
		"WantedBy=default.target":     "starts a daemon that nobody has called",
	}
	for _, name := range initfiles.UnitNames() {
		for _, o := range parse(t, name, packaged) {
			for _, key := range []string{o.Name, o.Name + "=" + o.Value} {
				if reason, bad := reasons[key]; bad {
					t.Errorf("%s has %s, which %s", name, key, reason)
				}
			}
		}
	}
}

func TestUnits_haveNoTraceOfATemplate(t *testing.T) {
	for _, name := range initfiles.UnitNames() {
		text, err := initfiles.Unit(name, "/opt/moatd")
		if err != nil {
			t.Fatal(err)
		}
		for _, trace := range []string{"{{", "}}", "@bindir@", "%!", packaged} {
			if strings.Contains(text, trace) {
				t.Errorf("Unit(%q, /opt/moatd) has %q in it", name, trace)
			}
		}
	}
}
