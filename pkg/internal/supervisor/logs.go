package supervisor

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/moatd/moatd/pkg/internal/logging"
)

// Logs implements [Supervisor]. It returns an error that wraps ErrNoLog where the
// journal shows nothing of the service: a plain user cannot read a journal that
// is not kept on disk.
func (s *systemd) Logs(ctx context.Context, opts LogOptions) error {
	for _, source := range s.journals() {
		probe := append([]string{"--lines=1", "--quiet", "--no-pager", "--output=cat"}, source...)
		if out, err := s.run.output(ctx, "journalctl", probe...); err == nil && out != "" {
			return s.copyJournal(ctx, source, opts)
		}
	}
	return &Problem{
		What: "the journal shows this user nothing of moatd",
		Todo: "keep the journal on disk (sudo mkdir /var/log/journal; sudo systemctl restart systemd-journald), or read it as root",
		Kind: ErrNoLog,
	}
}

// journals are the ways to ask for the service's log, the usual one first.
func (s *systemd) journals() [][]string {
	if s.opts.System {
		return [][]string{{"--unit=" + serviceUnit}}
	}
	return [][]string{
		{"--user", "--unit=" + serviceUnit},
		{"_UID=" + strconv.Itoa(s.opts.UID), "_SYSTEMD_USER_UNIT=" + serviceUnit}, // for members of systemd-journal
	}
}

// query are the arguments of journalctl.
func (o LogOptions) query() []string {
	args := []string{"--no-pager", "--quiet"}
	if o.Follow {
		args = append(args, "--follow")
	}
	switch {
	case o.Lines > 0:
		args = append(args, "--lines="+strconv.Itoa(o.Lines))
	case o.Follow:
		args = append(args, "--no-tail")
	}
	if o.Since != "" {
		args = append(args, "--since="+o.Since)
	}
	if o.JSON {
		args = append(args, "--output=json", "--all")
	}
	return args
}

func (s *systemd) copyJournal(ctx context.Context, source []string, opts LogOptions) error {
	args := append(opts.query(), source...)
	if opts.Run != "" {
		args = append(args, "MOAT_RUN_ID="+opts.Run)
	}
	cmd := s.run.command(ctx, "journalctl", args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if !opts.JSON {
		cmd.Stdout = opts.Out
		return readFailed(cmd.Run(), &stderr)
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	failed := convert(opts.Out, pipe)
	_, _ = io.Copy(io.Discard, pipe) // or it would wait for a reader
	if err := readFailed(cmd.Wait(), &stderr); err != nil {
		return err
	}
	return failed
}

func readFailed(err error, stderr *strings.Builder) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("read the journal: %w: %s", err, strings.TrimSpace(stderr.String()))
}

// maxEntry is the longest line of JSON that the journal may give, in bytes: the
// stacks of a daemon that was aborted.
const maxEntry = 16 << 20

// convert makes entries of ours of the journal's.
func convert(w io.Writer, r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEntry)
	enc := json.NewEncoder(w)
	for lines.Scan() {
		e, err := parseEntry(lines.Bytes())
		if err != nil {
			return err
		}
		if err := enc.Encode(e); err != nil {
			return fmt.Errorf("write the log: %w", err)
		}
	}
	return lines.Err()
}

// parseEntry reads one entry as journalctl --output=json prints it: each field is
// a string, a list of the bytes of one that is no text, null where it is too long,
// or a list of these.
func parseEntry(line []byte) (logging.Entry, error) {
	var fields map[string]any
	if err := json.Unmarshal(line, &fields); err != nil {
		return logging.Entry{}, fmt.Errorf("read an entry of the journal: %v", err)
	}
	usec, err := strconv.ParseInt(text(fields["__REALTIME_TIMESTAMP"]), 10, 64)
	at := time.UnixMicro(usec).UTC()
	if err != nil || at.Year() < 0 || at.Year() > 9999 { // which JSON cannot hold
		at = time.Time{}
	}
	e := logging.Entry{Time: at, Level: level(text(fields["PRIORITY"])), Message: text(fields["MESSAGE"])}
	for name, value := range fields {
		if own, ok := strings.CutPrefix(name, "MOAT_"); ok {
			if e.Fields == nil {
				e.Fields = make(map[string]string)
			}
			e.Fields[strings.ToLower(own)] = text(value)
		}
	}
	return e, nil
}

func text(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		var b []byte
		for _, one := range v {
			n, ok := one.(float64)
			if !ok { // several values of one name: the first counts
				return text(v[0])
			}
			b = append(b, byte(n))
		}
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return ""
}

// level is the name of a priority of syslog, as logrus has them.
func level(priority string) string {
	switch priority {
	case "0", "1":
		return "panic"
	case "2":
		return "fatal"
	case "3":
		return "error"
	case "4":
		return "warning"
	case "7":
		return "debug"
	}
	return "info"
}
