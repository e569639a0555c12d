package supervisor_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/moatd/moatd/pkg/internal/supervisor"
)

func TestFindExe(t *testing.T) {
	for _, tt := range []struct {
		name  string
		self  string            // moat, below the root
		links map[string]string // path → target, below the root
		path  string            // PATH, below the root
		want  string
	}{
		{"beside moat", "home/bin/moat", nil, "nowhere", "home/bin/moatd"},
		{"a link in PATH outlives the version", "cellar/1.0/moat", map[string]string{"bin/moat": "cellar/1.0/moat", "bin/moatd": "cellar/1.0/moatd"}, "bin", "bin/moatd"},
		{"Homebrew's opt outlives the version", "brew/Cellar/moat/1.0/bin/moat", map[string]string{"brew/opt/moat": "brew/Cellar/moat/1.0"}, "nowhere", "brew/opt/moat/bin/moatd"},
		{"another moat in PATH is another moat", "home/bin/moat", map[string]string{"bin/moat": "other/moat", "bin/moatd": "other/moatd"}, "bin", "home/bin/moatd"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			at := func(path string) string { return filepath.Join(root, path) }
			for _, path := range []string{tt.self, filepath.Join(filepath.Dir(tt.self), "moatd"), "other/moat", "other/moatd"} {
				os.MkdirAll(filepath.Dir(at(path)), 0o755)
				if err := os.WriteFile(at(path), nil, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for path, target := range tt.links {
				os.MkdirAll(filepath.Dir(at(path)), 0o755)
				if err := os.Symlink(at(target), at(path)); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("PATH", at(tt.path))
			got, err := supervisor.FindExe(at(tt.self))
			if got != at(tt.want) || err != nil {
				t.Errorf("FindExe(%q) = %q, %v, want %q", at(tt.self), got, err, at(tt.want))
			}
		})
	}
	if _, err := supervisor.FindExe(filepath.Join(t.TempDir(), "moat")); !errors.Is(err, supervisor.ErrNoExe) {
		t.Errorf("FindExe without moatd: %v, want ErrNoExe", err)
	}
}
