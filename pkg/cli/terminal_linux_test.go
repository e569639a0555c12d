package cli_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

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
