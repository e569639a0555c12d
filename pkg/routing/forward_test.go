package routing

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// says is a service that says which it is.
func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }
}

func TestARequestReachesTheServiceOfItsHost(t *testing.T) {
	w := newWorld(t)
	w.service("myapp", "web", says("the web of myapp"))
	w.service("myapp", "api", says("the api of myapp"))
	w.service("other", "db", says("the db of other"))
	for _, tt := range []struct{ name, url, want string }{
		{"a service", "http://api.myapp.localhost:8080/", "the api of myapp"},
		{"the default service", "http://myapp.localhost:8080/", "the web of myapp"},
		{"the default service of another agent", "http://other.localhost/", "the db of other"},
		{"in capitals", "http://API.MyApp.LOCALHOST/", "the api of myapp"},
		{"with a dot at the end", "http://api.myapp.localhost.:1/", "the api of myapp"},
		{"over TLS", "https://api.myapp.localhost/", "the api of myapp"},
		{"over TLS, the default service", "https://other.localhost/", "the db of other"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := w.get(tt.url); got.StatusCode != 200 || got.body != tt.want {
				t.Errorf("GET %s = %s %q, want 200 %q", tt.url, got.Status, got.body, tt.want)
			}
		})
	}
}

func TestWhatTheServiceSees(t *testing.T) {
	w := newWorld(t)
	seen := make(chan *http.Request, 1)
	w.service("a", "web", func(_ http.ResponseWriter, r *http.Request) { seen <- r })
	for _, tt := range []struct {
		name, url string
		send      []string // headers
		host      string
		want      []string // headers; "" means none
	}{
		{
			"the Host of the client, and who it is", "http://A.localhost:8080/",
			nil, "A.localhost:8080",
			[]string{"X-Forwarded-For", "127.0.0.1", "X-Forwarded-Host", "A.localhost:8080", "X-Forwarded-Proto", "http", "X-Moat-Hops", "1"},
		},
		{
			"https behind TLS", "https://web.a.localhost/",
			nil, "web.a.localhost",
			[]string{"X-Forwarded-For", "127.0.0.1", "X-Forwarded-Host", "web.a.localhost", "X-Forwarded-Proto", "https"},
		},
		{
			"nothing that the client says of where it comes from", "http://a.localhost/",
			[]string{
				"X-Forwarded-For", "1.2.3.4", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "X-Forwarded-Port", "1",
				"X-Forwarded-Prefix", "/admin", "X-Real-Ip", "1.2.3.4", "Forwarded", "for=1.2.3.4",
			},
			"a.localhost",
			[]string{
				"X-Forwarded-For", "127.0.0.1", "X-Forwarded-Host", "a.localhost", "X-Forwarded-Proto", "http", "X-Forwarded-Port", "",
				"X-Forwarded-Prefix", "", "X-Real-Ip", "", "Forwarded", "",
			},
		},
		{
			"X-Forwarded, even where the client calls it a hop's own", "http://a.localhost/",
			[]string{"Connection", "X-Forwarded-For, X-Secret", "X-Secret", "s"},
			"a.localhost",
			[]string{"X-Forwarded-For", "127.0.0.1", "X-Secret", ""},
		},
		{
			"what else the client sends", "http://a.localhost/",
			[]string{"Origin", "http://a.localhost", "Cookie", "a=b", "Authorization", "Basic eDp5", "Accept-Encoding", "br"},
			"a.localhost",
			[]string{"Origin", "http://a.localhost", "Cookie", "a=b", "Authorization", "Basic eDp5", "Accept-Encoding", "br", "Via", ""},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.get(tt.url, tt.send...)
			r := receive(t, "the request", seen)
			if r.Host != tt.host {
				t.Errorf("the service saw Host %q, want %q", r.Host, tt.host)
			}
			for i := 0; i < len(tt.want); i += 2 {
				if got := strings.Join(r.Header.Values(tt.want[i]), "|"); got != tt.want[i+1] {
					t.Errorf("the service saw %s: %q, want %q", tt.want[i], got, tt.want[i+1])
				}
			}
		})
	}
}

func TestTheRequestLineGoesThroughAsItIs(t *testing.T) {
	w := newWorld(t)
	w.service("a", "web", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method, " ", r.RequestURI) })
	for _, line := range []string{
		"GET /", "GET /a%2Fb/../c//d;x?q=1;2&r=%zz&&", "DELETE /x", "PROPFIND /dav", "OPTIONS /", "POST /a?b",
	} {
		if got := w.raw(line + " HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"); got.body != line {
			t.Errorf("sent %q, the service saw %q", line, got.body)
		}
	}
	if got := w.raw("GET http://a.localhost/abs HTTP/1.1\r\nHost: other\r\nConnection: close\r\n\r\n"); got.body != "GET /abs" {
		t.Errorf("an absolute URL became %q, want GET /abs", got.body)
	}
}

func TestTheAnswerGoesThroughAsItIs(t *testing.T) {
	w := newWorld(t)
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
	w.service("a", "web", func(w http.ResponseWriter, r *http.Request) {
		sent, _ := io.ReadAll(r.Body) // all of it: clients stop sending at a status above 299
		w.Header().Set("Set-Cookie", "a=b; Path=/")
		w.Header().Set("Location", "http://a.localhost:8080/next")
		w.Header().Set("Content-Encoding", "br")
		w.Header().Set("Trailer", "X-Sum")
		w.WriteHeader(http.StatusSeeOther)
		w.Write(sent)
		w.Header().Set("X-Sum", "42")
	})
	for _, scheme := range []string{"http", "https"} {
		req, _ := http.NewRequest("POST", scheme+"://a.localhost/", bytes.NewReader(body))
		got := w.send(w.client(), req)
		head := []string{got.Status, got.Header.Get("Set-Cookie"), got.Header.Get("Location"), got.Header.Get("Content-Encoding"), got.Trailer.Get("X-Sum")}
		if diff := cmp.Diff([]string{"303 See Other", "a=b; Path=/", "http://a.localhost:8080/next", "br", "42"}, head); diff != "" {
			t.Errorf("%s: the answer (-want +got):\n%s", scheme, diff)
		}
		if got.body != string(body) {
			t.Errorf("%s: %d bytes came back of %d", scheme, len(got.body), len(body))
		}
	}
}

func TestEachEventGoesOutAsItComes(t *testing.T) {
	for _, scheme := range []string{"http", "https"} {
		w := newWorld(t)
		next := make(chan string, 1)
		w.service("a", "web", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			for {
				select {
				case event := <-next:
					fmt.Fprintf(w, "data: %s\n\n", event)
					http.NewResponseController(w).Flush()
				case <-r.Context().Done():
					return
				}
			}
		})
		next <- "first"
		req, _ := http.NewRequestWithContext(t.Context(), "GET", scheme+"://a.localhost/", nil)
		res, err := w.client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range []string{"first", "second", "third"} {
			if event != "first" {
				next <- event
			}
			want := "data: " + event + "\n\n"
			got := make([]byte, len(want))
			if _, err := io.ReadFull(res.Body, got); err != nil || string(got) != want {
				t.Fatalf("%s: read %q, %v, want %q", scheme, got, err, want)
			}
		}
		res.Body.Close()
	}
}

func TestAnAnswerMayBeginBeforeTheRequestHasEnded(t *testing.T) {
	w := newWorld(t)
	w.service("a", "web", func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		rc.EnableFullDuplex()
		buf := make([]byte, 4)
		for {
			n, err := io.ReadFull(r.Body, buf)
			if err != nil {
				return
			}
			w.Write(bytes.ToUpper(buf[:n]))
			rc.Flush()
		}
	})
	for _, scheme := range []string{"http", "https"} {
		in, out := io.Pipe()
		go out.Write([]byte("ping"))
		req, _ := http.NewRequestWithContext(t.Context(), "POST", scheme+"://a.localhost/", in)
		res, err := w.client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 4)
		io.ReadFull(res.Body, got)
		out.Write([]byte("pong"))
		more := make([]byte, 4)
		io.ReadFull(res.Body, more)
		if string(got)+string(more) != "PINGPONG" {
			t.Errorf("%s: read %q and %q, want PING and PONG", scheme, got, more)
		}
		out.Close()
		res.Body.Close()
	}
}

func TestEarlyHintsGoThrough(t *testing.T) {
	w := newWorld(t)
	w.service("a", "web", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		io.WriteString(w, "done")
	})
	var hints []string
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
			return nil
		},
	})
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://a.localhost/", nil)
	got := w.send(w.client(), req)
	if diff := cmp.Diff([]string{"103 </style.css>; rel=preload"}, hints); diff != "" || got.body != "done" {
		t.Errorf("answer %q; hints (-want +got):\n%s", got.body, diff)
	}
}

func TestTheServiceLearnsThatItsClientHasGone(t *testing.T) {
	w := newWorld(t)
	arrived, gone := make(chan struct{}), make(chan struct{})
	w.service("a", "web", func(_ http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-r.Context().Done()
		close(gone)
	})
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://a.localhost/", nil)
	go func() {
		if res, err := w.client().Do(req); err == nil {
			res.Body.Close()
		}
	}()
	receive(t, "the request", arrived)
	cancel()
	receive(t, "the end of the request at the service", gone)
}

func TestHTTP2OverTLS(t *testing.T) {
	w := newWorld(t)
	w.service("a", "web", says("hello"))
	c := w.client()
	for range 3 {
		req, _ := http.NewRequest("GET", "https://a.localhost/", nil)
		if got := w.send(c, req); got.ProtoMajor != 2 || got.body != "hello" {
			t.Errorf("GET = %s %q, want HTTP/2.0 hello", got.Proto, got.body)
		}
	}
	if n := w.router.Open(); n != 1 {
		t.Errorf("%d connections for three requests, want 1", n)
	}
}

func TestConnectionsToAServiceAreUsedAgain(t *testing.T) {
	w := newWorld(t)
	peers := make(chan string, 3)
	w.service("a", "web", func(_ http.ResponseWriter, r *http.Request) { peers <- r.RemoteAddr })
	first := ""
	for range 3 {
		w.get("http://a.localhost/")
		if peer := <-peers; first == "" {
			first = peer
		} else if peer != first {
			t.Errorf("a request came from %s, want the connection of the first, %s", peer, first)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	w := newWorld(b)
	w.service("myapp", "web", says("hello"))
	c := w.client()
	b.ReportAllocs()
	for b.Loop() {
		req, _ := http.NewRequest("GET", "http://web.myapp.localhost/", nil)
		if got := w.send(c, req); got.body != "hello" {
			b.Fatalf("got %q", got.body)
		}
	}
}
