package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// shells are those that can complete moat's command line.
var shells = []string{"bash", "fish", "powershell", "zsh"}

func (a *app) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the script that completes moat in a shell",
		Long: `moat completion prints a script for bash, zsh, fish or powershell that completes
the commands, flags and grants of moat. A package of the system has installed it.

  bash         source <(moat completion bash)
  zsh          moat completion zsh >"${fpath[1]}/_moat"
  fish         moat completion fish >~/.config/fish/completions/moat.fish
  powershell   moat completion powershell | Out-String | Invoke-Expression`,
		Args:              cobra.MatchAll(arguments(1, 1), knownShell),
		ValidArgsFunction: cobra.FixedCompletions(shells, cobra.ShellCompDirectiveNoFileComp),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.completion(cmd.Root(), args[0]) },
	}
}

func knownShell(cmd *cobra.Command, args []string) error {
	if slices.Contains(shells, args[0]) {
		return nil
	}
	return usageError{fmt.Errorf("%q is none of the shells %s", args[0], strings.Join(shells, ", ")), cmd.CommandPath()}
}

func (a *app) completion(root *cobra.Command, shell string) error {
	out := a.process.Stdout
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(out, true)
	case "zsh":
		return root.GenZshCompletion(out)
	case "fish":
		return root.GenFishCompletion(out, true)
	}
	return root.GenPowerShellCompletionWithDesc(out)
}

// A completer proposes words for the command line. Whatever is in its way, it
// proposes none: the middle of a command line is no place for an error.
type completer = cobra.CompletionFunc

// completes makes a completer of what lists the words.
func (a *app) completes(words func(context.Context) ([]string, error)) completer {
	return func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		if err := a.configure(); err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		all, err := words(ctx)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}

// completionTimeout is how long who presses the tab key waits for a daemon.
const completionTimeout = time.Second

// completeFlag has c complete the value of a flag that cmd has.
func completeFlag(cmd *cobra.Command, flag string, c completer) {
	if err := cmd.RegisterFlagCompletionFunc(flag, c); err != nil {
		panic(err) // there is no such flag
	}
}

// first makes a completer one of the first argument alone.
func first(c completer) completer {
	return func(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c(cmd, args, toComplete)
	}
}

// storedGrants lists the credentials that there are.
func (a *app) storedGrants(context.Context) ([]string, error) {
	return credential.Names(config.CredentialsDir(a.settings.Home))
}

// knownProviders lists the providers for which there can be a credential.
func (a *app) knownProviders(context.Context) ([]string, error) {
	set, err := providers.Load(config.ProvidersDir(a.settings.Home))
	if set == nil {
		return nil, err
	}
	return set.Names(), nil // those that can be read; moat grant says what is wrong with the others
}

// liveRuns lists the runs of a daemon that is there. It starts none.
func (a *app) liveRuns(ctx context.Context) ([]string, error) {
	last, err := daemon.ReadLockFile(a.settings.Home)
	if err != nil || !last.IsAlive() {
		return nil, err
	}
	runs, err := daemon.NewClient(last.SockPath).ListRuns(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, r := range runs {
		ids = append(ids, r.RunID)
	}
	return ids, nil
}
