package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/supervisor"
)

func (s *service) logsCommand() *cobra.Command {
	var o supervisor.LogOptions
	cmd := &cobra.Command{
		Use:     "logs",
		Aliases: []string{"log"},
		Short:   "Show the daemon's log",
		Long: `moat daemon logs shows the daemon's log: of the journal where the user may read
it, else what a daemon that runs remembers, its last thousand entries. The log of
a daemon that moat run has started is a file. No daemon is started for it.

With --json each line is an object with time, level, message and fields.`,
		Example: `  moat daemon logs -f
  moat daemon logs -n 0 --since '2 hours ago'
  moat daemon logs --run run_7f3ac1d2`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Lines < 0 {
				return usageError{fmt.Errorf("-n %d: a number of lines, or 0 for all", o.Lines), cmd.CommandPath()}
			}
			o.JSON, o.Out = s.json, s.process.Stdout
			return s.logs(cmd.Context(), o)
		},
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.Follow, "follow", "f", false, "go on with what comes")
	flags.IntVarP(&o.Lines, "lines", "n", logLines, "how many lines of the end; 0 means all")
	flags.StringVar(&o.Since, "since", "", "only what came since `time`, as journalctl reads it, or a duration: 10m")
	flags.StringVar(&o.Run, "run", "", "only entries of the run `id`")
	completeFlag(cmd, "run", s.completes(s.liveRuns))
	return cmd
}

// logLines is how much of a log is shown unless told: some screens.
const logLines = 100

// logs tries the places of the log, the best first.
func (s *service) logs(ctx context.Context, o supervisor.LogOptions) error {
	if d, err := time.ParseDuration(o.Since); err == nil { // which journalctl reads as a time of day
		o.Since = time.Now().Add(-d.Abs()).Format("2006-01-02 15:04:05")
	}
	sup := s.supervisor()
	is, err := managed(ctx, sup)
	if err != nil {
		return err
	}
	missing := error(&supervisor.Problem{What: "there is no log", Todo: startHint})
	if is {
		if missing = sup.Logs(ctx, o); !errors.Is(missing, supervisor.ErrNoLog) {
			return missing
		}
	}
	last, err := s.alive(ctx)
	if err != nil {
		return err
	}
	if !is {
		err := supervisor.CopyLog(ctx, config.LogFile(s.settings.Home), o)
		if !errors.Is(err, supervisor.ErrNoLog) {
			return supervised(err)
		}
	}
	if last == nil {
		return supervised(missing)
	}
	return s.ringLogs(ctx, o)
}

// ringLogs shows what the daemon remembers.
func (s *service) ringLogs(ctx context.Context, o supervisor.LogOptions) error {
	since, err := supervisor.ParseSince(o.Since)
	if err != nil {
		return supervised(err)
	}
	var next uint64
	lines := o.Lines
	for {
		last, err := s.alive(ctx) // each time anew: asking must start no daemon
		if err != nil || last == nil {
			return err
		}
		res, err := daemon.NewClient(last.SockPath).Logs(ctx, next)
		if err != nil {
			return fmt.Errorf("ask the daemon for its log: %w", err)
		}
		entries := slices.DeleteFunc(res.Entries, func(e daemon.LogEntry) bool {
			return o.Run != "" && e.Fields["run_id"] != o.Run || e.Time.Before(since)
		})
		if next == 0 && lines > 0 {
			entries = entries[max(0, len(entries)-lines):]
		}
		if err := writeEntries(o, entries); err != nil || !o.Follow {
			return err
		}
		next = res.Next
		if !wait(ctx, followPoll) {
			return nil
		}
	}
}

// followPoll is how often a log that cannot be waited for is looked at.
const followPoll = 300 * time.Millisecond

// wait waits, and reports false if ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

func writeEntries(o supervisor.LogOptions, entries []daemon.LogEntry) error {
	enc := json.NewEncoder(o.Out)
	for _, e := range entries {
		var err error
		if o.JSON {
			err = enc.Encode(e)
		} else {
			_, err = fmt.Fprintln(o.Out, entryLine(e))
		}
		if err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
	}
	return nil
}

// entryLine is an entry for people.
func entryLine(e daemon.LogEntry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s", e.Time.Local().Format("Jan 02 15:04:05"), e.Level, e.Message)
	for _, key := range slices.Sorted(maps.Keys(e.Fields)) {
		if key != "message_id" {
			b.WriteString(" " + key + "=" + strconv.Quote(e.Fields[key]))
		}
	}
	return b.String()
}
