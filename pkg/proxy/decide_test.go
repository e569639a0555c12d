package proxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/internal/hosts"
	"github.com/moatd/moatd/pkg/internal/mitm"
)

// decideSpec is the run that the table of decisions is about.
func decideSpec(policy string) RunSpec {
	return RunSpec{
		RunID: "run_1", Policy: policy,
		Allow: []string{"exact.test", "port.test:8443", "*.wild.test", "one.wild.test"},
		Hosts: map[string]*HostRules{
			"api.test":      bearer("real"),
			"sub.test":      {Substitute: []Substitution{{Placeholder: "P", Secret: "s", Grant: "t"}}},
			"beta.test":     {Extra: []Header{{Name: "X", Value: "1"}}},
			"odd.test:8080": bearer("odd"),
			"localhost":     bearer("local"),
		},
		Missing: []MissingGrant{{Grant: "linear", Hosts: []string{"missing.test"}, Reason: "the keyring is locked"}},
	}
}

func TestDecide(t *testing.T) {
	const permissive, strict = Permissive, Strict
	for _, tt := range []struct {
		name, policy, scheme, host string
		status                     int
		rule                       string
		special                    bool
		rules                      bool
	}{
		{"permissive: any host", permissive, "https", "any.test:443", 0, "policy permissive", false, false},
		{"permissive: any port", permissive, "http", "any.test:8080", 0, "policy permissive", false, false},
		{"permissive: an allowed host may be at special addresses", permissive, "https", "exact.test:443", 0, "allow exact.test", true, false},
		{"permissive: but only at the ports of the entry", permissive, "https", "exact.test:8443", 0, "policy permissive", false, false},
		{"permissive: a host of a grant", permissive, "https", "api.test:443", 0, "grant g", false, true},
		{"permissive: credentials go to every port of the host", permissive, "https", "api.test:8443", 0, "policy permissive", false, true},
		{"strict: a host on no list", strict, "https", "any.test:443", 403, "policy strict", false, false},
		{"strict: an allowed host", strict, "https", "exact.test:443", 0, "allow exact.test", true, false},
		{"strict: an allowed host over http", strict, "http", "exact.test:80", 0, "allow exact.test", true, false},
		{"strict: no port in the list means 80 and 443", strict, "https", "exact.test:8443", 403, "policy strict", false, false},
		{"strict: a port in the list", strict, "https", "port.test:8443", 0, "allow port.test:8443", true, false},
		{"strict: another port than that in the list", strict, "https", "port.test:443", 403, "policy strict", false, false},
		{"strict: below a wildcard", strict, "https", "a.b.wild.test:443", 0, "allow *.wild.test", false, false},
		{"strict: the domain of a wildcard itself", strict, "https", "wild.test:443", 403, "policy strict", false, false},
		{"strict: an entry by name wins over the wildcard before it", strict, "https", "one.wild.test:443", 0, "allow one.wild.test", true, false},
		{"strict: a host of a grant", strict, "https", "api.test:443", 0, "grant g", false, true},
		{"strict: another port of a host of a grant", strict, "https", "api.test:8443", 403, "policy strict", false, false},
		{"strict: a host of a grant by substitution", strict, "https", "sub.test:443", 0, "grant t", false, true},
		{"strict: a host with rules but no secret", strict, "https", "beta.test:443", 403, "policy strict", false, false},
		{"strict: the port that a grant names", strict, "https", "odd.test:8080", 0, "grant g", false, true},
		{"strict: a grant for one port is not for another", strict, "https", "odd.test:443", 403, "policy strict", false, false},
		{"a credential that is missing", permissive, "https", "missing.test:443", 503, "grant linear", false, false},
		{"a credential that is missing, strict", strict, "https", "missing.test:443", 503, "grant linear", false, false},
		{"a credential in clear", permissive, "http", "api.test:80", 403, "cleartext", false, false},
		{"a substitution in clear", permissive, "http", "sub.test:80", 403, "cleartext", false, false},
		{"an extra header in clear", permissive, "http", "beta.test:80", 0, "policy permissive", false, true},
		{"a credential in clear to this machine", permissive, "http", "localhost:80", 0, "grant g", false, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := compile(t, decideSpec(tt.policy))
			got := d.Decide(Head{Scheme: tt.scheme, Target: host(t, tt.host)})
			if got.Status != tt.status || got.Rule != tt.rule || got.Special != tt.special || (got.Rules != nil) != tt.rules {
				t.Errorf("Decide(%s://%s) = %+v, want status %d, rule %q, special %t, rules %t",
					tt.scheme, tt.host, got, tt.status, tt.rule, tt.special, tt.rules)
			}
		})
	}
}

func compile(tb testing.TB, spec RunSpec) *RunContextData {
	tb.Helper()
	d, err := NewRunContextData(spec)
	if err != nil {
		tb.Fatalf("NewRunContextData: %v", err)
	}
	return d
}

func host(tb testing.TB, s string) hosts.Host {
	tb.Helper()
	h, err := hosts.Parse(s)
	if err != nil {
		tb.Fatal(err)
	}
	return h
}

func TestNewRunContextDataSaysWhatIsWrong(t *testing.T) {
	for _, tt := range []struct {
		name string
		spec RunSpec
		want string
	}{
		{"an unknown policy", RunSpec{Policy: "open"}, `network policy "open"`},
		{"a pattern that can never match", RunSpec{Allow: []string{"a.*.test"}}, "allow list"},
		{"rules for a host that is none", RunSpec{Hosts: map[string]*HostRules{"a..b": nil}}, "rules: host"},
		{"one host in two spellings", RunSpec{Hosts: map[string]*HostRules{"a.test": nil, "A.test.": nil}}, "twice"},
		{"rules that cannot be applied", RunSpec{Hosts: map[string]*HostRules{"a.test": {Remove: []string{"a b"}}}}, "rules for a.test"},
		{"a missing grant for a host that is none", RunSpec{Missing: []MissingGrant{{Grant: "g", Hosts: []string{":"}}}}, "hosts of grant g"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := NewRunContextData(tt.spec); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("NewRunContextData(%+v) = %v, want %q", tt.spec, err, tt.want)
			}
		})
	}
}

func TestRefusingRefusesEverything(t *testing.T) {
	for _, tt := range []struct {
		name string
		data *RunContextData
		rule string
	}{
		{"because the rules make no sense", Refusing("run_1", errors.New("the reason")), "run"},
		{"because a grant has no known hosts", compile(t, RunSpec{
			RunID: "run_1", Allow: []string{"*"}, Missing: []MissingGrant{{Grant: "gone", Reason: "the reason"}},
		}), "grant gone"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v := tt.data.Decide(Head{Scheme: "https", Target: host(t, "api.test:443")})
			if v.Status != http.StatusServiceUnavailable || v.Rule != tt.rule || !strings.Contains(v.Text, "the reason") {
				t.Errorf("Decide = %+v, want 503, rule %q and the reason", v, tt.rule)
			}
			if got := tt.data.RunID(); got != "run_1" {
				t.Errorf("RunID = %q", got)
			}
		})
	}
}

// TestAdaptersAgree makes policies and targets, and checks that a request meets
// one verdict in whichever form it comes.
func TestAdaptersAgree(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	names := []string{"a.test", "b.a.test", "B.A.TEST.", "c.test", "127.0.0.1", "0x7f.1", "[::1]", "localhost"}
	ports := []string{"", ":443", ":80", ":8443"}
	pick := func(from []string) string { return from[rnd.IntN(len(from))] }
	for range 2000 {
		spec := RunSpec{Policy: pick([]string{Permissive, Strict, ""}), Hosts: map[string]*HostRules{}}
		for range rnd.IntN(3) {
			spec.Allow = append(spec.Allow, pick([]string{"*.a.test", "*", "a.test", "c.test:8443", "127.0.0.1", "[::1]:8443"}))
		}
		if rnd.IntN(2) == 0 {
			spec.Hosts[pick(names)+pick(ports)] = bearer("x")
		}
		if rnd.IntN(4) == 0 {
			spec.Missing = []MissingGrant{{Grant: "m", Hosts: []string{pick(names)}}}
		}
		d, authority := compile(t, spec), pick(names)+pick(ports)
		want := decideAs(t, d, "absolute", authority)
		for _, form := range []string{"CONNECT", "tunnelled", "tunnelled absolute"} {
			if diff := cmp.Diff(want, decideAs(t, d, form, authority)); diff != "" {
				t.Fatalf("%+v: https://%s as %s (-absolute +%s):\n%s", spec, authority, form, form, diff)
			}
		}
	}
}

// decideAs returns the verdict on a request for https://authority in one form.
func decideAs(t *testing.T, d *RunContextData, form, authority string) Verdict {
	t.Helper()
	target := host(t, authority).OrPort(443)
	line := map[string]string{
		"CONNECT":            "CONNECT " + target.String(),
		"absolute":           "GET https://" + authority + "/",
		"tunnelled":          "GET /",
		"tunnelled absolute": "GET https://" + authority + "/",
	}[form]
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(line + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	var h Head
	switch form {
	case "CONNECT":
		h.Scheme = "https"
		h.Target, err = connectTarget(r)
	case "absolute":
		h, err = headOf(r, nil)
	default:
		r.TLS = &tls.ConnectionState{ServerName: target.Name}
		h, err = headOf(r, &mitm.Tunnel{Target: target})
	}
	if err != nil {
		t.Fatalf("%s %s: %v", form, authority, err)
	}
	return d.Decide(h)
}

// FuzzHeadOf checks that no request makes a panic, and that one that is read
// has a canonical target with a port.
func FuzzHeadOf(f *testing.F) {
	f.Add("GET / HTTP/1.1\r\nHost: api.test\r\n\r\n", "api.test", true)
	f.Add("GET https://api.test:443/x HTTP/1.1\r\nHost: b\r\n\r\n", "", true)
	f.Add("GET http://[::1]:80/ HTTP/1.0\r\n\r\n", "", false)
	f.Add("CONNECT a:1 HTTP/1.1\r\n\r\n", "", false)
	f.Add("GET https:x HTTP/1.1\r\nHost: \r\n\r\n", "-", true)
	d, err := NewRunContextData(decideSpec(Strict))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, request, sni string, tunnelled bool) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(request)))
		if err != nil {
			t.Skip("not a request")
		}
		var tunnel *mitm.Tunnel
		if tunnelled {
			tunnel = &mitm.Tunnel{Target: hosts.Host{Name: "api.test", Port: 443}}
			r.TLS = &tls.ConnectionState{ServerName: sni}
		}
		h, err := headOf(r, tunnel)
		if err != nil {
			return
		}
		for _, got := range append(h.Names, Name{"target", h.Target}) {
			if again, err := hosts.Parse(got.Host.String()); err != nil || again != got.Host {
				t.Errorf("headOf(%q): %s %v is not canonical: %v, %v", request, got.Where, got.Host, again, err)
			}
		}
		if h.Target.Port == 0 || h.Scheme != "http" && h.Scheme != "https" {
			t.Errorf("headOf(%q) = %+v, want a port and a scheme", request, h)
		}
		if v := d.Decide(h); v.Status == 0 && tunnelled && h.Target.Name != "api.test" {
			t.Errorf("Decide(%+v) lets it out of the tunnel to api.test", h)
		}
	})
}

// FuzzDecide checks that what a strict run may reach, a permissive one with the
// same rules may reach too, and that no other name gets a credential.
func FuzzDecide(f *testing.F) {
	f.Add("api.test:443", "api.test", true, "*.test")
	f.Add("[::1]:80", "::1", false, "*")
	f.Fuzz(func(t *testing.T, target, ruled string, secure bool, allow string) {
		h, err := hosts.Parse(target)
		if err != nil || h.Port == 0 {
			t.Skip("not a target")
		}
		spec := RunSpec{Policy: Strict, Allow: []string{allow}, Hosts: map[string]*HostRules{ruled: bearer("x")}}
		strict, err := NewRunContextData(spec)
		if err != nil {
			t.Skip("not a run")
		}
		spec.Policy = Permissive
		head := Head{Scheme: map[bool]string{true: "https", false: "http"}[secure], Target: h}
		hard, soft := strict.Decide(head), compile(t, spec).Decide(head)
		if hard.Status == 0 && (soft.Status != 0 || soft.Special != hard.Special) {
			t.Errorf("%s: strict %+v, permissive %+v", h, hard, soft)
		}
		if named := host(t, ruled); soft.Rules != nil && named.Name != h.Name {
			t.Errorf("%s gets the credential of %s", h, named)
		}
		if soft.Rules != nil && !secure && !h.IsLoopback() {
			t.Errorf("%s gets a credential in clear", h)
		}
	})
}

func ExampleRunContextData_Decide() {
	run, err := NewRunContextData(RunSpec{
		RunID: "run_7f3a", Policy: Strict,
		Allow: []string{"*.packages.example"},
		Hosts: map[string]*HostRules{
			"api.github.com": {Credentials: []Header{{Name: "Authorization", Value: "Bearer real", Grant: "github"}}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, name := range []string{"api.github.com", "a.packages.example", "example.com"} {
		v := run.Decide(Head{Scheme: "https", Target: hosts.Host{Name: name, Port: 443}})
		fmt.Printf("%d, %s\n", v.Status, v.Rule)
	}
	// Output:
	// 0, grant github
	// 0, allow *.packages.example
	// 403, policy strict
}

func ExampleNewRunContextData() {
	_, err := NewRunContextData(RunSpec{RunID: "run_7f3a", Policy: "closed"})
	fmt.Println(err)
	// Output:
	// network policy "closed": write "permissive" or "strict"
}

func BenchmarkDecide(b *testing.B) {
	d := compile(b, decideSpec(Strict))
	h := Head{Scheme: "https", Target: hosts.Host{Name: "api.test", Port: 443}}
	h.Names = []Name{{"Host", h.Target}, {"SNI", h.Target}}
	for b.Loop() {
		d.Decide(h)
	}
}
