package moatd

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/activation"
	"github.com/moatd/moatd/pkg/internal/confine"
	"github.com/moatd/moatd/pkg/internal/keyring"
	"github.com/moatd/moatd/pkg/internal/logging"
	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// A Process is what the program got from the outside.
type Process struct {
	Args     []string                 // without the program's name
	Getenv   func(name string) string // as [os.Getenv]
	UserHome string                   // the user's home directory, "" if it is not known
	Stdout   io.Writer
	Stderr   io.Writer
	// Exe is the program, which with the argument renew-helper must call Main too; ""
	// means that there is no helper, and the daemon renews credentials by itself.
	Exe     string
	Version string // of the program
	Commit  string // that it was built from
}

// Main is the program: it does what the arguments say, with SIGTERM and SIGINT
// to end it and SIGHUP to reload, and returns the exit code. It is called once
// in a process.
func Main(p Process) int {
	daemon.BuildCommit = p.Commit
	p.Stderr = logging.Limit(p.Stderr, config.AgentLogFile(p.UserHome))
	if len(p.Args) == 1 && (p.Args[0] == "version" || p.Args[0] == "--version") {
		fmt.Fprintln(p.Stdout, "moatd", p.Version, p.Commit)
		return 0
	}
	if len(p.Args) > 0 && p.Args[0] == renewHelper {
		return p.renewHelper()
	}
	if len(p.Args) == 0 || p.Args[0] != "serve" {
		fmt.Fprintln(p.Stderr, "moatd: usage: moatd serve [flags]; moatd serve -h lists them")
		return ExitUsage
	}
	notify := activation.NewNotifier()
	opts, err := p.options(p.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		opts.Notify = notify
		err = p.serve(opts)
	}
	if err != nil {
		p.complain(err, notify)
	}
	return ExitCode(err)
}

// complain says why the daemon ends, where people look for it: in the log, by way
// of a line that is attributed to this process after its end too, and in the
// status of the service.
func (p Process) complain(err error, notify *activation.Notifier) {
	if lost := notify.Failed(err); lost != nil {
		err = errors.Join(err, lost)
	}
	fmt.Fprintf(p.Stderr, "%smoatd: %s\n", p.priority(), strings.ReplaceAll(err.Error(), "\n", "; "))
}

// priority is what the journal reads the priority of a line from, 3 for an
// error; elsewhere it would only be noise.
func (p Process) priority() string {
	if p.Getenv("JOURNAL_STREAM") == "" {
		return ""
	}
	return "<3>"
}

func (p Process) serve(opts Options) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	if err := confine.Memory(); err != nil {
		fmt.Fprintf(p.Stderr, "%smoatd: %v\n", p.priority(), err) // no reason to leave the runs without a proxy
	}
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	handed, err := activation.Take()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	opts.Handed, opts.Hangup = handed, hangup
	opts.Containers = daemon.NewContainerChecker(p.engines())
	opts.Confine, opts.Helper = p.confine, p.helper()
	return supervisor.Run(ctx, func(ctx context.Context) error { return Serve(ctx, opts) })
}

// engines returns where the environment says that container engines are. What
// is no Unix socket is left to the engine's command, which has the environment.
func (p Process) engines() daemon.ContainerOptions {
	opts := daemon.ContainerOptions{RuntimeDir: p.Getenv("XDG_RUNTIME_DIR"), UserHome: p.UserHome}
	for _, name := range []string{"DOCKER_HOST", "CONTAINER_HOST"} {
		if path, ok := strings.CutPrefix(p.Getenv(name), "unix://"); ok {
			opts.Sockets = append(opts.Sockets, path)
		}
	}
	return opts
}

// options reads flags, environment and config.yaml.
func (p Process) options(args []string) (Options, error) {
	flags := flag.NewFlagSet("moatd serve", flag.ContinueOnError)
	flags.SetOutput(p.Stderr)
	home := flags.String("home", p.Getenv("MOAT_HOME"), "`directory` of all state (default ~/.moat)")
	for name, usage := range map[string]string{
		"api-socket":   "`path` of the management socket, unless a supervisor hands one over",
		"proxy-addr":   "`ip:port` of the proxy, unless a supervisor hands one over (default 127.0.0.1:19080)",
		"routing-addr": "`ip:port` of the routes, unless a supervisor hands one over, or off (default 127.0.0.1:8080)",
		"idle-exit":    "end after so `long` without runs, 0 for never (default 30m)",
		"drain-limit":  "how `long` requests may last after SIGTERM (default 25s)",
		"log-format":   "`form` of the log: auto, text, json or journal (default auto)",
		"upstream-ca":  "PEM `file` of further roots for upstreams",
		"key-source":   "`where` a home without a key keeps its own: auto, keyring, credentials or file (default auto)",
		"refuse-at":    "`where` a CONNECT that is not allowed is refused: request or connect (default request)",
		"sandbox":      "`on`, or off for a daemon that may open every file of its user (default on)",
	} {
		flags.String(name, "", usage)
	}
	if err := flags.Parse(args); err != nil {
		return Options{}, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	if flags.NArg() > 0 {
		return Options{}, fmt.Errorf("%w: moatd serve takes no arguments, only flags", ErrUsage)
	}
	set := make(map[string]string)
	flags.Visit(func(f *flag.Flag) { set[f.Name] = f.Value.String() })
	if _, err := config.Apply(config.Defaults("/", ""), config.Flags(set)); err != nil {
		return Options{}, fmt.Errorf("%w: %w", ErrUsage, err)
	}
	settings, err := p.settings(*home, set)
	if err != nil {
		return Options{}, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	reread := func() (config.Settings, error) { return p.settings(*home, set) }
	stderr := logging.Limit(p.Stderr, config.LogFile(settings.Home))
	return Options{
		Settings: settings, Version: p.Version, Stderr: stderr, Reread: reread, Keys: keyring.Chain(settings, p.Getenv),
	}, nil
}

func (p Process) settings(home string, set map[string]string) (config.Settings, error) {
	home, err := config.Home(home, p.UserHome)
	if err != nil {
		return config.Settings{}, err
	}
	file, err := config.File(home)
	if err != nil {
		return config.Settings{}, err
	}
	base := config.Defaults(home, p.Getenv("XDG_RUNTIME_DIR"))
	return config.Apply(base, config.Flags(set), config.Environment(p.Getenv), file)
}
