package activation

import (
	"debug/macho"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// No test here can run a program for macOS. That the linker imports the function
// shows that the trampoline jumps to it, and that nothing dropped it.
func TestMoatdForMacOSImportsLaunchd(t *testing.T) {
	if testing.Short() {
		t.Skip("builds moatd twice")
	}
	for arch, cpu := range map[string]macho.Cpu{"arm64": macho.CpuArm64, "amd64": macho.CpuAmd64} {
		t.Run(arch, func(t *testing.T) {
			exe := filepath.Join(t.TempDir(), "moatd")
			cmd := exec.CommandContext(t.Context(), "go", "build", "-o", exe, "github.com/moatd/moatd/cmd/moatd")
			cmd.Env = append(os.Environ(), "GOOS=darwin", "GOARCH="+arch, "CGO_ENABLED=0")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			file, err := macho.Open(exe)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			if file.Cpu != cpu {
				t.Errorf("built for %v, want %v", file.Cpu, cpu)
			}
			symbols, err := file.ImportedSymbols()
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"_launch_activate_socket", "_free"} {
				if !slices.Contains(symbols, want) {
					t.Errorf("moatd imports %d symbols, and not %s", len(symbols), want)
				}
			}
		})
	}
}
