package moatd_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/daemontest"
	"github.com/moatd/moatd/pkg/internal/activation"
	"github.com/moatd/moatd/pkg/moatd"
)

// managed starts a daemon in this process under a service manager; end tells it to
// end, and ended has its error.
func managed(t *testing.T, d *daemontest.Daemon) (m *manager, end func(), ended <-chan error) {
	t.Helper()
	m = newManager(t, d.Settings.Home)
	t.Setenv("NOTIFY_SOCKET", m.conn.LocalAddr().String())
	ctx, cancel := context.WithCancel(context.Background())
	over, ready := make(chan error, 1), make(chan moatd.Addresses, 1)
	go func() {
		over <- moatd.Serve(ctx, moatd.Options{
			Settings: d.Settings, Notify: activation.NewNotifier(), Stderr: io.Discard,
			Ready: func(a moatd.Addresses) { ready <- a },
		})
	}()
	t.Cleanup(cancel)
	at := <-ready
	d.Proxy, d.Routing = at.Proxy, at.Routing
	return m, cancel, over
}

// slow answers once it is let go, and tells when it was asked.
type slow struct{ asked, goOn chan struct{} }

// ServeHTTP implements [http.Handler].
func (s slow) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.asked <- struct{}{}
	select {
	case <-s.goOn:
		io.WriteString(w, "done")
	case <-r.Context().Done():
	}
}

func TestTheStatusSaysHowADrainGoesOn(t *testing.T) {
	d, s := daemontest.New(t), slow{make(chan struct{}), make(chan struct{})}
	origin := d.Origin(s)
	m, end, ended := managed(t, d)
	token := d.Register(daemon.RegisterRequest{RunID: "r", NetworkAllow: []string{origin}})
	answers := make(chan error, 2)
	for range 2 {
		go func() {
			res, err := d.HTTPClient(token).Get("https://" + origin + "/")
			if err == nil {
				_, err = io.ReadAll(res.Body)
				res.Body.Close()
			}
			answers <- err
		}()
		<-s.asked
	}
	end()
	m.await("STOPPING=1", "EXTEND_TIMEOUT_USEC=35000000", "STATUS=draining 2 connections of 1 runs, for 25s at most")
	s.goOn <- struct{}{}
	m.await("STATUS=draining 1 connections")
	s.goOn <- struct{}{}
	m.await("STATUS=ended; the next connection starts it again")
	if err := errors.Join(<-answers, <-answers, <-ended); err != nil {
		t.Errorf("the requests in flight and the daemon ended with %v, want no error", err)
	}
}

func TestTheStatusCountsWhatWasCut(t *testing.T) {
	d, s := daemontest.New(t), slow{make(chan struct{}), make(chan struct{})}
	d.Settings.DrainLimit = 50 * time.Millisecond
	origin := d.Origin(s)
	m, end, ended := managed(t, d)
	c := d.HTTPClient(d.Register(daemon.RegisterRequest{RunID: "r", NetworkAllow: []string{origin}}))
	go func() {
		if res, err := c.Get("https://" + origin + "/"); err == nil {
			res.Body.Close()
		}
	}()
	<-s.asked
	end()
	m.await("STATUS=ended, with 1 connections cut at the drain limit")
	if err := <-ended; err != nil {
		t.Errorf("Serve = %v, want nil", err)
	}
}

// An open connection keeps a daemon without runs: somebody is at its other end.
func TestAnOpenConnectionKeepsTheDaemon(t *testing.T) {
	for name, addr := range map[string]func(*daemontest.Daemon) string{
		"of the proxy":  func(d *daemontest.Daemon) string { return d.Proxy },
		"of the routes": func(d *daemontest.Daemon) string { return d.Routing },
	} {
		t.Run(name, func(t *testing.T) {
			d := daemontest.New(t)
			d.Settings.IdleExit = 30 * time.Millisecond
			d.Start()
			token, err := d.Client.RegisterRun(t.Context(), daemon.RegisterRequest{RunID: "r"})
			if err != nil {
				t.Skip("the daemon was idle before there was a run: ", err)
			}
			conn, err := net.Dial("tcp", addr(d))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := d.Client.UnregisterRun(t.Context(), token.AuthToken); err != nil {
				t.Fatal(err)
			}
			for begin := time.Now(); time.Since(begin) < 10*d.Settings.IdleExit; {
				if _, err := d.Client.Health(t.Context()); err != nil {
					t.Fatalf("the daemon has left its connection alone after %v: %v", time.Since(begin), err)
				}
			}
			fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
				t.Errorf("the connection that it stayed for: %v", err)
			}
			conn.Close()
			if err := d.Wait(); err != nil || !strings.Contains(d.Log(), "no runs") {
				t.Errorf("once the connection was closed, the daemon ended with %v, want because it had nothing to do", err)
			}
		})
	}
}

// A port that was taken at the start is served as soon as it is free.
func TestAPortThatBecomesFreeIsServed(t *testing.T) {
	d := daemontest.New(t)
	taken := map[string]net.Listener{}
	for name, addr := range map[string]*string{"proxy": &d.Settings.ProxyAddr, "routing": &d.Settings.RoutingAddr} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		taken[name], *addr = ln, ln.Addr().String()
	}
	p := newProcess(t)
	p.handOver()
	p.files, p.names = p.files[:1], "api"
	p.env = []string{"MOAT_ROUTING_ADDR=" + d.Settings.RoutingAddr}
	m := newManager(t, p.home)
	p.env = append(p.env, "NOTIFY_SOCKET="+m.conn.LocalAddr().String())
	p.start("--proxy-addr", d.Settings.ProxyAddr)
	defer p.end()
	m.await("READY=1", "STATUS=the proxy is not served", "2 problems")
	c := daemon.NewClient(p.sock)
	h, err := c.Health(t.Context())
	if err != nil || len(h.Problems) != 2 || h.ProxyPort != 0 || h.RoutingPort != 0 {
		t.Fatalf("Health = %+v, %v, want both ports as problems", h, err)
	}
	taken["proxy"].Close()
	m.await("STATUS=serving 0 runs on "+d.Settings.ProxyAddr, "1 problems")
	taken["routing"].Close()
	m.await("STATUS=serving 0 runs on "+d.Settings.ProxyAddr, "routes on "+d.Settings.RoutingAddr)
	h, err = c.Health(t.Context())
	if err != nil || len(h.Problems) != 0 || h.ProxyPort == 0 || h.RoutingPort == 0 {
		t.Errorf("Health = %+v, %v, want no problem and both ports", h, err)
	}
	for addr, want := range map[string]int{d.Settings.ProxyAddr: 407, d.Settings.RoutingAddr: 200} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != want {
			t.Errorf("%s answers %v, %v, want %d", addr, res, err, want)
		}
	}
	if last, err := daemon.ReadLockFile(p.home); err != nil || last == nil || last.ProxyPort != h.ProxyPort {
		t.Errorf("the record of the daemon: %+v, %v, want port %d", last, err, h.ProxyPort)
	}
}
