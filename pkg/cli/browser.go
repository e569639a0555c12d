package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/term"

	"github.com/moatd/moatd/pkg/internal/oauth"
)

// byBrowser has the person log in with a browser, here or elsewhere.
func (a *app) byBrowser(ctx context.Context, client *http.Client, how oauth.How, cb *oauth.Callback, f loginFlags) (oauth.Tokens, error) {
	l, err := oauth.NewLogin(how, cb.URL())
	if err != nil {
		return oauth.Tokens{}, err
	}
	where := l.URL()
	fmt.Fprintf(a.process.Stderr, "Log in with a browser at\n\n  %s\n\n", where)
	terminal := term.IsTerminal(int(a.process.Stdin.Fd()))
	a.tellRemote(cb.Port(), terminal)
	if !f.noBrowser {
		a.openBrowser(where)
	}
	code, err := a.code(ctx, cb, l, terminal)
	if err != nil {
		return oauth.Tokens{}, err
	}
	return l.Exchange(ctx, client, code)
}

// tellRemote says what to do if the browser runs on another machine.
func (a *app) tellRemote(port int, terminal bool) {
	if a.process.Getenv("SSH_CONNECTION") != "" {
		fmt.Fprintf(a.process.Stderr, "The browser must reach this machine: on yours, run\n\n  ssh -N -L %d:127.0.0.1:%d HOST\n\n", port, port)
	}
	if terminal {
		fmt.Fprint(a.process.Stderr, "If the browser ends at a page that does not load, paste its address here:\n")
	}
}

// code waits for the browser and, at a terminal, for the address that it was sent
// to, whichever comes first.
func (a *app) code(ctx context.Context, cb *oauth.Callback, l *oauth.Login, terminal bool) (string, error) {
	type answer struct {
		code string
		err  error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	came, pasted := make(chan answer, 1), make(chan answer, 1)
	go func() {
		code, err := cb.Wait(ctx, l)
		came <- answer{code, err}
	}()
	if terminal {
		go func() { // nothing but its answer ends a read of a terminal; the end of moat does
			code, err := a.paste(l)
			pasted <- answer{code, err}
		}()
	}
	select {
	case got := <-came:
		return got.code, got.err
	case got := <-pasted:
		cancel()
		<-came
		return got.code, got.err
	}
}

// paste reads addresses from the terminal until one ends the login.
func (a *app) paste(l *oauth.Login) (string, error) {
	in := bufio.NewScanner(io.LimitReader(a.process.Stdin, maxSecret))
	for in.Scan() {
		if strings.TrimSpace(in.Text()) == "" {
			continue
		}
		code, err := l.Pasted(in.Text())
		if err == nil || errors.Is(err, oauth.ErrDenied) {
			return code, err
		}
		fmt.Fprintf(a.process.Stderr, "moat: %v\n", err)
	}
	return "", errors.New("the login was given up")
}

// openBrowser tries to show an address. Whether it works is for the person to see:
// the address stands there too. Without a display, xdg-open would start a
// browser in this terminal.
func (a *app) openBrowser(where string) {
	program := "xdg-open"
	if runtime.GOOS == "darwin" {
		program = "open"
	} else if a.process.Getenv("DISPLAY")+a.process.Getenv("WAYLAND_DISPLAY") == "" {
		return
	}
	cmd := exec.Command(program, where) //nolint:gosec,noctx // the URL is https, as oauth checks; a browser outlives moat
	if cmd.Start() == nil {
		go cmd.Wait() //nolint:errcheck // see above
	}
}
