package moatd_test

import (
	"bytes"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/daemontest"
)

func TestADamagedDatabaseIsKeptAndSaidAndSurvived(t *testing.T) {
	for _, tt := range []struct {
		name   string
		damage func(data []byte) []byte
	}{
		{"corrupted", func(data []byte) []byte { return bytes.ReplaceAll(data, []byte{0, 0, 0, 1}, []byte{9, 9, 9, 9}) }},
		{"truncated", func(data []byte) []byte { return data[:len(data)/3] }},
		{"foreign", func([]byte) []byte { return []byte("SQLite format 3\x00 and so on, not ours at all") }},
	} {
		for _, backup := range []string{"with a backup", "without one"} {
			t.Run(tt.name+", "+backup, func(t *testing.T) {
				d := daemontest.Start(t)
				token := d.Register(daemon.RegisterRequest{RunID: "r"})
				d.Stop()
				path := config.Database(d.Settings.Home)
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				damaged := tt.damage(data)
				if err = os.WriteFile(path, damaged, 0o600); err != nil {
					t.Fatal(err)
				}
				if backup == "without one" {
					os.Remove(path + ".bak")
				}

				d.Start()
				checkKept(t, path, damaged)
				h, err := d.Client.Health(t.Context())
				if err != nil || len(h.Problems) != 1 || !strings.Contains(h.Problems[0], "corrupt-") {
					t.Errorf("Health = %+v, %v, want one problem that names the kept file", h, err)
				}
				if !strings.Contains(d.Log(), "corrupt-") {
					t.Errorf("the log does not say what was done:\n%s", d.Log())
				}
				err = d.Client.UpdateRun(t.Context(), token, "c")
				if restored := err == nil; restored != (backup == "with a backup") {
					t.Errorf("UpdateRun of the run of before = %v", err)
				}
				d.Register(daemon.RegisterRequest{RunID: "new"}) // it works as ever
			})
		}
	}
}

// checkKept checks that the damaged file lies beside the new one, as it was.
func checkKept(t *testing.T, path string, damaged []byte) {
	t.Helper()
	kept, err := filepath.Glob(path + ".corrupt-*")
	if err != nil || len(kept) != 1 {
		t.Fatalf("damaged files that were kept: %q, %v, want one", kept, err)
	}
	if data, err := os.ReadFile(kept[0]); err != nil || !bytes.Equal(data, damaged) {
		t.Errorf("the kept file has %d bytes, %v, want the %d of before", len(data), err, len(damaged))
	}
}

// addFiles adds the files below dir to texts, but for the sealed ones and the
// key that opens them.
func addFiles(t *testing.T, texts map[string]string, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || strings.HasSuffix(path, ".sealed") {
			return err
		}
		data, err := os.ReadFile(path)
		texts[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(texts) < 5 {
		t.Fatalf("only %d files below %s", len(texts), dir)
	}
}

func escapes(s string) []string { return []string{url.QueryEscape(s), url.PathEscape(s)} }
