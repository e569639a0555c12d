package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemon"
)

// Exit codes; see the comment of the package.
const (
	exitFailure    = 1
	exitUsage      = 2
	exitNotRunning = 3

	exitNotInstalled = 4
)

// A Process is what the program got from the outside.
type Process struct {
	Args     []string                 // without the program's name
	Getenv   func(name string) string // as [os.Getenv]
	Environ  []string                 // as [os.Environ]
	UserHome string                   // the user's home directory, "" if it is not known
	Stdin    *os.File
	Stdout   io.Writer
	Stderr   io.Writer
	Version  string // of the program
	Commit   string // that it was built from, "" if it is not known
	Root     string // of the file system, where the service manager is looked for; "" means /
}

// Main runs the command that the arguments name and returns the exit code.
func Main(ctx context.Context, p Process) int {
	root := Command(p) //nolint:contextcheck // cobra hands the context on
	root.SetArgs(p.Args)
	root.SetIn(p.Stdin)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[exitCode](err); ok {
		return int(code)
	}
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(p.Stderr, "moat: %s\n", strings.TrimSuffix(line, "\n"))
	}
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(p.Stderr, "moat: hint: %s\n", hint)
	}
	if _, ok := errors.AsType[usageError](err); ok {
		return exitUsage
	}
	if c, ok := errors.AsType[coded](err); ok {
		return c.code
	}
	return exitFailure
}

// Command returns moat and the commands below it, for p and for who describes
// them.
func Command(p Process) *cobra.Command {
	a := &app{process: p}
	return a.command()
}

// exitCode is an error that ends the program with a code and says nothing more.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// app is what the commands share.
type app struct {
	process  Process
	settings config.Settings
	profile  string // of --profile; "" means that of the settings
	// settingsErr is why the settings are only the defaults, for the commands that
	// work all the same.
	settingsErr error
	json        bool
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:           "moat",
		Short:         "Run coding agents without handing them your keys",
		Long:          rootLong,
		Version:       a.process.Version,
		SilenceErrors: true, // Main prints them
		SilenceUsage:  true,
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		SuggestionsMinimumDistance: 2,
	}
	root.PersistentFlags().BoolVar(&a.json, "json", false, "print JSON, for programs")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError{err, cmd.CommandPath()} })
	for _, cmd := range []*cobra.Command{a.grantCommand(), a.revokeCommand(), a.runCommand(), a.lsCommand(), a.statusCommand(), a.credentialCommand()} {
		root.AddCommand(a.configured(cmd))
	}
	root.AddCommand(a.daemonCommand(), a.doctorCommand())
	root.AddCommand(a.completionCommand()) // it needs no settings
	root.SetHelpCommand(helpCommand(root))
	return root
}

const rootLong = `moat runs a coding agent, or any program, so that its requests carry your
credentials while the program itself never sees them.

  moat grant github                       store a credential, once
  moat run --grant github -- gh pr list   use it
  moat ls                                 the runs that there are
  moat status                             the daemon, and what is wrong with it
  moat daemon install                     make the daemon a service of yours
  moat doctor                             everything around it, and what mends it`

// helpCommand is cobra's but for a command that does not exist, which is a wrong
// use.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Show the help of a command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return noSuchCommand(root, args)
			}
			cmd.InitDefaultHelpFlag()    // or the help does not show the flags that
			cmd.InitDefaultVersionFlag() // every command gets when it runs
			return cmd.Help()
		},
	}
}

// configured makes cmd, and its commands, begin with the settings.
func (a *app) configured(cmd *cobra.Command) *cobra.Command {
	cmd.PreRunE = func(*cobra.Command, []string) error { return a.configure() }
	for _, sub := range cmd.Commands() {
		a.configured(sub)
	}
	return cmd
}

// configure reads the settings that the commands share with the daemon.
func (a *app) configure() error {
	home, err := config.Home(a.process.Getenv("MOAT_HOME"), a.process.UserHome)
	if err != nil {
		return err
	}
	a.settings = config.Defaults(home, a.process.Getenv("XDG_RUNTIME_DIR"))
	file, err := config.File(home)
	if err != nil {
		return err
	}
	flags := make(map[string]string)
	if a.profile != "" {
		flags["profile"] = a.profile
	}
	settings, err := config.Apply(a.settings, config.Flags(flags), config.Environment(a.process.Getenv), file)
	if err == nil {
		a.settings = settings
	}
	return err
}

// client returns a client of the daemon, at the socket of one that is running,
// else at the one of the settings. There its first call starts the daemon where
// a service manager holds the socket.
func (a *app) client() *daemon.Client {
	if last, err := daemon.ReadLockFile(a.settings.Home); err == nil && last.IsAlive() {
		a.settings.APISocket = last.SockPath
	}
	return daemon.NewClient(a.settings.APISocket).WithVersion(a.process.Version)
}
