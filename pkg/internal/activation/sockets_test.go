package activation

import (
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// connection returns one end of an established TCP connection.
func connection(t *testing.T) *os.File {
	t.Helper()
	_, addr := tcp(t)
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, err := c.(*net.TCPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func datagram(t *testing.T, addr string) *os.File {
	t.Helper()
	c, err := net.ListenPacket("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f, err := c.(*net.UDPConn).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// abstract returns a listening Unix socket that has an address but no file.
func abstract(t *testing.T) *os.File {
	t.Helper()
	l, err := net.Listen("unix", "@moat-test-"+t.Name())
	if err != nil {
		t.Skipf("no abstract sockets here: %v", err)
	}
	return pass(t, l.(*net.UnixListener))
}

// rename returns a duplicate of f called name.
func rename(t *testing.T, f *os.File, name string) *os.File {
	t.Helper()
	fd, err := unix.Dup(int(f.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), name)
}
