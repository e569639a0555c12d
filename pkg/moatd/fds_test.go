package moatd_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/daemon"
)

// Clients of the proxy that take all descriptors they can get leave enough for
// the API, which says what is the matter; once they are gone all is well.
func TestManyClientsLeaveTheAPIItsDescriptors(t *testing.T) {
	const limit = 128
	p := newProcess(t)
	addr := p.handOver()
	p.limit = limit
	p.start()
	defer p.end()
	var clients []net.Conn
	defer func() {
		for _, c := range clients {
			c.Close()
		}
	}()
	for range 2 * limit { // those that are not accepted wait in the kernel
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c)
	}
	c := daemon.NewClient(p.sock)
	short := fmt.Sprintf("of %d file descriptors are open", limit)
	for h := new(daemon.HealthResponse); !strings.Contains(strings.Join(h.Problems, " "), short); {
		var err error
		if h, err = c.Health(t.Context()); err != nil {
			t.Fatalf("Health while the proxy has no descriptors: %v", err)
		}
		if h.FDLimit != limit {
			t.Fatalf("Health: fd_limit %d, want %d", h.FDLimit, limit)
		}
	}
	if _, err := c.RegisterRun(t.Context(), daemon.RegisterRequest{RunID: "r"}); err != nil {
		t.Errorf("RegisterRun while the proxy has no descriptors: %v", err)
	}
	last := clients[len(clients)-1]
	for _, c := range clients[:len(clients)-1] {
		c.Close()
	}
	fmt.Fprint(last, "GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
	if res, err := http.ReadResponse(bufio.NewReader(last), nil); err != nil || res.StatusCode != http.StatusProxyAuthRequired {
		t.Errorf("the client that waited longest got %v, %v, want 407", res, err)
	}
	for h := (&daemon.HealthResponse{FDOpen: limit}); h.FDOpen > limit/2; {
		var err error
		if h, err = c.Health(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(p.output(), "file descriptors run short"); n < 1 || n > 3 {
		t.Errorf("the log says %d times that descriptors run short, want once:\n%s", n, p.output())
	}
}
