package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/daemon"
)

func (a *app) lsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "ls",
		Aliases: []string{"list"},
		Short:   "List the runs",
		Long:    "moat ls lists the runs in the order of their registration, with what is wrong with them.",
		Args:    arguments(0, 0),

		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return a.ls(cmd.Context()) },
	}
}

func (a *app) ls(ctx context.Context) error {
	client := a.client()
	if err := a.meet(ctx, client); err != nil {
		return err
	}
	runs, err := client.ListRuns(ctx)
	if err != nil {
		return a.reached(err)
	}
	return print(a, runs, func(w *tabwriter.Writer) {
		if len(runs) == 0 {
			fmt.Fprintln(w, "no runs")
			return
		}
		fmt.Fprintln(w, "RUN\tSTATE\tGRANTS\tREGISTERED\tREASON")
		for _, r := range runs {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.RunID, state(r), dash(strings.Join(r.Grants, ",")), age(r.RegisteredAt), dash(complaint(r)))
		}
	})
}

// state returns the state of a run; a daemon that is too old to know says none.
func state(r daemon.RunInfo) string { return dash(r.State) }

// complaint is what is wrong with a run: why it is degraded, else which of its
// credentials are not fresh.
func complaint(r daemon.RunInfo) string {
	if r.Reason != "" {
		return r.Reason
	}
	var all []string
	for _, grant := range slices.Sorted(maps.Keys(r.Credentials)) {
		all = append(all, grant+" is "+r.Credentials[grant])
	}
	return strings.Join(all, ", ")
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// age returns how long ago a time on the wire was, for people.
func age(rfc3339 string) string {
	at, err := time.Parse(time.RFC3339, rfc3339)
	if err != nil {
		return dash(rfc3339)
	}
	return time.Since(at).Round(time.Second).String() + " ago"
}
