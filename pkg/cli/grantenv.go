package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moatd/moatd/pkg/credential"
)

// grantEnv returns the placeholders that the providers of the grants want in
// the environment.
func (a *app) grantEnv(names []string) (map[string]string, error) {
	env := make(map[string]string)
	for _, name := range names {
		p, err := a.provider("run", name)
		if err != nil {
			return nil, err
		}
		maps.Copy(env, p.Env())
	}
	return env, nil
}

// minSearched is the length in bytes from which on a secret is searched for
// inside of other text.
const minSearched = 8

// withoutSecrets returns the environment without the variables that hold the
// secret of one of the grants, or of its provider without a scope: what moat
// grant --from-env read is often still there. Whether there is such a grant is
// for the daemon to say. It alone may have their key: then nothing can be looked
// for, and moat says so.
func (a *app) withoutSecrets(ctx context.Context, names []string) ([]string, error) {
	env := slices.Clone(a.process.Environ)
	if len(names) == 0 {
		return env, nil
	}
	secrets, err := a.secrets(ctx)
	if errors.Is(err, credential.ErrKeyLocked) || errors.Is(err, credential.ErrKeyUnavailable) {
		fmt.Fprintf(a.process.Stderr, "moat: the environment was not searched for the secrets of the grants: %v\n", err)
		return env, nil
	}
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		provider, _, _ := strings.Cut(name, ":")
		for _, grant := range []string{name, provider} {
			if c, err := secrets.Get(ctx, grant); err == nil {
				env = slices.DeleteFunc(env, func(kv string) bool { return holds(kv, c.Secret.Reveal()) })
			}
		}
	}
	return env, nil
}

// holds reports whether the value of a variable is the secret or has it inside.
func holds(kv, secret string) bool {
	_, value, _ := strings.Cut(kv, "=")
	return value == secret || len(secret) >= minSearched && strings.Contains(value, secret)
}
