package initfiles_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"howett.net/plist"

	initfiles "github.com/moatd/moatd/init"
)

var update = flag.Bool("update", false, "write the golden files anew")

// agent is the one that the embedded file describes.
func agent() initfiles.Agent {
	return initfiles.Agent{
		Exe:  "/opt/homebrew/opt/moat/bin/moatd",
		Home: "/Users/me/.moat",
		Log:  "/Users/me/Library/Logs/moat/moatd.log",
	}
}

// everything has a value of every kind, with what XML and the library that
// writes the file would take for their own.
func everything() initfiles.Agent {
	return initfiles.Agent{
		Exe:    `/Applications/A & B's "best" <tools>/{{Path}}/moatd`,
		Home:   "/Users/zoë/鍵 🔑",
		Log:    "/Users/zoë/Library/Logs/--><!-- moat.log",
		Listen: []netip.AddrPort{netip.MustParseAddrPort("192.168.64.1:19080"), netip.MustParseAddrPort("[fd00::1]:19080")},
	}
}

func render(t *testing.T, a initfiles.Agent) string {
	t.Helper()
	text, err := a.Plist()
	if err != nil {
		t.Fatalf("Plist of %+v: %v", a, err)
	}
	return text
}

// parsed is what an independent parser reads from a plist. A key that is not
// here is an error.
type parsed struct {
	Label                  string
	ProgramArguments       []string
	Sockets                sockets
	KeepAlive              map[string]bool
	ThrottleInterval       int
	ExitTimeOut            int
	ProcessType            string
	LimitLoadToSessionType []string
	StandardOutPath        string
	StandardErrorPath      string
	Umask                  int
	SoftResourceLimits     map[string]int
	HardResourceLimits     map[string]int
	EnvironmentVariables   map[string]string
}

type sockets struct {
	API     apiSocket   `plist:"api"`
	Proxy   []tcpSocket `plist:"proxy"`
	Routing []tcpSocket `plist:"routing"`
}

type apiSocket struct {
	SockPathName string
	SockPathMode int
}

type tcpSocket struct{ SockNodeName, SockServiceName, SockFamily string }

func parsePlist(t *testing.T, text string) parsed {
	t.Helper()
	var got parsed
	var all map[string]any
	for _, into := range []any{&got, &all} {
		if _, err := plist.Unmarshal([]byte(text), into); err != nil {
			t.Fatalf("no plist: %v\n%s", err, text)
		}
	}
	if n := 14; len(all) != n {
		t.Errorf("the plist has %d keys, and %d are expected here: %v", len(all), n, all)
	}
	return got
}

// want is the plist of a, as launchd is to understand it.
func want(a initfiles.Agent) parsed {
	limits := map[string]int{"NumberOfFiles": 65536, "Core": 0}
	p := parsed{
		Label:            "dev.moatd.moatd",
		ProgramArguments: []string{a.Exe, "serve"},
		Sockets: sockets{
			API:     apiSocket{a.Home + "/run/moatd.sock", 0o600},
			Proxy:   []tcpSocket{{"127.0.0.1", "19080", "IPv4"}},
			Routing: []tcpSocket{{"127.0.0.1", "8080", "IPv4"}},
		},
		KeepAlive:              map[string]bool{"SuccessfulExit": false},
		ThrottleInterval:       5,
		ExitTimeOut:            35,
		ProcessType:            "Interactive",
		LimitLoadToSessionType: []string{"Aqua", "Background"},
		StandardOutPath:        a.Log,
		StandardErrorPath:      a.Log,
		Umask:                  0o077,
		SoftResourceLimits:     limits,
		HardResourceLimits:     limits,
		EnvironmentVariables: map[string]string{
			"PATH":      "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
			"MOAT_HOME": a.Home,
		},
	}
	for _, at := range a.Listen {
		family := "IPv6"
		if at.Addr().Is4() {
			family = "IPv4"
		}
		p.Sockets.Proxy = append(p.Sockets.Proxy, tcpSocket{at.Addr().String(), fmt.Sprint(at.Port()), family})
	}
	return p
}

func TestPlist_anotherParserReadsWhatWasMeant(t *testing.T) {
	at := func(dir string) initfiles.Agent {
		a := agent()
		a.Exe, a.Home, a.Log = dir+"/moatd", dir, dir+"/log"
		return a
	}
	for _, tt := range []struct {
		name  string
		agent initfiles.Agent
	}{
		{"the file as it is", agent()},
		{"all at once", everything()},
		{"a space", at("/Users/al/my tools")},
		{"an ampersand", at("/a&b&amp;c")},
		{"brackets", at("/a<b>c]]>d")},
		{"both quotes", at(`/a"b'c`)},
		{"the end of the element", at("/a</string><string>b")},
		{"a comment", at("/a<!-- b -->")},
		{"a backslash and a percent sign", at(`/100%\h`)},
		{"letters of other alphabets, composed and decomposed", at("/zoë/zoe\u0308/鍵")},
		{"a character outside the first plane", at("/🔑")},
		{"a name that is another's value", initfiles.Agent{Exe: "/Users/me/.moat", Home: "/opt/homebrew/opt/moat/bin/moatd", Log: "/Users/me/.moat/run/moatd.sock"}},
		{"a line separator of Unicode", at("/a\u2028b")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text := render(t, tt.agent)
			if diff := cmp.Diff(want(tt.agent), parsePlist(t, text)); diff != "" {
				t.Errorf("Plist of %+v, -want +got:\n%s", tt.agent, diff)
			}
			if strings.Contains(text, "{{") {
				t.Error("the text has {{, which the library that writes it takes for a directive")
			}
			back, err := initfiles.ReadAgent(text)
			if diff := cmp.Diff(tt.agent, back, cmp.Comparer(sameAddr)); err != nil || diff != "" {
				t.Errorf("ReadAgent(Plist of %+v): %v, -want +got:\n%s", tt.agent, err, diff)
			}
		})
	}
}

func sameAddr(a, b netip.AddrPort) bool { return a == b }

func TestPlist_golden(t *testing.T) {
	for file, a := range map[string]initfiles.Agent{
		"launchd/dev.moatd.moatd.plist": agent(),
		"testdata/everything.plist":     everything(),
	} {
		got := render(t, a)
		if *update && strings.HasPrefix(file, "testdata") {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(filepath.FromSlash(file))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s, -file +got (go test ./init -update writes it anew):\n%s", file, diff)
		}
	}
}

func TestPlist_refuses(t *testing.T) {
	change := func(f func(*initfiles.Agent)) initfiles.Agent {
		a := agent()
		f(&a)
		return a
	}
	listen := func(addrs ...string) initfiles.Agent {
		a := agent()
		for _, at := range addrs {
			a.Listen = append(a.Listen, netip.MustParseAddrPort(at))
		}
		return a
	}
	for _, tt := range []struct {
		name  string
		agent initfiles.Agent
		want  string
	}{
		{"no executable", change(func(a *initfiles.Agent) { a.Exe = "" }), `executable "" is not an absolute, clean path`},
		{"a relative one, which launchd would look for in /usr/bin", change(func(a *initfiles.Agent) { a.Exe = "bin/moatd" }), "not an absolute"},
		{"a path that is not clean", change(func(a *initfiles.Agent) { a.Exe = "/usr/../moatd" }), "not an absolute"},
		{"a tilde, which launchd does not expand", change(func(a *initfiles.Agent) { a.Home = "~/.moat" }), `state directory "~/.moat" is not an absolute`},
		{"a line break", change(func(a *initfiles.Agent) { a.Log = "/a\nb" }), `log "/a\nb" has characters`},
		{"a carriage return, which XML would make a line break", change(func(a *initfiles.Agent) { a.Exe = "/a\rb" }), "has characters"},
		{"a NUL", change(func(a *initfiles.Agent) { a.Exe = "/a\x00b" }), "has characters"},
		{"what is not UTF-8", change(func(a *initfiles.Agent) { a.Exe = "/a\xffb" }), "has characters"},
		{"what is no character", change(func(a *initfiles.Agent) { a.Exe = "/a\uFFFEb" }), "has characters"},
		{"a socket whose path does not fit", change(func(a *initfiles.Agent) { a.Home = "/" + strings.Repeat("m", 88) }), "has 104 bytes, and macOS allows 103; set MOAT_HOME to a shorter directory"},
		{"the address that is there anyway", listen("127.0.0.1:19080"), "is there twice"},
		{"an address twice", listen("10.0.0.1:1", "10.0.0.1:1"), "10.0.0.1:1 of the proxy is there twice"},
		{"every address", listen("0.0.0.0:19080"), "would be open to every network"},
		{"every address of IPv6", listen("[::]:19080"), "would be open to every network"},
		{"no port", listen("10.0.0.1:0"), "needs an IP address and a port"},
		{"a zone", listen("[fe80::1%en0]:1"), "needs a plain IP address"},
		{"an address of IPv4 in one of IPv6", listen("[::ffff:10.0.0.1]:1"), "needs a plain IP address"},
		{"no address", change(func(a *initfiles.Agent) { a.Listen = make([]netip.AddrPort, 1) }), "needs an IP address and a port"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			text, err := tt.agent.Plist()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Plist of %+v = %q, %v; want an error with %q", tt.agent, text, err, tt.want)
			}
		})
	}
}

func TestPlist_theLongestSocketThatFits(t *testing.T) {
	a := agent()
	a.Home = "/" + strings.Repeat("m", 87)
	if got := parsePlist(t, render(t, a)).Sockets.API.SockPathName; len(got) != initfiles.AgentSocketMax || got != a.Socket() {
		t.Errorf("SockPathName = %q of %d bytes, want %q of %d", got, len(got), a.Socket(), initfiles.AgentSocketMax)
	}
}

func TestReadAgent_refuses(t *testing.T) {
	whole := render(t, agent())
	for _, tt := range []struct{ name, text, want string }{
		{"nothing", "", "label"},
		{"no XML", "bplist00", "label"},
		{"another format", "<html><dict/></html>", "not a plist"},
		{"a file that was cut", whole[:len(whole)/2], "read the plist"},
		{"another program's", strings.ReplaceAll(whole, "<string>dev.moatd.moatd<", "<string>org.example<"), `its label is "org.example"`},
		{"no program", strings.Replace(whole, "ProgramArguments", "Program", 1), "it starts no program"},
		{"a socket without its port", strings.Replace(whole, "<string>19080</string>", "", 1), "lacks its address or its port"},
		{"a port that is a name", strings.Replace(whole, "19080", "http-alt", 1), "address of the proxy"},
		{"a tower of dictionaries", "<plist>" + strings.Repeat("<dict><key>a</key>", 1000), "nested too deeply"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := initfiles.ReadAgent(tt.text)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("ReadAgent = %+v, %v; want an error with %q", got, err, tt.want)
			}
		})
	}
}

// Property: what Plist accepts, another parser and ReadAgent read as it was
// given, and the library that writes the file finds no directive in it.
func FuzzPlist(f *testing.F) {
	for _, a := range []initfiles.Agent{agent(), everything()} {
		f.Add(a.Exe, a.Home, a.Log, "192.168.64.1:19080")
	}
	f.Add("/a\rb", "/{{", "/\uFFFE", "[::1]:1")
	f.Fuzz(func(t *testing.T, exe, home, log, listen string) {
		a := initfiles.Agent{Exe: exe, Home: home, Log: log}
		if at, err := netip.ParseAddrPort(listen); err == nil {
			a.Listen = append(a.Listen, at)
		}
		text, err := a.Plist()
		if err != nil {
			return
		}
		if strings.Contains(text, "{{") {
			t.Errorf("Plist of %+v has a directive", a)
		}
		if diff := cmp.Diff(want(a), parsePlist(t, text)); diff != "" {
			t.Errorf("Plist of %+v, -want +got:\n%s", a, diff)
		}
		if back, err := initfiles.ReadAgent(text); err != nil || !cmp.Equal(a, back, cmp.Comparer(sameAddr)) {
			t.Errorf("ReadAgent(Plist of %+v) = %+v, %v", a, back, err)
		}
	})
}

// Property: no text makes ReadAgent panic, and what it reads and Plist accepts
// reads the same again.
func FuzzReadAgent(f *testing.F) {
	for _, a := range []initfiles.Agent{agent(), everything()} {
		if text, err := a.Plist(); err == nil {
			f.Add(text)
		}
	}
	f.Add("<plist><dict><key>Label</key><string>dev.moatd.moatd</string></dict></plist>")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := initfiles.ReadAgent(text)
		if err != nil {
			return
		}
		again, err := a.Plist()
		if err != nil {
			return
		}
		if back, err := initfiles.ReadAgent(again); err != nil || !cmp.Equal(a, back, cmp.Comparer(sameAddr)) {
			t.Errorf("ReadAgent(Plist of %+v) = %+v, %v", a, back, err)
		}
	})
}

func ExampleAgent_Plist() {
	a := initfiles.Agent{Exe: "/Users/al/Moat & Co/moatd", Home: "/Users/al/.moat", Log: "/Users/al/moat.log"}
	text, err := a.Plist()
	if err != nil {
		fmt.Println(err)
		return
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, "/moatd") {
			fmt.Println(strings.TrimSpace(line))
		}
	}
	// Output:
	// <string>/Users/al/Moat &amp; Co/moatd</string>
	// <string>/Users/al/.moat/run/moatd.sock</string>
}
