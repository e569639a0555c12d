package pkg_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/moatd/moatd/"

// mayImport is the architecture: for each package, the packages of this module
// (below pkg/) and the outside packages that it may import itself. A package
// that is missing here does not exist. ARCHITECTURE.md has the reasons.
var mayImport = map[string][]string{
	"cmd/moat":  {"cli"},
	"cmd/moatd": {"moatd"},
	"init":      {},

	"packaging/cmd/gendocs":      {module + "packaging/internal/manual", module + "packaging/internal/release", "cli"},
	"packaging/cmd/notices":      {},
	"packaging/internal/manual":  {"github.com/spf13/cobra", "github.com/spf13/pflag"},
	"packaging/internal/release": {yaml},

	// What the tests with a real systemd run in their box.
	"init/systemd/internal/boxload":   {},
	"init/systemd/internal/boxorigin": {},
	"init/systemd/internal/boxprobe":  {"golang.org/x/sys/unix"},

	"pkg/cli": {
		"config", "credential", "daemon", "internal/doctor", "internal/githubapp", "internal/grants", "internal/hosts", "internal/keyring", "internal/logging", "internal/oauth", "internal/pki", "internal/providers", "internal/supervisor", "internal/version",
		"filippo.io/age", "github.com/spf13/cobra", "github.com/spf13/pflag", "golang.org/x/net/http/httpproxy", "golang.org/x/term",
	},
	"pkg/moatd": {
		"config", "credential", "daemon", "proxy", "routing", "internal/activation", "internal/aws", "internal/confine", "internal/fds",
		"internal/grants", "internal/hosts", "internal/keyring", "internal/logging", "internal/pki", "internal/renew", "internal/store", "internal/supervisor", "internal/tasks", logrus,
	},
	"pkg/daemontest": {"config", "credential", "daemon", "moatd", "proxy"},
	"pkg/daemon": {
		"config", "credential", "proxy", "routing", "internal/activation", "internal/drain", "internal/hosts", "internal/logging", "internal/store", logrus, "golang.org/x/sys/unix",
	},
	"pkg/proxy":      {"credential", "internal/drain", "internal/framing", "internal/hosts", "internal/inject", "internal/logging", "internal/mitm", logrus},
	"pkg/routing":    {"internal/drain", "internal/fds", "internal/hosts", "internal/store", logrus},
	"pkg/credential": {"golang.org/x/crypto/chacha20poly1305"},
	"pkg/config":     {yaml},

	"pkg/internal/aws": {
		"credential", logrus, awsSDK + "aws", awsSDK + "aws/retry", awsSDK + "aws/transport/http", awsSDK + "config",
		awsSDK + "credentials", awsSDK + "feature/ec2/imds", awsSDK + "service/sts",
	},
	"pkg/internal/confine":    {"github.com/landlock-lsm/go-landlock/landlock", "github.com/landlock-lsm/go-landlock/landlock/syscall", "golang.org/x/sys/unix"},
	"pkg/internal/keyring":    {"config", "credential", "github.com/godbus/dbus/v5"},
	"pkg/internal/renew":      {"credential", "internal/githubapp", "internal/oauth", logrus, "golang.org/x/oauth2"},
	"pkg/internal/grants":     {"credential", "internal/hosts", "internal/inject", "internal/providers", "github.com/fsnotify/fsnotify"},
	"pkg/internal/providers":  {"credential", "internal/hosts", yaml},
	"pkg/internal/inject":     {"internal/coding", "internal/hosts", "internal/replace"},
	"pkg/internal/replace":    {},
	"pkg/internal/coding":     {"github.com/andybalholm/brotli", "github.com/klauspost/compress/zstd"},
	"pkg/internal/mitm":       {"internal/drain", "internal/framing", "internal/hosts"},
	"pkg/internal/framing":    {},
	"pkg/internal/pki":        {"internal/hosts"},
	"pkg/internal/githubapp":  {"credential"},
	"pkg/internal/oauth":      {"credential", "golang.org/x/oauth2"},
	"pkg/internal/oauthtest":  {},
	"pkg/internal/hosts":      {"golang.org/x/net/idna"},
	"pkg/internal/store":      {"go.etcd.io/bbolt", "go.etcd.io/bbolt/errors"},
	"pkg/internal/activation": {systemd + "activation", systemd + "daemon", "golang.org/x/sys/unix"},
	"pkg/internal/fds":        {"golang.org/x/sys/unix"},
	"pkg/internal/logging":    {logrus, systemd + "journal", "golang.org/x/sys/unix"},
	"pkg/internal/supervisor": {"config", "internal/logging", initfiles, "github.com/kardianos/service", "golang.org/x/sys/unix"},
	"pkg/internal/doctor": {
		"config", "credential", "daemon", "internal/pki", "internal/providers", "internal/store", "internal/supervisor", "internal/version",
		initfiles, "golang.org/x/sys/unix",
	},
	"pkg/internal/version": {},
	"pkg/internal/tasks":   {},
	"pkg/internal/drain":   {},
	"pkg/internal/demo":    {},
	"pkg/internal/stuck":   {"config", "moatd", "internal/activation", "internal/store"},
}

const (
	awsSDK    = "github.com/aws/aws-sdk-go-v2/"
	logrus    = "github.com/sirupsen/logrus"
	initfiles = module + "init"
	systemd   = "github.com/coreos/go-systemd/v22/"
	yaml      = "go.yaml.in/yaml/v3"
)

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}: {{join .Imports " "}}`, module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		path, imports, _ := strings.Cut(strings.TrimSpace(line), ":")
		name, ok := strings.CutPrefix(path, module)
		if !ok || imports == "" {
			continue // a folder of tests only
		}
		allowed, known := mayImport[name]
		if !known {
			t.Errorf("%s is not in the table of imports", name)
		}
		for imp := range strings.FieldsSeq(imports) {
			if first, _, _ := strings.Cut(imp, "/"); !strings.Contains(first, ".") {
				continue // the standard library
			}
			if imp = strings.TrimPrefix(imp, module+"pkg/"); !slices.Contains(allowed, imp) {
				t.Errorf("%s imports %s, which the table does not allow", name, imp)
			}
		}
	}
}
