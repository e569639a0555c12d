package activation

import (
	"context"
	"errors"
	"strings"
	"testing"
)

func TestListenTCP(t *testing.T) {
	l, err := ListenTCP(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	tests := []struct {
		name, addr, want string
		inUse            bool
	}{
		{"a port that is taken", taken, "listen on " + taken + ": already in use by another program; stop it", true},
		{"an address of another host", "192.0.2.1:0", "listen on 192.0.2.1:0: this host has no such address", false},
		{"no port", "127.0.0.1", "listen on 127.0.0.1: address 127.0.0.1: missing port", false},
		{"a port that is too large", "127.0.0.1:65536", "listen on 127.0.0.1:65536: address 65536: invalid port", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l, err := ListenTCP(t.Context(), tt.addr)
			if err == nil {
				l.Close()
				t.Fatalf("ListenTCP(%s) = nil, want %q", tt.addr, tt.want)
			}
			if !strings.HasPrefix(err.Error(), tt.want) || errors.Is(err, ErrInUse) != tt.inUse {
				t.Errorf("ListenTCP(%s) = %q, want %q, ErrInUse: %v", tt.addr, err, tt.want, tt.inUse)
			}
		})
	}
}

func TestListenTCPEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if l, err := ListenTCP(ctx, "localhost:0"); err == nil {
		l.Close()
		t.Errorf("ListenTCP with a context that has ended = nil, want an error")
	}
}
