package supervisor

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// listenFile is our drop-in of the proxy's socket.
const listenFile = "50-listen.conf"

// interfaceName is what a unit can hold of the names of interfaces.
var interfaceName = regexp.MustCompile(`^[\w.-]*$`)

// checkListen refuses what is no address of a bridge.
func checkListen(at netip.AddrPort) error {
	switch addr := at.Addr().Unmap(); {
	case !at.IsValid():
		return fmt.Errorf("listen on %q: it is no address", at)
	case !interfaceName.MatchString(addr.Zone()):
		return fmt.Errorf("listen on %q: %q is no name of an interface", at, addr.Zone())
	case at.Port() == 0:
		return fmt.Errorf("listen on %s: runs keep the port for life, so it cannot be 0", at)
	case addr.IsUnspecified():
		return &Problem{
			What: fmt.Sprintf("listen on %s: that is every network this machine is in, and who reaches the proxy can try tokens", at),
			Todo: "name the address of the bridge, such as 172.17.0.1:19080",
		}
	case addr.IsMulticast() || addr == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Errorf("listen on %s: it is an address for many", at)
	}
	return nil
}

// listenText is the drop-in for addresses besides the one of the unit. FreeBind,
// because at boot a bridge comes later than the socket.
func listenText(all []netip.AddrPort) string {
	if len(all) == 0 {
		return ""
	}
	lines := []string{"# Written by moat daemon install.", "[Socket]"}
	for _, at := range all {
		lines = append(lines, "ListenStream="+strings.ReplaceAll(at.String(), "%", "%%"))
	}
	return joinLines(append(lines, "FreeBind=yes")...)
}

// parseListen returns the addresses of a drop-in that listenText made.
func parseListen(text string) []netip.AddrPort {
	var all []netip.AddrPort
	for line := range strings.Lines(text) {
		value, ok := strings.CutPrefix(strings.TrimSpace(line), "ListenStream=")
		if !ok {
			continue
		}
		if at, err := netip.ParseAddrPort(strings.ReplaceAll(value, "%%", "%")); err == nil {
			all = append(all, at)
		}
	}
	return all
}

func (in *installation) writeListen() error {
	path := filepath.Join(in.dirs.ours, "moatd-proxy.socket.d", listenFile)
	if in.opts.Listen == nil {
		if text, err := os.ReadFile(path); err == nil {
			in.opts.Listen = parseListen(string(text))
			in.note("the proxy still listens on %v too, as installed before", in.opts.Listen)
		}
	}
	return in.dropIn("moatd-proxy.socket", listenFile, listenText(in.opts.Listen))
}
