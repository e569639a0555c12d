package routing

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLookupFinds(t *testing.T) {
	table, _ := newTable(t)
	add(t, table, "MyApp", "Web", "127.0.0.1:3000", "db", "[::1]:5432")
	add(t, table, "run_7f3a", "api", "box.internal:80")
	for _, tt := range []struct{ name, agent, service, want string }{
		{"a service", "myapp", "web", "127.0.0.1:3000"},
		{"another service, at an IPv6 address", "myapp", "db", "[::1]:5432"},
		{"a service in other cases", "MYAPP", "WEB", "127.0.0.1:3000"},
		{"a service of an agent that is called as its run", "run_7f3a", "api", "box.internal:80"},
		{"nothing for an unknown service", "myapp", "api", ""},
		{"nothing for an unknown agent", "other", "web", ""},
		{"nothing for a service where the agent must stand", "web", "myapp", ""},
		{"nothing for no names", "", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := table.Lookup(tt.agent, tt.service); got != tt.want || ok != (tt.want != "") {
				t.Errorf("Lookup(%q, %q) = %q, %t, want %q", tt.agent, tt.service, got, ok, tt.want)
			}
		})
	}
	if diff := cmp.Diff([]string{"myapp", "run_7f3a"}, table.Agents()); diff != "" {
		t.Errorf("Agents() (-want +got):\n%s", diff)
	}
}

func TestTheDefaultService(t *testing.T) {
	for _, tt := range []struct {
		name     string
		services []string
		want     string
	}{
		{"is the only one, whatever its name", []string{"zebra"}, "zebra"},
		{"is web before all others", []string{"app", "web", "default", "http", "aaa"}, "web"},
		{"is app where there is no web", []string{"http", "app", "default"}, "app"},
		{"is http after that", []string{"default", "aaa", "http"}, "http"},
		{"is default after that", []string{"aaa", "default", "zzz"}, "default"},
		{"is else the first by name", []string{"metrics", "db", "worker"}, "db"},
		{"is web in any case", []string{"Api", "WEB"}, "web"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for range 20 { // the order of a map differs each time
				table, _ := newTable(t)
				services := make(map[string]string)
				for i, s := range tt.services {
					services[s] = fmt.Sprintf("127.0.0.1:%d", i+1)
				}
				if err := table.Add("a", services); err != nil {
					t.Fatal(err)
				}
				want, _ := table.Lookup("a", tt.want)
				if got, ok := table.LookupDefault("A"); !ok || got != want {
					t.Fatalf("LookupDefault(A) with %v = %q, %t, want %q of %s", services, got, ok, want, tt.want)
				}
			}
		})
	}
	table, _ := newTable(t)
	if got, ok := table.LookupDefault("none"); ok {
		t.Errorf("LookupDefault(none) = %q, want nothing", got)
	}
}

func TestAddRefuses(t *testing.T) {
	long := strings.Repeat("a", 64)
	for _, tt := range []struct {
		name, agent string
		services    map[string]string
		says        string
	}{
		{"no services", "a", nil, "agent a has no services"},
		{"an agent without a name", "", map[string]string{"web": "h:1"}, "name of the agent is empty"},
		{"an agent with a dot", "my.app", map[string]string{"web": "h:1"}, `agent "my.app" has '.' in it`},
		{"an agent with a space", "my app", map[string]string{"web": "h:1"}, "' ' in it"},
		{"an agent in another script", "bücher", map[string]string{"web": "h:1"}, "'ü' in it"},
		{"a letter whose lower case is ASCII", "\u212Aelvin", map[string]string{"web": "h:1"}, ""},
		{"an agent that begins with a hyphen", "-a", map[string]string{"web": "h:1"}, "begins or ends with a hyphen"},
		{"an agent that ends with a hyphen", "a-", map[string]string{"web": "h:1"}, "begins or ends with a hyphen"},
		{"an agent of 64 letters", long, map[string]string{"web": "h:1"}, "has 64 bytes"},
		{"markup in a name", "a", map[string]string{"<script>": "h:1"}, `service "<script>" has '<' in it`},
		{"a service without a name", "a", map[string]string{"": "h:1"}, "name of the service is empty"},
		{"a service twice", "a", map[string]string{"web": "h:1", "Web": "h:2"}, "service web stands there twice"},
		{"an address without a port", "a", map[string]string{"web": "127.0.0.1"}, `"127.0.0.1" has no port; write host:port`},
		{"an address without a host", "a", map[string]string{"web": ":3000"}, "address of service web"},
		{"no address", "a", map[string]string{"web": ""}, "address of service web"},
		{"port 0", "a", map[string]string{"web": "h:0"}, "port"},
		{"a port beyond 65535", "a", map[string]string{"web": "h:70000"}, "port"},
		{"a URL", "a", map[string]string{"web": "http://h:3000/"}, `write "h:3000"`},
		{"a line break in an address", "a", map[string]string{"web": "h:1\r\nX: y"}, "address of service web"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, m := newTable(t)
			err := table.Add(tt.agent, tt.services)
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("Add(%q, %v) = %v, want ErrInvalid with %q", tt.agent, tt.services, err, tt.says)
			}
			if len(table.Agents()) != 0 || len(m.recs) != 0 {
				t.Errorf("Add(%q, %v) has left %v, %v", tt.agent, tt.services, table.Agents(), m.recs)
			}
		})
	}
}

func TestAddReplacesAllRoutesOfAnAgent(t *testing.T) {
	table, _ := newTable(t)
	add(t, table, "a", "web", "h:1", "api", "h:2")
	add(t, table, "A", "api", "h:3")
	if got := table.All()[0].Routes(); len(table.All()) != 1 || !maps.Equal(got.Services, map[string]string{"api": "h:3"}) {
		t.Errorf("Routes() = %v, want api at h:3 alone", got)
	}
}

func TestRemove(t *testing.T) {
	table, m := newTable(t)
	add(t, table, "a", "web", "h:1")
	add(t, table, "b", "web", "h:2")
	for _, agent := range []string{"A", "a", "unknown", ""} {
		if err := table.Remove(agent); err != nil {
			t.Errorf("Remove(%q) = %v, want nil", agent, err)
		}
	}
	if got := table.Agents(); !slices.Equal(got, []string{"b"}) || len(m.recs) != 1 {
		t.Errorf("after the removals: Agents() = %v, on disk %v; want b alone", got, m.recs)
	}
}

func TestAChangeThatTheDiskRefusesIsNone(t *testing.T) {
	table, m := newTable(t)
	add(t, table, "a", "web", "h:1")
	full := errors.New("disk full")
	m.fail(full)
	if err := table.Add("a", map[string]string{"web": "h:2"}); !errors.Is(err, full) {
		t.Errorf("Add = %v, want %v", err, full)
	}
	if err := table.Add("b", map[string]string{"web": "h:2"}); !errors.Is(err, full) {
		t.Errorf("Add = %v, want %v", err, full)
	}
	if err := table.Remove("a"); !errors.Is(err, full) {
		t.Errorf("Remove = %v, want %v", err, full)
	}
	if addr, _ := table.Lookup("a", "web"); addr != "h:1" || len(table.Agents()) != 1 {
		t.Errorf("Lookup(a, web) = %q, Agents() = %v; want h:1, and a alone", addr, table.Agents())
	}
	if _, err := Open(m); !errors.Is(err, full) {
		t.Errorf("Open = %v, want %v", err, full)
	}
}

// What one does to an agent is in one order in memory and on disk, and lookups
// see all of a registration or nothing of it.
func TestConcurrentChangesLeaveMemoryAndDiskAlike(t *testing.T) {
	table, m := newTable(t)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 200 {
				agent, port := fmt.Sprintf("agent%d", i%5), w*1000+i+1
				_ = table.Add(agent, map[string]string{"web": fmt.Sprintf("h:%d", port), "api": fmt.Sprintf("i:%d", port)})
				if a, ok := table.Agent(agent); ok {
					web, _ := a.Addr("web")
					api, _ := a.Addr("api")
					if strings.TrimPrefix(web, "h") != strings.TrimPrefix(api, "i") {
						t.Errorf("a half of two registrations: %s, %s", web, api)
					}
				}
				if i%7 == 0 {
					_ = table.Remove(agent)
				}
			}
		})
	}
	wg.Wait()
	again, err := Open(m)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(routesOf(again), routesOf(table)); diff != "" {
		t.Errorf("memory and disk differ (-disk +memory):\n%s", diff)
	}
}

func routesOf(t *RouteTable) map[string]Routes {
	all := make(map[string]Routes)
	for _, a := range t.All() {
		all[a.Name] = a.Routes()
	}
	return all
}

func TestAThousandAgents(t *testing.T) {
	path := tempFile(t)
	st := openFile(t, path)
	table, err := Open(st)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for w := range 20 {
		wg.Go(func() {
			for i := range 50 {
				add(t, table, fmt.Sprintf("agent-%d", w*50+i), "web", fmt.Sprintf("127.0.0.1:%d", w*50+i+1))
			}
		})
	}
	wg.Wait()
	st.Close()
	if table, err = Open(openFile(t, path)); err != nil || len(table.Agents()) != 1000 {
		t.Fatalf("after a reopen: %d agents, %v, want 1000", len(table.Agents()), err)
	}
	for i := range 1000 {
		want := fmt.Sprintf("127.0.0.1:%d", i+1)
		if got, _ := table.LookupDefault(fmt.Sprintf("agent-%d", i)); got != want {
			t.Errorf("LookupDefault(agent-%d) = %q, want %q", i, got, want)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	table, _ := newTable(b)
	for i := range 1000 {
		add(b, table, fmt.Sprintf("agent-%d", i), "web", "h:1", "api", "h:2")
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, ok := table.Lookup("agent-500", "api"); !ok {
				b.Error("not found")
			}
		}
	})
}

func BenchmarkAddToAThousand(b *testing.B) {
	table, _ := newTable(b)
	for i := range 1000 {
		add(b, table, fmt.Sprintf("agent-%d", i), "web", "h:1")
	}
	for b.Loop() {
		add(b, table, "agent-1", "web", "h:2")
	}
}
