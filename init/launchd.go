package initfiles

import (
	_ "embed" // for the plist
	"errors"
	"fmt"
	"net/netip"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// AgentLabel is the name of moatd's job in launchd, and, with ".plist" after it,
// of its file.
const AgentLabel = "dev.moatd.moatd"

// AgentSocketMax is how many bytes the path of the API's socket may have:
// sun_path has 104 on macOS, the final NUL included.
const AgentSocketMax = 103

//go:embed launchd/dev.moatd.moatd.plist
var agentFile string

// An Agent is moatd as a job that launchd runs for a user. Every path is
// absolute and clean.
type Agent struct {
	Exe  string // the daemon's executable
	Home string // MOAT_HOME, the directory of moatd's state
	// Log is the file that gets the daemon's standard error and output.
	Log string
	// Listen are addresses of the proxy besides 127.0.0.1:19080. launchd can
	// listen on an address only if this host has it when the job is loaded.
	Listen []netip.AddrPort
}

// packagedAgent is the agent that the embedded file describes.
var packagedAgent = Agent{
	Exe:  "/opt/homebrew/opt/moat/bin/moatd",
	Home: "/Users/me/.moat",
	Log:  "/Users/me/Library/Logs/moat/moatd.log",
}

// Socket is the path of the API's socket, in a directory that launchd does not
// make.
func (a Agent) Socket() string { return path.Join(a.Home, "run", "moatd.sock") }

// Plist returns the text of the agent's launchd.plist(5).
//
// It is an error if a path is not absolute, clean and of characters that XML can
// have, if that of the socket is longer than [AgentSocketMax], or if an address
// in Listen has no port, has a zone, is unspecified, or is there twice.
func (a Agent) Plist() (string, error) {
	if err := a.check(); err != nil {
		return "", err
	}
	return strings.NewReplacer(
		element(packagedAgent.Exe), element(a.Exe),
		element(packagedAgent.Home), element(a.Home),
		element(packagedAgent.Socket()), element(a.Socket()),
		element(packagedAgent.Log), element(a.Log),
		listener(proxyAddr), a.listeners(),
	).Replace(agentFile), nil
}

// proxyAddr is where the proxy always listens.
var proxyAddr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 19080)

func (a Agent) check() error {
	for _, p := range []struct{ what, path string }{{"executable", a.Exe}, {"state directory", a.Home}, {"log", a.Log}} {
		if err := checkPlistPath(p.path); err != nil {
			return fmt.Errorf("%s %q %w", p.what, p.path, err)
		}
	}
	if n := len(a.Socket()); n > AgentSocketMax {
		return fmt.Errorf("the path of the socket, %s, has %d bytes, and macOS allows %d; set MOAT_HOME to a shorter directory", a.Socket(), n, AgentSocketMax)
	}
	seen := map[netip.AddrPort]bool{proxyAddr: true}
	for _, at := range a.Listen {
		if err := checkListen(at); err != nil {
			return fmt.Errorf("address %s of the proxy %w", at, err)
		}
		if seen[at] {
			return fmt.Errorf("address %s of the proxy is there twice", at)
		}
		seen[at] = true
	}
	return nil
}

func checkPlistPath(p string) error {
	switch {
	case !path.IsAbs(p) || path.Clean(p) != p || p == "/":
		return errors.New("is not an absolute, clean path")
	case !utf8.ValidString(p) || strings.ContainsFunc(p, notInXML):
		return errors.New("has characters that a plist cannot have")
	}
	return nil
}

// notInXML reports characters that XML 1.0 forbids, and those of which it would
// make others, such as line ends.
func notInXML(r rune) bool { return unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF }

func checkListen(at netip.AddrPort) error {
	switch addr := at.Addr(); {
	case !addr.IsValid() || at.Port() == 0:
		return errors.New("needs an IP address and a port")
	case addr.Zone() != "" || addr.Is4In6():
		return errors.New("needs a plain IP address")
	case addr.IsUnspecified():
		return errors.New("would be open to every network; name the one of the bridge")
	}
	return nil
}

// escaper writes text of XML. The brace would start a directive of the library
// that writes the file.
var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&#34;", "'", "&#39;", "{", "&#123;")

func element(text string) string { return "<string>" + escaper.Replace(text) + "</string>" }

func (a Agent) listeners() string {
	list := []string{listener(proxyAddr)}
	for _, at := range a.Listen {
		list = append(list, listener(at))
	}
	return strings.Join(list, "\n")
}

// listener is the dictionary of one TCP socket, as the embedded file has it.
func listener(at netip.AddrPort) string {
	family := "IPv4"
	if at.Addr().Is6() {
		family = "IPv6"
	}
	return fmt.Sprintf(`			<dict>
				<key>SockNodeName</key>
				<string>%s</string>
				<key>SockServiceName</key>
				<string>%d</string>
				<key>SockFamily</key>
				<string>%s</string>
			</dict>`, at.Addr(), at.Port(), family)
}

// An AgentSocket is one of the sockets that launchd listens on.
type AgentSocket struct {
	Name   string   // "api", "proxy" or "routing"
	Listen []string // paths and addresses
}

// Sockets returns the sockets of the agent.
func (a Agent) Sockets() []AgentSocket {
	proxy := []string{proxyAddr.String()}
	for _, at := range a.Listen {
		proxy = append(proxy, at.String())
	}
	return []AgentSocket{{"api", []string{a.Socket()}}, {"proxy", proxy}, {"routing", []string{"127.0.0.1:8080"}}}
}
