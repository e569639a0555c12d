package doctor

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// holders returns who listens on addr, or on all addresses. Of another user's
// process only the user is known.
func (s *scene) holders(_ context.Context, addr netip.AddrPort) ([]holder, error) {
	sockets := make(map[uint64]int) // inode to user
	for _, name := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(s.path("proc/net", name))
		if missing(err) && name == "tcp6" {
			continue // a kernel without IPv6
		}
		if err != nil {
			return nil, err
		}
		for _, l := range parseProcNet(string(text)) {
			if overlaps(l.addr, addr) {
				sockets[l.inode] = l.uid
			}
		}
	}
	if len(sockets) == 0 {
		return nil, nil
	}
	return s.processesWith(sockets)
}

// processesWith looks for the processes that have the sockets open.
func (s *scene) processesWith(sockets map[uint64]int) ([]holder, error) {
	links, err := filepath.Glob(s.path("proc/[0-9]*/fd/*"))
	if err != nil {
		return nil, err
	}
	var found []holder
	named := make(map[uint64]bool)
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil {
			continue // closed meanwhile, or another user's
		}
		var inode uint64
		if n, err := fmt.Sscanf(target, "socket:[%d]", &inode); n != 1 || err != nil {
			continue
		}
		uid, ok := sockets[inode]
		if !ok {
			continue
		}
		proc := filepath.Dir(filepath.Dir(link))
		if pid, err := strconv.Atoi(filepath.Base(proc)); err == nil {
			named[inode] = true
			found = append(found, holder{pid, programOf(proc), uid})
		}
	}
	for inode, uid := range sockets {
		if !named[inode] {
			found = append(found, holder{uid: uid})
		}
	}
	return found, nil
}

// programOf returns the path of a process's program, or its name. Its arguments,
// which may hold secrets, are nobody's business.
func programOf(proc string) string {
	if exe, err := os.Readlink(filepath.Join(proc, "exe")); err == nil {
		return exe
	}
	name, err := os.ReadFile(filepath.Join(proc, "comm"))
	if err != nil {
		return "a program"
	}
	return strings.TrimSpace(string(name))
}
