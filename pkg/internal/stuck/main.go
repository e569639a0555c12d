// Command stuck is moatd, of which one part hangs for good once SIGUSR1 says so:
// for the tests of what a service manager does about that.
//
//	stuck api|proxy|routing|database
//
// An accept loop hangs as it would in a deadlock: the kernel takes connections and
// nobody serves them. The database hangs as it would on a disk that does not
// answer: in the middle of a commit.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/internal/activation"
	"github.com/moatd/moatd/pkg/internal/store"
	"github.com/moatd/moatd/pkg/moatd"
)

const database = "database"

func main() {
	err := errors.New("usage: stuck api|proxy|routing|database")
	if len(os.Args) == 2 && slices.Contains([]string{activation.API, activation.Proxy, activation.Routing, database}, os.Args[1]) {
		err = serve(os.Args[1])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stuck:", err)
	}
	os.Exit(moatd.ExitCode(err))
}

// serve is moatd serve, with settings from the environment and config.yaml, whose
// part hangs after the signal.
func serve(part string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hang := make(chan struct{})
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	go func() { <-told; close(hang) }()
	settings, err := settings()
	if err != nil {
		return err
	}
	handed, err := activation.Take()
	if err != nil {
		return err
	}
	return moatd.Serve(ctx, moatd.Options{
		Settings: settings, Version: "stuck", Stderr: os.Stderr, Notify: activation.NewNotifier(),
		Handed: around(handed, part, hang),
		OpenStore: func(path string, opts store.Options) (*store.Store, store.Recovery, error) {
			if part == database {
				opts.BeforeCommit = func() { block(hang) }
			}
			return store.Open(path, opts)
		},
	})
}

func settings() (config.Settings, error) {
	user, err := os.UserHomeDir()
	if err != nil {
		return config.Settings{}, err
	}
	home, err := config.Home(os.Getenv("MOAT_HOME"), user)
	if err != nil {
		return config.Settings{}, err
	}
	file, err := config.File(home)
	if err != nil {
		return config.Settings{}, err
	}
	return config.Apply(config.Defaults(home, os.Getenv("XDG_RUNTIME_DIR")), config.Environment(os.Getenv), file)
}

// around puts what can hang around the listeners of the part.
func around(handed *activation.Handed, part string, hang <-chan struct{}) *activation.Handed {
	byName := make(map[string][]net.Listener)
	for _, name := range []string{activation.API, activation.Proxy, activation.Routing} {
		for _, ln := range handed.Listeners(name) {
			if name == part {
				ln = listener{ln, hang}
			}
			byName[name] = append(byName[name], ln)
		}
	}
	return activation.NewHanded(byName)
}

// A listener accepts nobody once it hangs.
type listener struct {
	net.Listener
	hang <-chan struct{}
}

// Accept implements [net.Listener].
func (l listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		block(l.hang)
	}
	return conn, err
}

// block does not return if it is time to hang.
func block(hang <-chan struct{}) {
	select {
	case <-hang:
		select {}
	default:
	}
}
