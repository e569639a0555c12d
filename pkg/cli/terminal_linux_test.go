package cli_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A Ctrl-C at the terminal reaches the child once, from the terminal, whatever
// standard input is.
func TestInterruptOfTheTerminal(t *testing.T) {
	p := newPlace(t, startOrigin(t, nil))
	for _, c := range []struct {
		name  string
		stdin func(tty *os.File) *os.File
	}{
		{"standard input is the terminal", func(tty *os.File) *os.File { return tty }},
		{"standard input is something else", func(*os.File) *os.File { return nil }},
	} {
		t.Run(c.name, func(t *testing.T) {
			controller, tty := openTerminal(t)
			cmd := p.command(t, "run", "--", "sigcount")
			if in := c.stdin(tty); in != nil {
				cmd.Stdin = in
			}
			cmd.Stdout, cmd.Stderr = tty, tty
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 1}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(controller)
			awaitLine(t, lines, "ready")
			if _, err := io.WriteString(controller, "\x03"); err != nil {
				t.Fatal(err)
			}
			awaitLine(t, lines, "got interrupt")
			// moat passes SIGTERM on after a SIGINT that it has got before.
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			awaitLine(t, lines, "saw interrupt")
			if err := cmd.Wait(); err != nil {
				t.Errorf("moat run: %v, want the child's 0", err)
			}
		})
	}
}

// A Ctrl-C at the prompt ends moat and leaves a terminal that shows what is
// typed.
func TestInterruptOfThePrompt(t *testing.T) {
	controller, tty := openTerminal(t)
	p := place{env: []string{"MOAT_KEY_SOURCE=file", "HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}}
	cmd := p.command(t, "grant", "github")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); echoes(t, tty); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("moat grant does not stop the terminal from showing what is typed")
		}
	}
	if _, err := io.WriteString(controller, "half of it\x03"); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got, want := cmd.ProcessState.ExitCode(), 128+int(syscall.SIGINT); got != want {
		t.Errorf("moat grant ended with %d, want %d", got, want)
	}
	if !echoes(t, tty) {
		t.Error("the terminal does not show what is typed after moat grant was interrupted")
	}
}

func echoes(t *testing.T, tty *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// awaitLine reads up to a line that ends in text; what is before it may be an
// echo. One that begins as text does, and goes on, is a failure.
func awaitLine(t *testing.T, lines *bufio.Scanner, text string) {
	t.Helper()
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); strings.HasSuffix(line, text) {
			return
		} else if strings.HasPrefix(line, text) || strings.HasPrefix(line, "saw") {
			t.Fatalf("the child printed %q, want %q", line, text)
		}
	}
	t.Fatalf("the terminal ended (%v) without a line %q", lines.Err(), text)
}

// openTerminal returns both ends of a new pseudo-terminal.
func openTerminal(t *testing.T) (controller, tty *os.File) {
	t.Helper()
	controller, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("there are no pseudo-terminals here: %v", err)
	}
	n, err := unix.IoctlGetInt(int(controller.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(controller.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close(); controller.Close() })
	return controller, tty
}
