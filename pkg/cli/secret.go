package cli

import (
	"bufio"
	"context"
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

// secretFlags say where the secret is; at most one is set.
type secretFlags struct {
	env, file, command string
}

// secret reads the secret and says where it came from.
func (a *app) secret(ctx context.Context, name string, from secretFlags) (secret credential.Secret, source string, err error) {
	text := ""
	switch {
	case from.env != "":
		source, text = "env:"+from.env, a.process.Getenv(from.env)
	case from.file != "":
		source = "file"
		text, err = readFile(from.file)
	case from.command != "":
		source = "command"
		text, err = a.output(ctx, shell(from.command))
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
		return "", "", noSecret(name, from)
	}
	return secret, source, nil
}

// noSecret says where the secret was expected.
func noSecret(name string, from secretFlags) error {
	switch {
	case from.env != "":
		return hinted{fmt.Errorf("the variable %s is empty or not set", from.env), "export " + from.env + " first, or pipe the secret to moat grant " + name}
	case from.file != "":
		return hinted{fmt.Errorf("the file %s is empty", from.file), "it must hold the secret and nothing else"}
	case from.command != "":
		return hinted{errors.New("the command prints nothing"), "it must print the secret on its standard output"}
	}
	return hinted{
		errors.New("the secret is empty"),
		fmt.Sprintf("pipe it to moat grant %s, name a variable with --from-env, or type it in a terminal", name),
	}
}

func readFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return readAll(f)
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
