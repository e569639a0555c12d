package moatd_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemontest"
	"github.com/moatd/moatd/pkg/internal/store"
	"github.com/moatd/moatd/pkg/moatd"
)

// A start is a home that somebody has spoilt, and a command line.
type start struct {
	t    *testing.T
	home string
	args []string
	env  map[string]string
}

// write makes a file in the home.
func (s *start) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.home, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// flags adds to the command line.
func (s *start) flags(args ...string) { s.args = append(s.args, args...) }

// Each way to get a start wrong that the user has to mend has an exit code that
// ends the restarts, and says what it is in the log and in the status.
func TestStartsThatTheUserHasToMend(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*start)
		code  int
		says  string
	}{
		{"an unknown flag", func(s *start) { s.flags("--colour") }, moatd.ExitUsage, "-colour"},
		{"an argument", func(s *start) { s.flags("now") }, moatd.ExitUsage, "no arguments"},
		{"a flag that is no duration", func(s *start) { s.flags("--idle-exit", "soon") }, moatd.ExitUsage, "--idle-exit"},
		{"a flag that is no address", func(s *start) { s.flags("--proxy-addr", "nowhere") }, moatd.ExitUsage, "--proxy-addr"},
		{"a variable that is no duration", func(s *start) { s.env["MOAT_DRAIN_LIMIT"] = "x" }, moatd.ExitConfig, "MOAT_DRAIN_LIMIT"},
		{"a home that is no absolute path", func(s *start) { s.home = "moat" }, moatd.ExitConfig, "no absolute path"},
		{"no home at all", func(s *start) { s.home = "" }, moatd.ExitConfig, "set HOME or MOAT_HOME"},
		{"a setting that there is not", func(s *start) { s.write("config.yaml", "colour: red\n") }, moatd.ExitConfig, `line 1: no setting is called "colour"`},
		{"settings that are no YAML", func(s *start) { s.write("config.yaml", "\t{") }, moatd.ExitConfig, "yaml"},
		{"settings that are a directory", func(s *start) { s.write("config.yaml/x", "") }, moatd.ExitConfig, "config.yaml"},
		{"an upstream_ca that is not there", func(s *start) { s.flags("--upstream-ca", s.home+"/no.pem") }, moatd.ExitConfig, "no.pem"},
		{"an upstream_ca without a certificate", func(s *start) {
			s.write("ca.pem", "hello")
			s.flags("--upstream-ca", s.home+"/ca.pem")
		}, moatd.ExitConfig, "ca.pem has no certificate"},
		{"a home that is a file", func(s *start) { s.write("file", ""); s.home += "/file" }, moatd.ExitConfig, "not a directory"},
		{"a home below a file", func(s *start) { s.write("file", ""); s.home += "/file/moat" }, moatd.ExitConfig, "not a directory"},
		{"a home where nobody may write", func(s *start) { s.home = "/proc/moat" }, moatd.ExitConfig, "/proc/moat"},
		{"a database that is a directory", func(s *start) { s.write("moatd.db/x", "") }, moatd.ExitConfig, "moatd.db"},
		{"a CA without its key", func(s *start) { s.write("ca/ca.crt", "no certificate") }, moatd.ExitConfig, "ca"},
		{"a database of a newer moatd", (*start).newer, moatd.ExitConfig, "newer moatd"},
		{"an API socket in the directory of others", func(s *start) { s.flags("--api-socket", "/tmp/moat-test.sock") }, moatd.ExitConfig, "others can write the directory /tmp"},
		{"a home that another daemon has", func(s *start) { s.home = daemontest.Start(s.t).Settings.Home }, moatd.ExitBusy, "another process"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &start{t: t, home: daemontest.New(t).Settings.Home, env: map[string]string{}}
			m := newManager(t, s.home)
			tt.spoil(s)
			t.Setenv("NOTIFY_SOCKET", m.conn.LocalAddr().String())
			s.env["JOURNAL_STREAM"], s.env["MOAT_HOME"] = "1:2", s.home
			var stderr bytes.Buffer
			code := moatd.Main(moatd.Process{
				Args: append([]string{"serve", "--log-format", "text"}, s.args...), Stderr: &stderr,
				Getenv: func(name string) string { return s.env[name] },
			})
			lines := strings.Split(strings.TrimSuffix(stderr.String(), "\n"), "\n")
			last := lines[len(lines)-1]
			if code != tt.code || !strings.HasPrefix(last, "<3>moatd: ") || !strings.Contains(last, tt.says) {
				t.Errorf("exit code %d, last line %q, want %d, <3>moatd: and %q", code, last, tt.code, tt.says)
			}
			m.await("STATUS=", tt.says)
		})
	}
}

// newer makes a database with a schema of the future.
func (s *start) newer() {
	s.t.Helper()
	path := config.Database(s.home)
	st, _, err := store.Open(path, store.Options{Writer: "test"})
	if err != nil {
		s.t.Fatal(err)
	}
	if err = st.Close(); err != nil {
		s.t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(data, []byte("schema1")) { // key and value, as they lie in a page
		s.t.Fatalf("no schema 1 in the database: %v", err)
	}
	s.write("moatd.db", string(bytes.ReplaceAll(data, []byte("schema1"), []byte("schema9"))))
}
