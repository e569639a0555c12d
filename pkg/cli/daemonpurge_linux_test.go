package cli_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"
)

func TestPurgeAsksAtATerminal(t *testing.T) {
	for _, tt := range []struct {
		answer string
		gone   bool
	}{
		{"y\n", true},
		{"Y\n", true},
		{"n\n", false},
		{"\n", false},
		{"yesterday\n", false},
		{"\x04", false}, // the end of the file
	} {
		dir := t.TempDir()
		p := place{home: filepath.Join(dir, ".moat"), env: []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}}
		writeFile(t, filepath.Join(p.home, "store.key"), "key")
		controller, tty := openTerminal(t)
		cmd := p.command(t, "daemon", "uninstall", "--purge")
		cmd.Stdin = tty
		if _, err := io.WriteString(controller, tt.answer); err != nil {
			t.Fatal(err)
		}
		out, err := cmd.CombinedOutput()
		_, there := os.Stat(p.home)
		if gone := there != nil; gone != tt.gone || (err == nil) != tt.gone {
			t.Errorf("answer %q: the state is gone: %v, want %v; %v\n%s", tt.answer, gone, tt.gone, err, out)
		}
	}
}
