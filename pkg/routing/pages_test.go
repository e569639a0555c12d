package routing

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden pages anew")

// page asks the router, without a connection, and returns the answer as text.
func (rt *Router) page(tb testing.TB, host, path, accept string) string {
	tb.Helper()
	r := httptest.NewRequest("GET", path, nil)
	r.Host = host
	r.Header.Set("Accept", accept)
	rec := httptest.NewRecorder()
	rt.ServeHTTP(rec, r)
	var b strings.Builder
	fmt.Fprintln(&b, rec.Code)
	rec.Header().Write(&b)
	return strings.ReplaceAll(b.String(), "\r\n", "\n") + "\n" + rec.Body.String()
}

func TestPages(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := closed.Addr().String()
	closed.Close()
	full, _ := newTable(t)
	add(t, full, "myapp", "web", down, "api", "127.0.0.1:3001")
	add(t, full, "other", "db", "127.0.0.1:5432")
	empty, _ := newTable(t)
	for _, tt := range []struct {
		name, host, path string
		table            *RouteTable
	}{
		{"index", "localhost:8080", "/", full},
		{"index-empty", "127.0.0.1", "/", empty},
		{"unknown-agent", "web.mapp.localhost:8080", "/x", full},
		{"unknown-service", "ap.myapp.localhost:8080", "/x", full},
		{"unknown-host", "a.b.c.localhost:8080", "/", full},
		{"unknown-path", "localhost:8080", "/favicon.ico", full},
		{"foreign-host", "evil.example:8080", "/", full},
		{"bad-host", "<script>", "/", full},
		{"unreachable", "myapp.localhost:8080", "/", full},
	} {
		rt, err := New(Options{Table: tt.table})
		if err != nil {
			t.Fatal(err)
		}
		for ending, accept := range map[string]string{
			"html": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "json": "application/json",
		} {
			t.Run(tt.name+" as "+ending, func(t *testing.T) {
				got := strings.ReplaceAll(rt.page(t, tt.host, tt.path, accept), down, "127.0.0.1:PORT")
				if strings.Contains(got, "PORT") {
					got = strings.Replace(got, "Content-Length: ", "Content-Length: about ", 1)
				}
				golden(t, tt.name+"."+ending, got)
			})
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	// The length of the port is not ours to choose.
	strip := func(s string) string {
		if i := strings.Index(s, "Content-Length: about "); i >= 0 {
			s = s[:i] + s[i+strings.IndexByte(s[i:], '\n')+1:]
		}
		return s
	}
	if diff := cmp.Diff(strip(string(want)), strip(got)); diff != "" {
		t.Errorf("%s (-want +got); run with -update to accept:\n%s", path, diff)
	}
}

// A web page whose name resolves to this machine can read our answer.
func TestAForeignHostLearnsNothing(t *testing.T) {
	w := newWorld(t)
	w.service("secret-project", "web", says("hello"))
	for _, host := range []string{"evil.example", "evil.example:" + w.port, "192.168.1.1", "localhost.evil.example", "0.0.0.0", "secret-project.localhost.evil.example"} {
		got := w.raw("GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n")
		head := fmt.Sprint(got.Header)
		if got.StatusCode != http.StatusMisdirectedRequest || strings.Contains(got.body+head, "secret-project") || strings.Contains(got.body, "hello") {
			t.Errorf("Host %s: %s %q, want 421 and no name", host, got.Status, got.body)
		}
		if got.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("Host %s: other origins may read the answer", host)
		}
	}
}

func TestTheIndexLinksToWhatIsServed(t *testing.T) {
	w := newWorld(t)
	w.service("myapp", "web", says("the web"))
	w.service("myapp", "api", says("the api"))
	for _, scheme := range []string{"http", "https"} {
		got := w.get(scheme+"://localhost:"+w.port+"/", "Accept", "application/json")
		var list struct{ Agents []agentLinks }
		if err := json.Unmarshal([]byte(got.body), &list); err != nil || len(list.Agents) != 1 {
			t.Fatalf("the index is %s: %v", got.body, err)
		}
		for _, l := range list.Agents[0].Services {
			if !strings.HasPrefix(l.URL, scheme+"://") || !strings.HasSuffix(l.URL, ":"+w.port+"/") {
				t.Errorf("the link to %s is %s, want %s and port %s", l.Name, l.URL, scheme, w.port)
			}
			if page := w.get(l.URL); page.body != "the "+l.Name {
				t.Errorf("GET %s = %q, want the %s", l.URL, page.body, l.Name)
			}
		}
		if page := w.get(list.Agents[0].URL); page.body != "the web" {
			t.Errorf("GET %s = %q, want the web", list.Agents[0].URL, page.body)
		}
	}
}

func TestOtherMethodsAreNotForThePage(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		method, target string
		want           int
	}{
		{"GET", "/", 200},
		{"HEAD", "/", 200},
		{"POST", "/", 405},
		{"DELETE", "/", 405},
		{"CONNECT", "localhost:443", 405},
	} {
		got := w.raw(tt.method + " " + tt.target + " HTTP/1.1\r\nHost: " + strings.TrimPrefix(tt.target+"localhost", "/") + "\r\nConnection: close\r\n\r\n")
		if tt.method == "CONNECT" {
			got = w.raw("CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n")
		}
		if got.StatusCode != tt.want || tt.want == 405 && got.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s %s: %s, Allow %q, want %d", tt.method, tt.target, got.Status, got.Header.Get("Allow"), tt.want)
		}
	}
}

func TestAServiceThatLeadsBackHere(t *testing.T) {
	w := newWorld(t)
	add(t, w.table, "a", "web", w.addr)
	got := w.get("http://a.localhost/", "Accept", "application/json")
	if got.StatusCode != http.StatusLoopDetected || !strings.Contains(got.body, w.addr) {
		t.Errorf("GET = %s %s, want 508 with the address", got.Status, got.body)
	}
	if got := w.get("http://a.localhost/", "X-Moat-Hops", "-9999999"); got.StatusCode != http.StatusLoopDetected {
		t.Errorf("GET with a count of the client's own = %s, want 508", got.Status)
	}
}

func TestAServiceThatComesUpIsServedAtOnce(t *testing.T) {
	w := newWorld(t)
	srv := w.service("a", "web", says("hello"))
	addr := srv.Listener.Addr().String()
	srv.Close()
	if got := w.get("http://a.localhost/"); got.StatusCode != 502 || got.Header.Get("X-Moat-Error") != "service_unreachable" {
		t.Errorf("GET of a service that is down = %s, X-Moat-Error %q, want 502 service_unreachable", got.Status, got.Header.Get("X-Moat-Error"))
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Skip("the port is taken by now: ", err)
	}
	again := httptest.NewUnstartedServer(says("back"))
	again.Listener.Close()
	again.Listener = ln
	again.Start()
	defer again.Close()
	if got := w.get("http://a.localhost/"); got.StatusCode != 200 || got.body != "back" {
		t.Errorf("GET = %s %q, want 200 back", got.Status, got.body)
	}
}
