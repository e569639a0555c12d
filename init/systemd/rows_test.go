//go:build e2e

package systemd_test

// rowsOfAny are of the directives of the user's and of the system's unit.
var rowsOfAny = []row{
	{directive: "NoNewPrivileges", attempt: "become /usr/local/lib/probe/suid am-root"},
	{directive: "LockPersonality", attempt: "personality"},
	{directive: "MemoryDenyWriteExecute", attempt: "writable-code"},
	{directive: "RestrictRealtime", attempt: "realtime"},
	{directive: "RestrictSUIDSGID", attempt: "set-uid %STATE/suid"},
	{directive: "RestrictNamespaces", attempt: "namespace"},
	{directive: "RestrictAddressFamilies", attempt: "socket 40"}, // AF_VSOCK, to the machine that runs this one
	{directive: "SystemCallArchitectures", attempt: "386 nothing", end: killed},
	{directive: "SystemCallFilter", attempt: "be-traced"},
	{directive: "SystemCallFilter", attempt: "chown %STATE/owned"},
	{directive: "SystemCallFilter", attempt: "nice"},
	{directive: "KeyringMode", attempt: "find-key moatd-test", needs: []string{"KeyringMode=inherit"}},
	{directive: "LimitCORE", attempt: "dump-core", needs: []string{"LimitCORE=infinity"}},
	{directive: "UMask", attempt: "public-file %STATE/public", needs: []string{"UMask=0022"}},
}

// rowsOfNamespaces are of the drop-in, and of the system's unit.
var rowsOfNamespaces = []row{
	{directive: "ProtectSystem", attempt: "write /srv/open/file"},
	{directive: "PrivateTmp", attempt: "read /tmp/others"},
	{directive: "PrivateDevices", attempt: "open-write /dev/openly"},
	{directive: "ProtectClock", attempt: "ask-clock"},
	{directive: "ProtectControlGroups", attempt: "mkdir /sys/fs/cgroup/openly/probe"},
	{directive: "ProtectHostname", attempt: "hostname"},
	{directive: "ProtectKernelLogs", attempt: "open-write /dev/kmsg"},
	{directive: "ProtectKernelModules", attempt: "list /usr/lib/modules"},
	{directive: "ProtectKernelTunables", attempt: "read /proc/kallsyms"},
	{directive: "CapabilityBoundingSet", attempt: "become /usr/local/lib/probe/able am-able"},
}

var rowsOfSandbox = []row{
	{directive: "PrivateUsers", attempt: "become /usr/local/lib/probe/suid am-root"},
	{directive: "ProtectHome", attempt: "write /home/moat/.bashrc"},
}

// operational are the directives that confine nothing: what they do is shown by
// the tests of the service's life.
var operational = []string{
	"Type", "ExecStart", "ExecReload", "Sockets", "Restart", "RestartPreventExitStatus", "RestartSec", "TimeoutStartSec",
	"TimeoutStopSec", "WatchdogSec", "OOMPolicy", "LimitNOFILE", "SystemCallErrorNumber",
	"ExecStartPre", "ReadWritePaths", "StateDirectory", "StateDirectoryMode", "Group",
}
