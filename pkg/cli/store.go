package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/grants"
	"github.com/moatd/moatd/pkg/internal/keyring"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// provider returns the provider of a grant that a command was given.
func (a *app) provider(command, name string) (*providers.Provider, error) {
	kind, scope, err := credential.ParseGrant(name)
	if err != nil {
		return nil, usageError{err, "moat " + command}
	}
	set, err := providers.Load(config.ProvidersDir(a.settings.Home))
	if set == nil {
		return nil, err
	}
	if err := set.Broken(kind); err != nil {
		return nil, err
	}
	p, ok := set.Get(kind)
	if ok && scope != "" {
		if err := p.CheckScope(scope); err != nil {
			return nil, usageError{fmt.Errorf("grant %s: %w", name, err), "moat " + command}
		}
	}
	if !ok {
		return nil, hinted{
			fmt.Errorf("%w %q", grants.ErrUnknownProvider, kind),
			fmt.Sprintf("there are %s; %s/%s.yaml can describe another", strings.Join(set.Names(), ", "),
				config.ProvidersDir(a.settings.Home), kind),
		}
	}
	return p, nil
}

// keys returns the key chain of the home, which has no key yet.
func (a *app) keys() (*credential.KeyChain, error) {
	if err := config.MakeHome(a.settings.Home); err != nil {
		return nil, err
	}
	return keyring.Chain(a.settings, a.process.Getenv), nil
}

// secrets opens the credential store, of the profile of the settings.
func (a *app) secrets(ctx context.Context) (*credential.FileStore, error) {
	keys, err := a.keys()
	if err != nil {
		return nil, err
	}
	if err := keys.Unlock(ctx); err != nil {
		return nil, err
	}
	return keys.Store(config.ProfileDir(a.settings.Home, a.settings.Profile))
}

// tellDaemon makes a daemon that runs take the credentials as they are now, and
// reports whether there is one. It starts none: one that starts later reads
// them anyway.
func (a *app) tellDaemon(ctx context.Context) (bool, error) {
	last, err := daemon.ReadLockFile(a.settings.Home)
	if err != nil || !last.IsAlive() {
		return false, err
	}
	client := a.client()
	if err = a.meet(ctx, client); err != nil {
		return false, err
	}
	err = client.Reload(ctx)
	if err != nil && !errors.Is(err, daemon.ErrUnsupported) {
		return false, hinted{
			fmt.Errorf("the change is stored, but the daemon has not taken it: %w", err),
			"systemctl --user reload moatd",
		}
	}
	return err == nil, nil
}
