package proxy

import (
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
)

func TestDropIdleDropsWhatNoRequestUses(t *testing.T) {
	w := newWorld(t)
	goOn, started := make(chan struct{}), make(chan struct{}, 1)
	w.origin("busy.test", func(w http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-goOn
		hello(w, r)
	})
	for _, host := range []string{"api.test", "h2.test"} {
		serve := w.originH2
		if host == "api.test" {
			serve = func(host string, h http.HandlerFunc) { w.origin(host, h) }
		}
		serve(host, hello)
	}
	w.run("tok", RunSpec{})
	ask := func() {
		for _, host := range []string{"api.test", "h2.test"} {
			get(t, w.client(), "https://"+host+"/").want(t, http.StatusOK, "hello")
		}
	}
	late := make(chan answer, 1)
	go func() { late <- get(t, w.client(), "https://busy.test/") }()
	receive(t, "the request", started)
	ask()
	before := len(w.dialled())
	w.until("both hosts are dialled anew", func() bool { // a connection is idle shortly after its answer
		w.proxy.DropIdle()
		ask()
		return len(w.dialled()) >= before+2
	})
	close(goOn)
	receive(t, "the answer", late).want(t, http.StatusOK, "hello")
}

func TestControlIsAskedForEachUpstream(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var asked atomic.Int32
	n := systemNetwork(Options{Control: func(string, string, syscall.RawConn) error {
		asked.Add(1)
		return syscall.EMFILE
	}})
	if conn, err := n.connect(t.Context(), "tcp", ln.Addr().String()); err == nil {
		conn.Close()
		t.Error("connect = nil although Control said no")
	}
	if asked.Load() != 1 {
		t.Errorf("Control was called %d times, want once", asked.Load())
	}
}
