// Command boxorigin is the server on the far side of the proxy in the tests
// with a real systemd: it answers over HTTPS and remembers what it was asked.
//
//	/       "hello" and a newline
//	/slow   six lines, flushed one by one, half a second apart
//	/seen   what was asked so far, as JSON, itself not included
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// A sight is one request as it arrived.
type sight struct {
	Method        string `json:"method"`
	Path          string `json:"path"`
	Authorization string `json:"authorization"`
}

// A notebook remembers requests. It is safe for concurrent use.
type notebook struct {
	mu   sync.Mutex
	seen []sight
}

func main() {
	addr := flag.String("addr", "127.0.0.1:8443", "`address` to listen on")
	cert := flag.String("cert", "", "PEM `file` with the certificate")
	key := flag.String("key", "", "PEM `file` with its key")
	flag.Parse()
	srv := &http.Server{Addr: *addr, Handler: newHandler(), ReadHeaderTimeout: 10 * time.Second}
	fmt.Fprintln(os.Stderr, "boxorigin:", srv.ListenAndServeTLS(*cert, *key))
	os.Exit(1) //nolint:forbidigo // this is main
}

func newHandler() http.Handler {
	var n notebook
	mux := http.NewServeMux()
	mux.HandleFunc("GET /seen", n.serve)
	mux.HandleFunc("/slow", n.record(slow))
	mux.HandleFunc("/", n.record(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") }))
	return mux
}

func (n *notebook) record(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		n.seen = append(n.seen, sight{r.Method, r.URL.Path, r.Header.Get("Authorization")})
		n.mu.Unlock()
		next(w, r)
	}
}

func (n *notebook) serve(w http.ResponseWriter, _ *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := json.NewEncoder(w).Encode(n.seen); err != nil {
		fmt.Fprintln(os.Stderr, "boxorigin: answer /seen:", err)
	}
}

// slow takes three seconds, so that something can happen to the proxy meanwhile.
func slow(w http.ResponseWriter, r *http.Request) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for i := range 6 {
		fmt.Fprintln(w, "line", i+1)
		if err := http.NewResponseController(w).Flush(); err != nil {
			return // the client has gone
		}
		select {
		case <-tick.C:
		case <-r.Context().Done():
			return
		}
	}
}
