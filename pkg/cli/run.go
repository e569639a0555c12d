package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os/exec"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/daemon"
)

// runFlags are the flags of moat run.
type runFlags struct {
	grants []string
	allow  []string
	policy string
	name   string
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [flags] -- COMMAND [ARG...]",
		Short: "Run a program whose requests carry your credentials",
		Long: `moat run registers a run, starts COMMAND with its proxy and its CA in the
environment, passes signals on to it, and ends with its exit code. The program
gets placeholders; the credentials are put into its requests on their way.

With --json it prints the run, as one line on standard error, before COMMAND
starts.`,
		Example: "  moat run --grant github -- gh pr list\n  moat run --grant anthropic --policy strict --allow '*.npmjs.org' -- my-agent",
		Args:    usage(cobra.MinimumNArgs(1)),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.run(cmd.Context(), f, args) },
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // what follows COMMAND is its own
	flags.StringArrayVar(&f.grants, "grant", nil, "`name` of a credential to use; may be repeated")
	flags.StringArrayVar(&f.allow, "allow", nil, "`host` to allow: host, host:port, *.domain; may be repeated")
	flags.StringVar(&f.policy, "policy", "", "network policy: permissive or strict (default permissive)")
	flags.StringVar(&f.name, "name", "", "`id` of the run (default a random one)")
	return cmd
}

// Exit codes of moat run for a command that does not start, as of env(1).
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

func (a *app) run(ctx context.Context, f runFlags, args []string) error {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return a.notStarted(args[0], err)
	}
	if f.name == "" {
		f.name = newRunID()
	}
	env, err := a.grantEnv(f.grants)
	if err != nil {
		return err
	}
	client := a.client()
	reg, err := client.RegisterRun(ctx, daemon.RegisterRequest{
		RunID: f.name, Grants: f.grants, NetworkPolicy: f.policy, NetworkAllow: f.allow,
	})
	if err != nil {
		return err
	}
	defer a.unregister(context.WithoutCancel(ctx), client, reg.AuthToken)
	if err := a.announce(f, reg.ProxyPort); err != nil {
		return err
	}
	child := childEnv{home: a.settings.Home, token: reg.AuthToken, port: reg.ProxyPort, grants: env}
	if err := child.writeNodeHook(); err != nil {
		return err
	}
	return a.child(ctx, path, args, child.environ(a.process.Environ))
}

// notStarted says why a command does not start, with the code of env(1).
func (a *app) notStarted(name string, err error) error {
	code := exitNotExecutable
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		code = exitNotFound
	}
	fmt.Fprintf(a.process.Stderr, "moat: run %s: %v\n", name, errors.Unwrap(err))
	return exitCode(code)
}

// runStarted is what moat run --json prints.
type runStarted struct {
	RunID     string   `json:"run_id"`
	ProxyPort int      `json:"proxy_port"`
	Grants    []string `json:"grants,omitempty"`
}

// announce says which run it is, on standard error: standard output belongs to
// the command.
func (a *app) announce(f runFlags, port int) error {
	if !a.json {
		return nil
	}
	onStderr := *a
	onStderr.process.Stdout = a.process.Stderr
	return print(&onStderr, runStarted{f.name, port, f.grants}, func(*tabwriter.Writer) {})
}

// unregisterTimeout is how long the daemon may take to forget a run.
const unregisterTimeout = 10 * time.Second

// unregister forgets the run. That the command is over is all that its user
// wants to know, so a failure is only told.
func (a *app) unregister(ctx context.Context, client *daemon.Client, token string) {
	ctx, cancel := context.WithTimeout(ctx, unregisterTimeout)
	defer cancel()
	if err := client.UnregisterRun(ctx, token); err != nil && !errors.Is(err, daemon.ErrRunNotFound) {
		fmt.Fprintf(a.process.Stderr, "moat: the run is still registered: %v\n", err)
	}
}

// grantEnv returns the placeholders that the providers of the grants want in
// the environment.
func (a *app) grantEnv(names []string) (map[string]string, error) {
	env := make(map[string]string)
	for _, name := range names {
		p, err := a.provider(name)
		if err != nil {
			return nil, err
		}
		maps.Copy(env, p.Env())
	}
	return env, nil
}

func newRunID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails; it ends the program instead
	return "run_" + hex.EncodeToString(b[:])
}
