package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
Variables that hold the secret of one of its grants are kept from it.

With --json it prints the run, as one line on standard error, before COMMAND
starts.`,
		Example: "  moat run --grant github -- gh pr list\n  moat run --grant anthropic --policy strict --allow '*.npmjs.org' -- my-agent",
		Args:    arguments(1, -1),
		RunE:    func(cmd *cobra.Command, args []string) error { return a.run(cmd.Context(), f, args) },
	}
	flags := cmd.Flags()
	flags.SetInterspersed(false) // what follows COMMAND is its own
	flags.StringArrayVar(&f.grants, "grant", nil, "`name` of a credential to use; may be repeated")
	flags.StringArrayVar(&f.allow, "allow", nil, "`host` to allow: host, host:port, *.domain; may be repeated")
	flags.StringVar(&f.policy, "policy", "", "network `policy`: permissive or strict (default permissive)")
	flags.StringVar(&f.name, "name", "", "`id` of the run (default a random one)")
	completeFlag(cmd, "grant", a.completes(a.storedGrants))
	completeFlag(cmd, "policy", cobra.FixedCompletions([]string{"permissive", "strict"}, cobra.ShellCompDirectiveNoFileComp))
	completeFlag(cmd, "allow", cobra.NoFileCompletions)
	completeFlag(cmd, "name", cobra.NoFileCompletions)
	return cmd
}

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
	base, err := a.withoutSecrets(ctx, f.grants)
	if err != nil {
		return err
	}
	signals, stop := takeSignals() // before there is a run that they would leave behind
	defer stop()
	client, reg, err := a.register(ctx, daemon.RegisterRequest{
		RunID: f.name, Grants: f.grants, NetworkPolicy: f.policy, NetworkAllow: f.allow,
	})
	if err != nil {
		return err
	}
	defer a.unregister(context.WithoutCancel(ctx), client, reg.AuthToken)
	if err = a.announce(f, reg.ProxyPort); err != nil {
		return err
	}
	if err = writeChildFiles(a.settings.Home); err != nil {
		return err
	}
	_, err = os.Stat(filepath.Join(a.process.UserHome, ".wgetrc"))
	child := childEnv{home: a.settings.Home, token: reg.AuthToken, port: reg.ProxyPort, grants: env, ownWgetrc: err == nil}
	return a.child(ctx, program{path, args, child.environ(base)}, signals)
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
	if err := json.NewEncoder(a.process.Stderr).Encode(runStarted{f.name, port, f.grants}); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
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

func newRunID() string {
	var b [4]byte
	_, _ = rand.Read(b[:]) // crypto/rand never fails; it ends the program instead
	return "run_" + hex.EncodeToString(b[:])
}
