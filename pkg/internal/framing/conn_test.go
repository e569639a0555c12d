package framing

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// TestCheck serves the requests of one connection, each with what is wrong with it.
func TestCheck(t *testing.T) {
	const both = "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	for _, tt := range []struct{ name, sent, want string }{
		{"nothing is wrong", head + "\r\n" + head + "Content-Length: 1\r\n\r\na", "ok ok "},
		{"the first", head + both, "wrong "},
		{"the second, which came with the first", head + "\r\n" + head + both, "ok wrong "},
		{"and all that follow", head + both + head + "\r\n", "wrong wrong "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(Count(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				text := "ok"
				if Check(r.Context()) != nil {
					text = "wrong"
				}
				w.Header().Set("X-Check", text)
			})))
			srv.Listener = Listener{srv.Listener}
			srv.Config.ConnContext = Context
			srv.Start()
			defer srv.Close()
			conn, err := net.Dial("tcp", srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
			_, _ = io.WriteString(conn, tt.sent+"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
			all, err := io.ReadAll(conn)
			if err != nil {
				t.Fatal(err)
			}
			var got strings.Builder
			for line := range strings.SplitSeq(string(all), "\r\n") {
				if text, ok := strings.CutPrefix(line, "X-Check: "); ok {
					got.WriteString(text + " ")
				}
			}
			last := "ok "
			if strings.Contains(tt.want, "wrong") {
				last = "wrong "
			}
			if got.String() != tt.want+last {
				t.Errorf("checks = %q, want %q", got.String(), tt.want+last)
			}
		})
	}
}

func TestCheckWithoutAConn(t *testing.T) {
	ctx := Context(t.Context(), &net.TCPConn{})
	if err := Check(ctx); err != nil {
		t.Errorf("Check = %v, want nil", err)
	}
}
