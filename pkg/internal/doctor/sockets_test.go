package doctor

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJudgeSocketFile(t *testing.T) {
	const path, me = "/run/user/7/moat/moatd.sock", 7
	sock := file{path: path, mode: fs.ModeSocket | 0o600, uid: me}
	dir := file{path: "/run/user/7/moat", mode: fs.ModeDir | 0o700, uid: me}
	with := func(f file, change func(*file)) file { change(&f); return f }
	gone := file{path: path, err: fs.ErrNotExist}
	judge(t, []verdictCase{
		{"as it should be", judgeSocketFile(sock, dir, me, true), OK, path, ""},
		{"nobody should be there", judgeSocketFile(gone, gone, me, false), Skip, "no socket at", ""},
		{"it was removed", judgeSocketFile(gone, dir, me, true), Fail, "it was removed", fixSockets},
		{"others may connect", judgeSocketFile(with(sock, func(f *file) { f.mode = fs.ModeSocket | 0o666 }), dir, me, true), Fail, "its mode is 0666, not 0600", "chmod 0600 " + path},
		{"nobody may connect", judgeSocketFile(with(sock, func(f *file) { f.mode = fs.ModeSocket }), dir, me, true), Fail, "cannot be used", "chmod 0600 " + path},
		{"others may look in", judgeSocketFile(sock, with(dir, func(f *file) { f.mode = fs.ModeDir | 0o755 }), me, true), Fail, "its mode is 0755, not 0700", "chmod 0700 " + dir.path},
		{"another user's", judgeSocketFile(with(sock, func(f *file) { f.uid = 8 }), dir, me, true), Fail, "belongs to user 8", "sudo chown 7 " + path},
		{"a file", judgeSocketFile(with(sock, func(f *file) { f.mode = 0o600 }), dir, me, true), Fail, "is no socket", "rm " + path + " && " + fixSockets},
		{"what cannot be looked at", judgeSocketFile(with(sock, func(f *file) { f.err = fs.ErrPermission }), dir, me, true), Fail, "permission denied", ""},
	})
}

func TestJudgePort(t *testing.T) {
	p := port{name: "proxy", addr: netip.MustParseAddrPort("127.0.0.1:19080"), ours: []int{7}}
	with := func(change func(*port)) port { q := p; change(&q); return q }
	running := with(func(p *port) { p.running, p.served = true, true })
	thief := holder{66, "/usr/bin/python3", 1000}
	judge(t, []verdictCase{
		{"the service manager has it", judgePort(with(func(p *port) { p.held = true }), []holder{{1, "systemd", 1000}}), OK, "the service manager listens", ""},
		{"the daemon has it", judgePort(running, []holder{{7, "moatd", 1000}}), OK, "moatd listens", ""},
		{"the daemon cannot be looked at", judgePort(running, []holder{{0, "", 1000}}), OK, "moatd listens", ""},
		{"another program has it", judgePort(p, []holder{thief}), Fail, "taken by /usr/bin/python3 (process 66)", "kill 66 && " + fixSockets},
		{"another program shares it", judgePort(with(func(p *port) { p.running = true }), []holder{thief, {0, "", 1000}}), Fail, "python3", "kill 66 && " + fixSockets},
		{"another user has it", judgePort(p, []holder{{0, "", 33}}), Fail, "a process of user 33", "sudo ss -ltnp 'sport = :19080'"},
		{"nobody is known", judgePort(p, []holder{{0, "", -1}}), Fail, "another process", "sudo ss -ltnp 'sport = :19080'"},
		{"nobody listens for a daemon", judgePort(with(func(p *port) { p.running = true }), nil), Fail, "nobody listens", fixSockets},
		{"free", judgePort(p, nil), OK, "is free", ""},
	})
}

func TestHoldersFindThisProcess(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := &scene{opts: Options{Exec: run}}
	got, err := s.holders(t.Context(), netip.MustParseAddrPort(ln.Addr().String()))
	if err != nil {
		t.Skipf("this machine does not tell: %v", err)
	}
	if len(got) != 1 || got[0].pid != os.Getpid() || !strings.Contains(got[0].name, "doctor") {
		t.Errorf("holders of %s = %v, want this process, %d", ln.Addr(), got, os.Getpid())
	}
}

// line is a line of /proc/net/tcp as the kernel of this machine writes it.
func line(addr netip.AddrPort, state string, uid int, inode uint64) string {
	raw, words := addr.Addr().AsSlice(), ""
	for i := 0; i < len(raw); i += 4 {
		words += fmt.Sprintf("%08X", binary.NativeEndian.Uint32(raw[i:]))
	}
	return fmt.Sprintf("   0: %s:%04X 00000000:0000 %s 00000000:00000000 00:00000000 00000000  %d        0 %d 1 0000 100 0\n",
		words, addr.Port(), state, uid, inode)
}

func TestParseProcNet(t *testing.T) {
	v4, v6 := netip.MustParseAddrPort("127.0.0.1:19080"), netip.MustParseAddrPort("[::1]:8080")
	for _, tt := range []struct {
		name, text string
		want       []listener
	}{
		{"nothing", "", nil},
		{"the title", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n", nil},
		{"one that listens", line(v4, "0A", 1000, 42), []listener{{v4, 1000, 42}}},
		{"one that is connected", line(v4, "01", 1000, 42), nil},
		{"IPv6", line(v6, "0A", 0, 7), []listener{{v6, 0, 7}}},
		{"lines that make no sense are left out", "a b c 0A e f g h i j\n" + line(v4, "0A", 1, 2), []listener{{v4, 1, 2}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := parseProcNet(tt.text)
			if d := cmp.Diff(tt.want, got, cmp.AllowUnexported(listener{}), cmp.Comparer(func(a, b netip.AddrPort) bool { return a == b })); d != "" {
				t.Errorf("parseProcNet(%q) (-want +got):\n%s", tt.text, d)
			}
		})
	}
}

func FuzzParseProcNet(f *testing.F) {
	f.Add("   0: 0100007F:4A88 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 42 1 0000 100 0\n")
	f.Add(line(netip.MustParseAddrPort("[2001:db8::1]:1"), "0A", 65534, 1<<60))
	f.Fuzz(func(t *testing.T, text string) {
		for _, l := range parseProcNet(text) {
			again := parseProcNet(line(l.addr, stateListen, l.uid, l.inode))
			if len(again) != 1 || again[0] != l {
				t.Errorf("%+v, written as the kernel does, is read as %+v", l, again)
			}
		}
	})
}

func TestParseLsof(t *testing.T) {
	const out = "p66\ncpython3\nu1000\nf5\np7\ncmoat d\nu0\nf6\n"
	want := []holder{{66, "python3", 1000}, {7, "moat d", 0}}
	if d := cmp.Diff(want, parseLsof(out), cmp.AllowUnexported(holder{})); d != "" {
		t.Errorf("parseLsof (-want +got):\n%s", d)
	}
}

func FuzzParseLsof(f *testing.F) {
	f.Add("p66\ncpython3\nu1000\nf5\n")
	f.Add("c\np\nu\n\np-1\n")
	f.Fuzz(func(t *testing.T, out string) {
		for _, h := range parseLsof(out) {
			if h.pid <= 0 || h.uid < -1 {
				t.Errorf("parseLsof(%q) has %+v, which is no process", out, h)
			}
		}
	})
}

func TestOverlaps(t *testing.T) {
	for _, tt := range []struct {
		name, a, b string
		want       bool
	}{
		{"one address", "127.0.0.1:80", "127.0.0.1:80", true},
		{"two ports", "127.0.0.1:80", "127.0.0.1:81", false},
		{"two addresses", "127.0.0.2:80", "127.0.0.1:80", false},
		{"all addresses", "0.0.0.0:80", "127.0.0.1:80", true},
		{"all addresses of both kinds", "[::]:80", "127.0.0.1:80", true},
		{"all of IPv4, and one of IPv6", "0.0.0.0:80", "[::1]:80", false},
		{"IPv4 in IPv6", "[::ffff:127.0.0.1]:80", "127.0.0.1:80", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := overlaps(netip.MustParseAddrPort(tt.a), netip.MustParseAddrPort(tt.b)); got != tt.want {
				t.Errorf("overlaps(%s, %s) = %t, want %t", tt.a, tt.b, got, tt.want)
			}
		})
	}
}

func TestDial(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		want   string // in the error, "" for none
	}{
		{"moatd", http.StatusProxyAuthRequired, ""},
		{"another server", http.StatusOK, "not moatd: status 200"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tt.status) }))
			defer srv.Close()
			err := Dial(t.Context(), srv.Listener.Addr().String())
			judge(t, []verdictCase{{
				"verdict", judgeProxyAnswer(netip.MustParseAddrPort(srv.Listener.Addr().String()), err),
				map[bool]Status{true: OK, false: Fail}[tt.want == ""], tt.want, map[bool]string{false: fixRestart}[tt.want == ""],
			}})
		})
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	if err := Dial(t.Context(), ln.Addr().String()); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("Dial where nobody listens = %v, want connection refused", err)
	}
}
