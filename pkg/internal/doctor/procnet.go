package doctor

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A listener is a line of /proc/net/tcp or tcp6 whose socket listens.
type listener struct {
	addr  netip.AddrPort
	uid   int
	inode uint64
}

// stateListen is the state of a socket that listens, TCP_LISTEN in tcp_states.h.
const stateListen = "0A"

// The columns of /proc/net/tcp, see proc(5).
const (
	columnLocal = 1
	columnState = 3
	columnUID   = 7
	columnInode = 9
)

// parseProcNet returns the sockets that listen among those of /proc/net/tcp or
// tcp6. Lines that make no sense are left out.
func parseProcNet(text string) []listener {
	var all []listener
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) <= columnInode || fields[columnState] != stateListen {
			continue
		}
		addr, err1 := parseProcAddr(fields[columnLocal])
		uid, err2 := strconv.Atoi(fields[columnUID])
		inode, err3 := strconv.ParseUint(fields[columnInode], 10, 64)
		if err1 == nil && err2 == nil && err3 == nil && uid >= 0 {
			all = append(all, listener{addr, uid, inode})
		}
	}
	return all
}

// parseProcAddr parses an address such as 0100007F:4A88, whose words are in the
// order of this machine's bytes.
func parseProcAddr(text string) (netip.AddrPort, error) {
	host, portText, ok := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	if !ok || err != nil || len(raw) != 4 && len(raw) != 16 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address of the kernel's", text)
	}
	port, err := strconv.ParseUint(portText, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q has no port", text)
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	addr, _ := netip.AddrFromSlice(raw) // it is of the right length
	return netip.AddrPortFrom(addr, uint16(port)), nil
}
