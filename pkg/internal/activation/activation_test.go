package activation

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fileListener is a listener that a service manager could pass on.
type fileListener interface {
	net.Listener
	File() (*os.File, error)
}

// tcp returns a listening socket and its address, with one connection waiting.
func tcp(t *testing.T) (file *os.File, addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return pass(t, l.(*net.TCPListener)), l.Addr().String()
}

// unixSock is tcp for a Unix socket whose file has the mode perm.
func unixSock(t *testing.T, perm os.FileMode) (file *os.File, path string) {
	t.Helper()
	path = filepath.Join(shortDir(t), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := os.Chmod(path, perm); err != nil {
		t.Fatal(err)
	}
	return pass(t, l), path
}

// pass closes l, keeps its socket open in a file, and dials it.
func pass(t *testing.T, l fileListener) *os.File {
	t.Helper()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	c, err := net.Dial(l.Addr().Network(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return f
}

// What every service manager has to keep to.
func TestTakeGivesListenersByName(t *testing.T) {
	t.Run("systemd", func(t *testing.T) { givesListenersByName(t, run) })
	t.Run("launchd", func(t *testing.T) { givesListenersByName(t, runLaunchd) })
}

func givesListenersByName(t *testing.T, run starter) {
	t.Helper()
	api, apiPath := unixSock(t, 0o600)
	readable, readablePath := unixSock(t, 0o644)
	gone, gonePath := unixSock(t, 0o600)
	if err := os.Remove(gonePath); err != nil {
		t.Fatal(err)
	}
	p1, p1Addr := tcp(t)
	p2, p2Addr := tcp(t)
	p3, p3Addr := tcp(t)
	p4, p4Addr := tcp(t)
	routing, routingAddr := tcp(t)
	tests := []struct {
		name string
		fds  []handed
		want map[string][]string
	}{
		{"nothing", nil, nil},
		{"one of each", []handed{{API, api}, {Proxy, p1}, {Routing, routing}}, map[string][]string{API: {apiPath}, Proxy: {p1Addr}, Routing: {routingAddr}}},
		{"the other order", []handed{{Proxy, p2}, {API, readable}}, map[string][]string{Proxy: {p2Addr}, API: {readablePath}}},
		{"two of one name keep their order", []handed{{Proxy, p3}, {Proxy, p4}}, map[string][]string{Proxy: {p3Addr, p4Addr}}},
		{"a Unix socket whose file is gone", []handed{{API, gone}}, map[string][]string{API: {gonePath}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, tt.fds)
			want := taken{Addrs: tt.want, Any: len(tt.fds) > 0, Accepted: len(tt.fds)}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("Take (-want +got):\n%s", d)
			}
		})
	}
}

func TestTakeRefuses(t *testing.T) {
	t.Run("systemd", func(t *testing.T) { refuses(t, run) })
	t.Run("launchd", func(t *testing.T) { refuses(t, runLaunchd) })
}

func refuses(t *testing.T, run starter) {
	t.Helper()
	tcp1, _ := tcp(t)
	sock, _ := unixSock(t, 0o600)
	open, openPath := unixSock(t, 0o660)
	pipe, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pipe.Close(); w.Close() })
	tests := []struct {
		name string
		fds  []handed
		want []string // parts of the error
	}{
		{"a pipe", []handed{{Proxy, pipe}}, []string{`socket 1 of 1 from the service manager, "proxy": not a socket`}},
		{"a Unix socket that the group can use", []handed{{API, open}}, []string{openPath + " has mode 0660", "SocketMode=0600"}},
		{"the API on TCP", []handed{{API, tcp1}}, []string{"not a Unix socket"}},
		{"a connection", []handed{{Proxy, connection(t)}}, []string{"a connection, not a listening socket"}},
		{"a datagram socket", []handed{{Proxy, datagram(t, "127.0.0.1:0")}}, []string{"not a stream socket"}},
		{"an abstract socket", []handed{{API, abstract(t)}}, []string{"a Unix socket without a file"}},
		{"one good, two bad", []handed{{API, sock}, {Proxy, pipe}, {Proxy, pipe}}, []string{"socket 2 of 3", "socket 3 of 3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := run(t, tt.fds)
			if got.Any {
				t.Errorf("Take kept listeners: %+v", got)
			}
			for _, part := range tt.want {
				if !strings.Contains(got.Err, part) {
					t.Errorf("Take = %q, want %q in it", got.Err, part)
				}
			}
		})
	}
}

// launchd is asked by name, so only systemd can pass one that nobody knows.
func TestTakeRefusesUnknownNames(t *testing.T) {
	for name, want := range map[string]string{
		"moatd.socket": `"moatd.socket": unknown name; FileDescriptorName= has to be api, proxy or routing`,
		"":             "unknown name",
	} {
		sock, _ := tcp(t)
		if got := run(t, []handed{{name, sock}}); got.Any || !strings.Contains(got.Err, want) {
			t.Errorf("Take of a socket called %q = %+v, want an error with %q", name, got, want)
		}
	}
}

func TestTakeIgnoresWhatIsForAnother(t *testing.T) {
	t.Setenv("LISTEN_PID", "1")
	t.Setenv("LISTEN_FDS", "1")
	t.Setenv("LISTEN_FDNAMES", "api")
	h, err := Take()
	if err != nil || h.Any() {
		t.Errorf("Take = %v, %v; want nothing, nil", h, err)
	}
	if v, set := os.LookupEnv("LISTEN_FDS"); set {
		t.Errorf("LISTEN_FDS = %q after Take, want it unset", v)
	}
}

func TestNilHandedIsEmpty(t *testing.T) {
	for _, h := range []*Handed{nil, {}} {
		if h.Any() || h.Listeners(API) != nil {
			t.Errorf("Any, Listeners = %v, %v; want false, nil", h.Any(), h.Listeners(API))
		}
	}
}

// Closing a listener must leave the socket file, which is the service manager's,
// and must not hang while an Accept waits: a blocking socket would.
func TestHandedListenerClosesWhileAccepting(t *testing.T) {
	f, path := unixSock(t, 0o600)
	h, err := adopt([]*os.File{rename(t, f, API)})
	if err != nil {
		t.Fatal(err)
	}
	l := h.Listeners(API)[0]
	if c, err := l.Accept(); err != nil { // the one that waits
		t.Fatal(err)
	} else {
		c.Close()
	}
	done := make(chan error)
	go func() {
		_, err := l.Accept()
		done <- err
	}()
	if err := l.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if err := <-done; err == nil {
		t.Error("Accept = nil after Close")
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the socket file after Close: %v", err)
	}
}
