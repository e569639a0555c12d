package moatd

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/internal/activation"
	"github.com/moatd/moatd/pkg/internal/confine"
	"github.com/moatd/moatd/pkg/internal/fds"
	"github.com/moatd/moatd/pkg/internal/grants"
	"github.com/moatd/moatd/pkg/internal/logging"
	"github.com/moatd/moatd/pkg/internal/pki"
	"github.com/moatd/moatd/pkg/internal/renew"
	"github.com/moatd/moatd/pkg/internal/store"
	"github.com/moatd/moatd/pkg/proxy"
)

// parts are the parts of one daemon.
type parts struct {
	opts      Options
	log       *logrus.Logger
	redactor  *logging.Redactor
	ring      *logging.Ring // the last of the log
	problems  problems      // what the user should know
	news      chan struct{} // has a value when the status is to be told anew
	clock     clock
	exe       executable
	keys      *credential.KeyChain
	secrets   *credential.FileStore
	store     *store.Store
	helper    *renew.Helper // nil if this process renews credentials itself
	keeper    *renew.Keeper
	leaves    *pki.Leaves
	resolver  *grants.Resolver
	registry  *daemon.Registry
	persister *daemon.RunPersister
	server    *daemon.Server
	proxy     *proxy.Proxy
	api       net.Listener
	routes    routes
	roots     *x509.CertPool // of upstreams; nil means the system's alone
	confined  confine.Applied
	proxies   []net.Listener // handed over, or one of ours; an *activation.Later while the port is taken
	serving   sync.WaitGroup // the servers that run
}

// open makes the parts, up to the listeners, in the order of the package's
// comment. On an error it closes what it has opened.
func open(ctx context.Context, opts Options) (d *parts, err error) {
	if opts.Handed == nil {
		opts.Handed = new(activation.Handed)
	}
	if opts.Notify == nil {
		opts.Notify = new(activation.Notifier)
	}
	d = &parts{
		opts: opts, redactor: logging.NewRedactor(), ring: new(logging.Ring), news: make(chan struct{}, 1),
		clock: systemClock(), exe: ownExecutable(os.Args[0]),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	for _, step := range []func(context.Context) error{
		d.openLog, d.openHome, d.openStore, d.openCA, d.openGrants, d.openRoots, d.startHelper, d.restore, d.listen, d.record, d.confine,
	} {
		if err := step(ctx); err != nil {
			return d, permanent(err)
		}
	}
	return d, nil
}

func (d *parts) openLog(context.Context) error {
	format, err := logging.ParseFormat(d.opts.Settings.LogFormat)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrConfig, err)
	}
	d.log, err = logging.New(logging.Options{Format: format, Out: d.opts.Stderr, Redactor: d.redactor, Ring: d.ring})
	return err
}

func (d *parts) openHome(context.Context) error {
	if err := config.MakeHome(d.opts.Settings.Home); err != nil {
		return mendable(err)
	}
	return nil
}

func (d *parts) openStore(context.Context) error {
	open := d.opts.OpenStore
	if open == nil {
		open = store.Open
	}
	st, recovery, err := open(config.Database(d.opts.Settings.Home), store.Options{Writer: d.opts.Version})
	if err != nil {
		return err
	}
	d.store = st
	if recovery.Damage != "" {
		d.problem(logging.MessageIDDatabaseQuarantined, recovery.String())
	}
	starts, err := st.CountBoot()
	if err != nil {
		return err
	}
	if starts > 1 {
		d.log.WithField("starts", starts).Warn("the last daemon did not end in order")
	}
	return nil
}

// problem tells the log, at once, and whoever asks for health, later.
func (d *parts) problem(messageID, text string) {
	d.problems.add("", text)
	d.log.WithField(logging.FieldMessageID, messageID).Error(text)
}

func (d *parts) openCA(context.Context) error {
	dir := config.CADir(d.opts.Settings.Home)
	ca, created, err := pki.LoadOrCreate(dir, time.Now())
	if err != nil {
		return mendable(err)
	}
	if created {
		d.log.WithField("path", dir).Info("made a CA that only runs trust")
	}
	roots, err := pki.SystemRoots()
	if err != nil {
		d.problem("", fmt.Sprintf("the bundle of roots has ours alone: %v", err))
	}
	if err := pki.WriteBundle(config.BundleFile(d.opts.Settings.Home), roots, ca); err != nil {
		return err
	}
	d.leaves = pki.NewLeaves(ca)
	return nil
}

// restore makes the registry and puts the runs of before into it.
func (d *parts) restore(ctx context.Context) error {
	d.registry = daemon.NewRegistryWith(daemon.RegistryOptions{Granter: d.resolver, Seen: d.redactor.Add, AWS: d.assumeRole})
	d.persister = daemon.NewStorePersister(d.store, d.keys.Sealer(purposeRuns), d.registry)
	d.importOld(ctx, daemon.Import{Runs: d.persister})
	done, err := d.persister.Restore(ctx)
	runsKept := err == nil
	if err != nil {
		d.problem("", err.Error())
	}
	if done.Runs > 0 {
		d.log.WithFields(logrus.Fields{"runs": done.Runs, "degraded": done.Degraded}).Info("runs restored")
	}
	d.finishMove(ctx)
	if err := d.store.Backup(); err != nil {
		d.problem("", fmt.Sprintf("no backup of the database: %v", err))
	}
	d.keeper = d.newKeeper(ctx)
	d.server = daemon.New(daemon.Options{
		Registry:  d.registry,
		Persister: d.persister,
		Version:   d.opts.Version,
		Log:       d.log,
		Ring:      d.ring,
		Problems:  d.known,
		Vitals:    d.vitals,
		Key:       d.keyHealth,
		Reload:    d.reloadAll,
		Rekey:     d.rekey,

		Credentials: d.credentials,
	})
	return errors.Join(d.makeProxy(), d.restoreRoutes(ctx, runsKept))
}

// openRoots reads them once: what the settings name counts from the start on.
func (d *parts) openRoots(context.Context) (err error) {
	if d.roots, err = pki.UpstreamRoots(d.opts.Settings.UpstreamCA); err != nil {
		return fmt.Errorf("%w: upstream_ca: %w", ErrConfig, err)
	}
	return nil
}

func (d *parts) makeProxy() error {
	s := d.opts.Settings
	var err error
	d.proxy, err = proxy.New(proxy.Options{
		Runs:            d.registry.Snapshot,
		Certificate:     d.leaves.Get,
		UpstreamRoots:   d.roots,
		RefuseAtConnect: s.RefuseAt == config.RefuseAtConnect,
		DrainLimit:      s.DrainLimit,
		Network:         d.opts.Network,
		Control:         fds.Control,
		Renewals:        d.keeper,
		Log:             d.log,
	})
	return err
}

// storeTime is how long the database may take to close.
const storeTime = closeTime / 2

// close closes what is open, after all parts have ended. A database that hangs is
// left as it is: what was acknowledged is on disk, and the next start would wait
// for this end.
func (d *parts) close() error {
	return errors.Join(d.closeHelper(), d.closeStore())
}

func (d *parts) closeStore() error {
	if d.store == nil {
		return nil
	}
	closed := make(chan error, 1)
	go func() { closed <- errors.Join(d.store.ResetBoots(), d.store.Backup(), d.store.Close()) }()
	select {
	case err := <-closed:
		return err
	case <-time.After(storeTime):
		return fmt.Errorf("the database did not close within %v", storeTime)
	}
}
