package moatd

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/confine"
	"github.com/moatd/moatd/pkg/internal/pki"
	"github.com/moatd/moatd/pkg/internal/renew"
)

// renewHelper is the argument of the process that renews credentials.
const renewHelper = "renew-helper"

// helper returns the command of that process, with the settings of this one; nil if
// the program is not known.
func (p Process) helper() *exec.Cmd {
	if p.Exe == "" {
		return nil
	}
	cmd := exec.Command(p.Exe, append([]string{renewHelper}, p.Args[1:]...)...) //nolint:gosec,noctx // this very program; its end is that of its connection
	cmd.Stderr = os.Stderr
	return cmd
}

// renewHelper is that process. It is no service of its own: a signal that ends all
// processes of the daemon's unit must not take what it has begun, so it ends when
// the daemon has, and when that is done.
func (p Process) renewHelper() int {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGABRT, syscall.SIGQUIT, syscall.SIGPIPE)
	if err := p.serveHelper(); err != nil {
		fmt.Fprintf(p.Stderr, "%smoatd %s: %v\n", p.priority(), renewHelper, err)
		return ExitFailure
	}
	return 0
}

func (p Process) serveHelper() error {
	if err := confine.Memory(); err != nil {
		fmt.Fprintf(p.Stderr, "%smoatd: %v\n", p.priority(), err) // as in the daemon
	}
	file := os.NewFile(3, "daemon")
	conn, err := net.FileConn(file)
	if err != nil {
		return fmt.Errorf("only the daemon starts it: %w", err)
	}
	_ = file.Close() // conn has its own
	opts, err := p.options(p.Args[1:])
	if err != nil {
		return err
	}
	home := opts.Settings.Home
	secrets, err := opts.Keys.Store(config.CredentialsDir(home))
	if err != nil {
		return err
	}
	roots, err := pki.UpstreamRoots(opts.Settings.UpstreamCA)
	if err != nil {
		return err
	}
	return renew.ServeHelper(conn, &renew.Renewer{Store: unlocked{secrets, opts.Keys}, Roots: roots})
}

// unlocked is a store that asks for its key before something is done.
type unlocked struct {
	*credential.FileStore

	keys *credential.KeyChain
}

// Hold implements [renew.Store].
func (u unlocked) Hold(ctx context.Context, grant string) (release func(), err error) {
	if err := u.keys.Unlock(ctx); err != nil {
		return nil, err
	}
	return u.FileStore.Hold(ctx, grant)
}

// startHelper starts the helper, while there is nothing that it could not do.
func (d *parts) startHelper(context.Context) (err error) {
	if d.opts.Helper != nil {
		d.helper, err = renew.StartHelper(d.opts.Helper)
	}
	return err
}

func (d *parts) closeHelper() error {
	if d.helper == nil {
		return nil
	}
	return d.helper.Close()
}

// newKeeper returns the keeper, which knows the credentials of the runs that were
// restored before the first request comes.
func (d *parts) newKeeper(ctx context.Context) *renew.Keeper {
	ask := (&renew.Renewer{Store: d.secrets, Roots: d.roots}).Ask
	if d.helper != nil {
		ask = d.helper.Renew
	}
	k := renew.NewKeeper(renew.Options{
		Ask:     ask,
		Stored:  d.resolver.Stored,
		Grants:  d.registry.Grants,
		Changed: d.registry.Changed,
		Publish: d.registry.RefreshGrants,
		News:    d.tellStatus,
		Log:     d.log,
	})
	k.Look(ctx)
	return k
}

// credentials is what the API says of the credentials of the runs.
func (d *parts) credentials() []daemon.CredentialInfo {
	all := make([]daemon.CredentialInfo, 0)
	for _, h := range d.keeper.Health() {
		all = append(all, daemon.CredentialInfo{
			Grant: h.Grant, Stored: h.Stored, State: h.State, Reason: h.Reason, Renewal: h.Kind,
			ExpiresAt: known(h.Expires), RefreshedAt: known(h.Renewed), DueAt: known(h.Due), LastUsedAt: known(h.Used), LastStatus: h.Status,
		})
	}
	return all
}

// known returns the time for the wire, nil for none.
func known(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC().Truncate(time.Second)
	return &at
}

// poorly says for the status which credentials are in a bad way; "" for none.
func (d *parts) poorly() string {
	var names []string
	for _, h := range d.keeper.Health() {
		if h.State == renew.StateFailing || h.State == renew.StateExpiring {
			names = append(names, h.Grant+" "+h.State)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return "; credentials: " + strings.Join(names[:min(len(names), statusRuns)], ", ")
}
