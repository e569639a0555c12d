package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// installFlags are those of moat daemon install.
type installFlags struct {
	docker  string
	listen  []string
	linger  bool
	sandbox string
}

// dockerBridge is --docker without a value.
const dockerBridge = "docker0"

func (s *service) installCommand() *cobra.Command {
	var f installFlags
	cmd := &cobra.Command{
		Use:   "install",
		Short: "Make moatd a service of this user",
		Long:  installLong,
		Example: `  moat daemon install
  moat daemon install --linger              # on a server: without a login too
  moat daemon install --docker              # containers behind Docker's bridge
  moat daemon install --listen 10.88.0.1:19080
  sudo moat daemon install --system`,
		Args: arguments(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return s.install(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.docker, "docker", "", "let containers in: the proxy listens on the `address` of Docker's bridge too")
	flags.Lookup("docker").NoOptDefVal = dockerBridge
	flags.StringArrayVar(&f.listen, "listen", nil, "further `ip:port` of the proxy, or none to have no further one; may be repeated")
	flags.BoolVar(&f.linger, "linger", false, "keep the service running without a login (loginctl enable-linger)")
	flags.StringVar(&f.sandbox, "sandbox", string(supervisor.SandboxAuto), "`how` to confine it by namespaces: auto, where a trial shows that it works, on or off")
	return cmd
}

const installLong = `moat daemon install makes moatd a service: it writes the units, enables the
sockets and opens them. The first connection starts the daemon. Over an older, a
newer or a failed installation it does what is missing; sockets that stay the
same stay open, and a daemon that is out of date is restarted. What systemctl
edit has made stays. Units that a package has installed are only enabled.

The proxy's further addresses stay from one installation to the next; --listen
none removes them.`

// installed is what moat daemon install --json prints.
type installed struct {
	Supervisor string   `json:"supervisor"`
	Exe        string   `json:"exe"`
	Files      []string `json:"files"`
	Packaged   bool     `json:"packaged"`
	Notes      []string `json:"notes,omitempty"`
}

func (s *service) install(cmd *cobra.Command, f installFlags) error {
	opts, err := f.options()
	if err != nil {
		return usageError{err, cmd.CommandPath()}
	}
	if opts.Listen, err = f.addresses(cmd, s.settings.ProxyAddr); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if opts.Exe, err = supervisor.FindExe(self); err != nil {
		return hinted{err, "moat and moatd belong into one directory"}
	}
	sup := s.supervisor()
	out := installed{Supervisor: sup.Name(), Exe: opts.Exe}
	err = s.during("installing", func() error { return s.installWith(cmd.Context(), sup, opts, &out) })
	if err != nil {
		return supervised(err)
	}
	return print(s.app, out, func(w *tabwriter.Writer) {
		what := "installed"
		if out.Packaged {
			what = "enabled, as packaged"
		}
		fmt.Fprintf(w, "moatd: %s; the first connection starts it\n", what)
		printNotes(w, out.Notes)
	})
}

// installWith makes the home, in which the sandbox will have its hole, and ends a
// daemon that holds the ports.
func (s *service) installWith(ctx context.Context, sup supervisor.Supervisor, opts supervisor.InstallOptions, out *installed) error {
	if _, err := sup.Status(ctx); err != nil {
		return err
	}
	if !s.system {
		if err := config.MakeHome(s.settings.Home); err != nil {
			return err
		}
		note, err := s.takeOver(ctx, sup)
		if err != nil {
			return err
		}
		out.Notes = append(out.Notes, note...)
	}
	done, err := sup.Install(ctx, opts)
	out.Files, out.Packaged, out.Notes = done.Files, done.Packaged, append(out.Notes, done.Notes...)
	return err
}

// takeOver ends a daemon that no service manager has started: it holds the state
// and the ports. Its runs go on with the service's.
func (s *service) takeOver(ctx context.Context, sup supervisor.Supervisor) ([]string, error) {
	last, err := s.alive(ctx)
	if err != nil || last == nil {
		return nil, err
	}
	if st, err := sup.Status(ctx); err != nil || st.PID != 0 {
		return nil, err
	}
	note := fmt.Sprintf("ended the daemon that was started by hand, process %d; the service has its runs now", last.PID)
	return []string{note}, s.end(ctx, last)
}

// options checks the values of the flags.
func (f installFlags) options() (supervisor.InstallOptions, error) {
	opts := supervisor.InstallOptions{Linger: f.linger, Sandbox: supervisor.Sandbox(f.sandbox)}
	switch opts.Sandbox {
	case supervisor.SandboxAuto, supervisor.SandboxOn, supervisor.SandboxOff:
		return opts, nil
	}
	return opts, fmt.Errorf("--sandbox %q: write auto, on or off", f.sandbox)
}

// addresses returns the further addresses of the proxy; nil if no flag names any,
// and empty if the flag says that there shall be none.
func (f installFlags) addresses(cmd *cobra.Command, proxy string) ([]netip.AddrPort, error) {
	if len(f.listen) == 1 && f.listen[0] == "none" && f.docker == "" {
		return []netip.AddrPort{}, nil
	}
	var all []netip.AddrPort
	for _, text := range f.listen {
		at, err := netip.ParseAddrPort(text)
		if err != nil {
			return nil, usageError{fmt.Errorf("--listen %q is no address: write it as 172.17.0.1:19080", text), cmd.CommandPath()}
		}
		all = append(all, at)
	}
	if f.docker == "" {
		return all, nil
	}
	at, err := bridge(f.docker)
	if err != nil {
		return nil, err
	}
	local, err := netip.ParseAddrPort(proxy)
	if err != nil {
		return nil, err
	}
	return append(all, netip.AddrPortFrom(at, local.Port())), nil
}

// bridge returns the address that was given, or that of Docker's bridge.
func bridge(text string) (netip.Addr, error) {
	if text != dockerBridge {
		at, err := netip.ParseAddr(text)
		if err != nil {
			return at, hinted{fmt.Errorf("--docker=%s is no address", text), "write --docker alone, or --docker=172.17.0.1"}
		}
		return at, nil
	}
	dev, err := net.InterfaceByName(dockerBridge)
	var addrs []net.Addr
	if err == nil {
		addrs, err = dev.Addrs()
	}
	for _, a := range addrs {
		if prefix, bad := netip.ParsePrefix(a.String()); bad == nil && prefix.Addr().Is4() {
			return prefix.Addr(), nil
		}
	}
	if err == nil {
		err = errors.New("it has no address")
	}
	return netip.Addr{}, hinted{
		fmt.Errorf("no address of Docker's bridge: the interface %s: %w", dockerBridge, err),
		"start Docker, or give the gateway that docker network inspect bridge shows: --docker=ADDRESS",
	}
}
