package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"golang.org/x/term"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// maxSecret is the longest secret that is read, in bytes.
const maxSecret = 64 << 10

// secret reads the secret and says where it came from.
func (a *app) secret(name, env string) (secret credential.Secret, source string, err error) {
	text := ""
	switch {
	case env != "":
		source, text = "env:"+env, a.process.Getenv(env)
	case term.IsTerminal(int(a.process.Stdin.Fd())):
		source = "prompt"
		text, err = a.prompt(name)
	default:
		source = "stdin"
		text, err = readAll(a.process.Stdin)
	}
	if err != nil {
		return "", "", fmt.Errorf("read the secret from %s: %w", source, err)
	}
	secret = providers.TrimSecret(text)
	if secret == "" {
		return "", "", a.noSecret(name, env)
	}
	return secret, source, nil
}

// noSecret says where the secret was expected.
func (a *app) noSecret(name, env string) error {
	if env != "" {
		return hinted{fmt.Errorf("the variable %s is empty or not set", env), "export " + env + " first, or pipe the secret to moat grant " + name}
	}
	return hinted{
		errors.New("the secret is empty"),
		fmt.Sprintf("pipe it to moat grant %s, name a variable with --from-env, or type it in a terminal", name),
	}
}

// prompt asks for the secret on a terminal, which does not show it meanwhile. A
// signal ends that: the terminal is put back as it was, which x/term would not.
func (a *app) prompt(name string) (string, error) {
	fd := int(a.process.Stdin.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, ending...)
	defer signal.Stop(signals)
	fmt.Fprintf(a.process.Stderr, "Secret for %s: ", name)
	defer fmt.Fprintln(a.process.Stderr)
	type answer struct {
		line []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() { // nothing but its answer ends a read of a terminal; at a signal the end of moat does
		line, err := term.ReadPassword(fd)
		answers <- answer{line, err}
	}()
	select {
	case got := <-answers:
		return string(got.line), got.err
	case sig := <-signals:
		return "", errors.Join(endedBy(sig), term.Restore(fd, before))
	}
}

func readAll(r io.Reader) (string, error) {
	data, err := io.ReadAll(bufio.NewReader(io.LimitReader(r, maxSecret+1)))
	if err != nil {
		return "", err
	}
	if len(data) > maxSecret {
		return "", fmt.Errorf("it is longer than %d bytes", maxSecret)
	}
	return string(data), nil
}
