package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"

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

func (a *app) prompt(name string) (string, error) {
	fmt.Fprintf(a.process.Stderr, "Secret for %s: ", name)
	line, err := term.ReadPassword(int(a.process.Stdin.Fd()))
	fmt.Fprintln(a.process.Stderr)
	return string(line), err
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
