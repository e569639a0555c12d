package routing

import (
	"errors"
	"strings"
	"testing"
)

func TestParseTarget(t *testing.T) {
	var page target
	web := target{"myapp", "web"}
	for _, tt := range []struct {
		name, host string
		want       target
		err        error
	}{
		{"a service of an agent", "web.myapp.localhost", web, nil},
		{"with a port, of which any will do", "web.myapp.localhost:8080", web, nil},
		{"in capitals", "WEB.MyApp.LocalHost:8080", web, nil},
		{"with the dot of a full name", "web.myapp.localhost.", web, nil},
		{"with dot and port", "web.myapp.localhost.:443", web, nil},
		{"an agent alone", "myapp.localhost", target{agent: "myapp"}, nil},
		{"an agent that is called as a run", "run_7f3a.localhost", target{agent: "run_7f3a"}, nil},
		{"localhost", "localhost", page, nil},
		{"localhost in capitals, with dot and port", "LOCALHOST.:1", page, nil},
		{"the loopback address", "127.0.0.1:8080", page, nil},
		{"another loopback address", "127.1.2.3", page, nil},
		{"the IPv6 loopback address", "[::1]:8080", page, nil},
		{"a label too many", "a.web.myapp.localhost", target{}, errDeep},
		{"a public name, as after DNS rebinding", "evil.example:8080", target{}, errForeign},
		{"a name that only begins with localhost", "localhost.evil.example", target{}, errForeign},
		{"a name that only ends in localhost", "notlocalhost", target{}, errForeign},
		{"a name below a name that ends in localhost", "a.evillocalhost", target{}, errForeign},
		{"a private address", "192.168.1.2:8080", target{}, errForeign},
		{"all addresses", "0.0.0.0:8080", target{}, errForeign},
		{"a name that says localhost on most machines", "localhost.localdomain", target{}, errForeign},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := parseTarget(tt.host); got != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("parseTarget(%q) = %+v, %v, want %+v, %v", tt.host, got, err, tt.want, tt.err)
			}
		})
	}
}

func TestParseTargetOfWhatIsNoHost(t *testing.T) {
	for _, host := range []string{
		"", ".", ":8080", "a..localhost", ".localhost", "localhost:0", "localhost:x", "localhost:70000", "a b.localhost",
		"http://localhost", "user@localhost", "localhost/x", "[::1", "::1%lo", "-a.localhost", strings.Repeat("a", 300) + ".localhost",
	} {
		if got, err := parseTarget(host); err == nil || errors.Is(err, errDeep) || got != (target{}) {
			t.Errorf("parseTarget(%.40q) = %+v, %v, want an error and nothing else", host, got, err)
		}
	}
}

func TestCertificateName(t *testing.T) {
	for _, tt := range []struct{ name, server, local, want string }{
		{"the name that the client asks for", "Web.MyApp.localhost", "127.0.0.1", "web.myapp.localhost"},
		{"localhost", "localhost", "127.0.0.1", "localhost"},
		{"the address, for a client that asks for no name", "", "127.0.0.1", "127.0.0.1"},
		{"the IPv6 address", "", "::1", "::1"},
		{"none for a public name", "github.com", "127.0.0.1", ""},
		{"none for an address that is not the loopback's", "", "192.168.1.2", ""},
		{"none for nonsense", "*.localhost", "127.0.0.1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := certificateName(tt.server, tt.local)
			if got != tt.want || (err == nil) != (tt.want != "") {
				t.Errorf("certificateName(%q, %q) = %q, %v, want %q", tt.server, tt.local, got, err, tt.want)
			}
		})
	}
}

// Properties: what is parsed is made of labels that can be registered, and makes
// the same target when it is put together again; what is not below localhost
// names no agent.
func FuzzParseTarget(f *testing.F) {
	for _, host := range []string{
		"web.myapp.localhost:8080", "localhost", "[::1]:1", "0x7f.1", "evil.example", "a.b.c.localhost", "WEB.B\u00fccher.localhost", "\u212A.localhost",
	} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, host string) {
		to, err := parseTarget(host)
		if err != nil {
			if to != (target{}) {
				t.Fatalf("parseTarget(%q) = %+v and %v", host, to, err)
			}
			return
		}
		if to.agent == "" {
			if to.service != "" {
				t.Fatalf("parseTarget(%q) = %+v, a service of nobody", host, to)
			}
			return
		}
		whole := to.agent + ".localhost"
		if to.service != "" {
			whole = to.service + "." + whole
		}
		if again, err := parseTarget(strings.ToUpper(whole) + ".:80"); err != nil || again != to {
			t.Errorf("parseTarget(%q) = %+v, but of %q it is %+v, %v", host, to, whole, again, err)
		}
	})
}

// Properties: a name that is registered is found under its host, and is a label
// as the package's comment says.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"myapp", "My_App-2", "", "-", "a.b", "b\u00fccher", "\u212A", "xn--bcher-kva", strings.Repeat("a", 63)} {
		f.Add(name, "web", "127.0.0.1:80")
	}
	f.Add("a", "web", "[::1]:1")
	f.Add("a", "WEB", "h:99999")
	f.Fuzz(func(t *testing.T, agent, service, addr string) {
		table, m := newTable(t)
		if err := table.Add(agent, map[string]string{service: addr}); err != nil {
			if !errors.Is(err, ErrInvalid) || len(table.Agents()) != 0 {
				t.Errorf("Add(%q, %q, %q) = %v, leaves %v", agent, service, addr, err, table.Agents())
			}
			return
		}
		to, err := parseTarget(service + "." + agent + ".localhost:8080")
		if err != nil {
			t.Fatalf("Add took %q and %q, of which parseTarget says %v", service, agent, err)
		}
		got, ok := table.Lookup(to.agent, to.service)
		if byDefault, _ := table.LookupDefault(to.agent); !ok || got != byDefault {
			t.Errorf("Lookup(%+v) = %q, %t, and LookupDefault %q", to, got, ok, byDefault)
		}
		again, err := Open(m)
		if err != nil || len(again.Problems()) != 0 || len(again.Agents()) != 1 {
			t.Errorf("Open after Add(%q, %q, %q) = %v, %v", agent, service, addr, err, again.Problems())
		}
	})
}
