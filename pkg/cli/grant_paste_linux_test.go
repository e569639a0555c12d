package cli_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/internal/oauthtest"
)

// A person whose browser cannot come back pastes its address at the terminal.
func TestALoginIsPasted(t *testing.T) {
	c := newCity(t)
	s := &oauthtest.Server{Confidential: true}
	server := startMCP(t, s)
	controller, tty := openTerminal(t)
	cmd := exec.Command("moat", "grant", "mcp:demo", "--url", server)
	cmd.Env = []string{"HOME=" + c.dir, "PATH=" + os.Getenv("PATH"), "MOAT_HOME=" + c.Settings.Home, "MOAT_KEY_SOURCE=file", "SSH_CONNECTION=1 2 3 4", "GORACE=" + os.Getenv("GORACE")}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	lines := bufio.NewScanner(io.TeeReader(controller, &said))
	where := ""
	for lines.Scan() && !strings.Contains(lines.Text(), "paste its address here") {
		if line := strings.TrimSpace(lines.Text()); strings.HasPrefix(line, "http://") {
			where = line
		}
	}
	if !strings.Contains(said.String(), "ssh -N -L ") {
		t.Errorf("it does not say how the browser reaches this machine: %q", &said)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Get(where)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	fmt.Fprintf(controller, "http://127.0.0.1/callback?code=x&state=of-another\n")
	for lines.Scan() && !strings.Contains(lines.Text(), "moat: that is the address of another login") {
	}
	fmt.Fprintf(controller, "%s\n", res.Header.Get("Location"))
	awaitGranted(t, lines)
	if err := cmd.Wait(); err != nil {
		t.Errorf("moat grant: %v\n%s", err, &said)
	}
}

func awaitGranted(t *testing.T, lines *bufio.Scanner) {
	t.Helper()
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "granted mcp:demo (") {
			return
		}
	}
	t.Error("moat grant does not say that it has granted")
}
