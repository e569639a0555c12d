package cli

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/doctor"
)

const doctorLong = `moat doctor looks at everything that moatd needs on this machine: the service and
its sockets, the daemon, its state and its secrets, the log, containers, and the
confinement. It shows what is not in order, and the command that mends it.

It changes nothing. It connects to a daemon that runs, and starts none, unless
--start is given. Where a run is a container, it starts one of an image that is
there, which dials the proxy and is removed; --container does so in any case.

It ends with 0 if all is in order or there are only warnings, with 1 if
something is broken. With --json it prints

  {"status": "warn", "version": "v1.2.3", "checks": [
    {"name": "linger", "topic": "service", "status": "warn", "detail": "…",
     "fix": "sudo loginctl enable-linger me", "since": "2026-01-02T03:04:05Z"}]}

where a status is "ok", "skip" (does not apply, as the detail says), "warn" or
"fail", and fix and since are there where they are known. Names of checks stay
the same from version to version; texts may change.`

// doctorFlags are the flags of moat doctor.
type doctorFlags struct {
	verbose, start, container bool
}

func (a *app) doctorCommand() *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Find out what is wrong, and what mends it",
		Long:    doctorLong,
		Args:    arguments(0, 0),
		PreRunE: func(*cobra.Command, []string) error { return a.configureDefaults() },
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.BoolVarP(&f.verbose, "verbose", "v", false, "show what is in order too")
	flags.BoolVar(&f.start, "start", false, "connect to the sockets of a daemon that does not run, which starts it")
	flags.BoolVar(&f.container, "container", false, "start a container that tries to reach the proxy")
	cmd.AddCommand(dialCommand())
	return cmd
}

// configureDefaults is configure for a command that works with bad settings too:
// they are those of a user who set nothing, and settingsErr says why.
func (a *app) configureDefaults() error {
	a.settingsErr = a.configure()
	if a.settings.Home == "" {
		return a.settingsErr
	}
	return nil
}

// diagnosis is what moat doctor --json prints.
type diagnosis struct {
	Status  doctor.Status   `json:"status"` // the most serious of the checks
	Version string          `json:"version"`
	Checks  []doctor.Result `json:"checks"`
}

func (a *app) doctor(ctx context.Context, f doctorFlags) error {
	getenv := a.process.Getenv
	results := doctor.Examine(ctx, doctor.Options{
		Settings:    a.settings,
		SettingsErr: a.settingsErr,
		Supervisor:  a.supervisor(),
		Version:     a.process.Version,
		Commit:      a.process.Commit,
		RuntimeDir:  getenv("XDG_RUNTIME_DIR"),
		ConfigDir:   getenv("XDG_CONFIG_HOME"),
		UserHome:    a.process.UserHome,
		Path:        getenv("PATH"),
		Start:       f.start,
		Container:   f.container,
		Engines:     a.engines(),
	})
	out := diagnosis{doctor.Worst(results), a.process.Version, results}
	err := print(a, out, func(w *tabwriter.Writer) { out.people(w, f.verbose) })
	if err == nil && out.Status == doctor.Fail {
		return exitCode(exitFailure)
	}
	return err
}

// engines returns where the environment says that container engines are.
func (a *app) engines() daemon.ContainerOptions {
	opts := daemon.ContainerOptions{RuntimeDir: a.process.Getenv("XDG_RUNTIME_DIR"), UserHome: a.process.UserHome}
	for _, name := range []string{"DOCKER_HOST", "CONTAINER_HOST"} {
		if path, ok := strings.CutPrefix(a.process.Getenv(name), "unix://"); ok {
			opts.Sockets = append(opts.Sockets, path)
		}
	}
	return opts
}

func (d diagnosis) people(w *tabwriter.Writer, verbose bool) {
	count := make(map[doctor.Status]int)
	for _, r := range d.Checks {
		count[r.Status]++
		if !verbose && (r.Status == doctor.OK || r.Status == doctor.Skip) {
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s%s\n", r.Status, r.Topic, r.Name, r.Detail, since(r.Since))
		if r.Fix != "" {
			fmt.Fprintf(w, "\t\t\tmend: %s\n", r.Fix)
		}
	}
	fmt.Fprintf(w, "%d checks: %d ok, %d do not apply, %s, %s\n", len(d.Checks), count[doctor.OK], count[doctor.Skip],
		counted(count[doctor.Warn], "warning"), counted(count[doctor.Fail], "fault"))
}

func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return ", since " + t.Local().Format(time.DateTime)
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// dialTimeout is how long a container may take to reach the proxy.
const dialTimeout = 5 * time.Second

// dialCommand is what moat doctor runs in a container.
func dialCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "dial HOST:PORT",
		Short:  "Try whether the proxy of moatd answers at an address",
		Hidden: true,
		Args:   arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), dialTimeout)
			defer cancel()
			return doctor.Dial(ctx, args[0])
		},
	}
}
