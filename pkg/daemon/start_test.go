package daemon

import (
	"context"
	"errors"
	"os"
	"testing"

	"github.com/moatd/moatd/pkg/internal/activation"
)

func TestStartAndStop(t *testing.T) {
	sock := tempSock(t)
	s := NewServer(sock, 19080)
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("Stop before Start = %v, want nil", err)
	}
	if err := s.Start(); err != nil {
		t.Fatalf("Start = %v", err)
	}
	c := NewClient(sock)
	if h, err := c.Health(t.Context()); err != nil || h.PID != os.Getpid() || h.ProxyPort != 19080 {
		t.Errorf("Health = %+v, %v; want this process, port 19080", h, err)
	}
	if err := s.Start(); err == nil {
		t.Error("a second Start = nil, want an error")
	}
	if err := NewServer(sock, 1).Start(); !errors.Is(err, activation.ErrInUse) {
		t.Errorf("Start on the socket of a live daemon = %v, want ErrInUse", err)
	}
	if err := errors.Join(s.Stop(t.Context()), s.Stop(t.Context())); err != nil {
		t.Errorf("Stop, twice = %v", err)
	}
	if _, err := c.Health(t.Context()); err == nil {
		t.Error("Health after Stop = nil, want an error")
	}
	if err := s.Start(); err == nil {
		t.Error("Start after Stop = nil, but a server cannot serve twice")
	}
	next := NewServer(sock, 2)
	if err := next.Start(); err != nil {
		t.Errorf("Start of the next daemon = %v", err)
	}
	if err := next.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestStopWaitsNoLongerThanItsContext(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	s := New(Options{Reload: func(context.Context) error {
		close(begun)
		<-goOn
		return nil
	}})
	s.own.path = tempSock(t)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- NewClient(s.own.path).Reload(context.Background()) }()
	<-begun
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Stop(ended context) = %v, want context.Canceled", err)
	}
	close(goOn)
	if err := <-ended; err != nil {
		t.Errorf("the request in flight = %v, want nil", err)
	}
}
