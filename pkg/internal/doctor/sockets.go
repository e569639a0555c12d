package doctor

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/moatd/moatd/pkg/internal/supervisor"
)

// judgeSockets judges the sockets that the service manager holds. One for the
// routes may be missing: its port is often taken, and runs do without.
func judgeSockets(s *scene) Verdict {
	if v, no := notManaged(s); no {
		return v
	}
	if len(s.status.Sockets) == 0 {
		return fail(fixInstall, "%s has no sockets of moatd's", s.status.Supervisor)
	}
	verdicts := []Verdict{ok("%s holds the sockets", s.status.Supervisor)}
	for _, sock := range s.status.Sockets {
		verdicts = append(verdicts, judgeSocket(sock))
	}
	return all(verdicts...)
}

func judgeSocket(sock supervisor.SocketStatus) Verdict {
	where := strings.Join(sock.Listen, " and ")
	bad := fail
	if sock.Name == "routing" {
		bad = warn
	}
	switch {
	case sock.State == "active":
		return ok("the %s socket listens on %s", sock.Name, where)
	case sock.State == "masked" && sock.Name == "routing":
		return ok("the routing socket is masked")
	case sock.Result == "resources":
		return bad(fixSockets, "the %s socket cannot listen on %s: the address is taken, or not of this machine", sock.Name, where)
	case strings.HasSuffix(sock.Result, "limit-hit"):
		return bad(fixSockets, "the %s socket is closed since moatd did not start often enough (%s)", sock.Name, sock.Result)
	case sock.State == "failed":
		return bad(fixSockets, "the %s socket has failed: %s", sock.Name, sock.Result)
	case sock.State == "masked":
		return bad(fixInstall, "the %s socket is masked", sock.Name)
	}
	return bad(fixSockets, "the %s socket does not listen on %s (%s)", sock.Name, where, sock.State)
}

// A file is what matters of a file, or of a directory.
type file struct {
	path string
	mode fs.FileMode
	uid  int
	err  error // why the rest is not known
}

// lookAt looks at what is at path itself, not behind a link.
func lookAt(path string) file {
	info, err := os.Lstat(path)
	if err != nil {
		return file{path: path, err: err}
	}
	f := file{path: path, mode: info.Mode(), uid: -1}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.uid = int(st.Uid)
	}
	return f
}

func (s *scene) apiSocketFile(context.Context) Verdict {
	unit, managed := s.unit("api")
	listening := managed && unit.State == "active" || s.running()
	return judgeSocketFile(lookAt(s.socket), lookAt(filepath.Dir(s.socket)), os.Geteuid(), listening)
}

// judgeSocketFile judges the socket of the API and its directory for the user
// uid; listening means that somebody should be listening there.
func judgeSocketFile(sock, dir file, uid int, listening bool) Verdict {
	switch {
	case missing(sock.err) && listening:
		return fail(fixSockets, "there is no socket at %s, although moatd should listen there: it was removed", sock.path)
	case missing(sock.err):
		return skip("there is no socket at %s, and no daemon", sock.path)
	case sock.err != nil:
		return fail("", "look at the socket: %v", sock.err)
	case sock.mode.Type() != fs.ModeSocket:
		return fail("rm "+quote(sock.path)+" && "+fixSockets, "%s is no socket", sock.path)
	case dir.err != nil:
		return fail("", "look at the directory of the socket: %v", dir.err)
	}
	return all(ok("%s, for this user alone", sock.path), judgeAccess(sock, 0o600, uid), judgeAccess(dir, 0o700, uid))
}

// judgeAccess judges who may use a file that is to have the mode want, and be of
// the user uid.
func judgeAccess(f file, want fs.FileMode, uid int) Verdict {
	switch mode := f.mode.Perm(); {
	case f.uid != uid:
		return fail("sudo chown "+strconv.Itoa(uid)+" "+quote(f.path), "%s belongs to user %d, and this is user %d", f.path, f.uid, uid)
	case mode&^want != 0:
		return fail("chmod "+octal(want)+" "+quote(f.path), "others may use %s: its mode is %s, not %s", f.path, octal(mode), octal(want))
	case mode&want&0o700 != want&0o700:
		return fail("chmod "+octal(want)+" "+quote(f.path), "%s cannot be used: its mode is %s, not %s", f.path, octal(mode), octal(want))
	}
	return ok("%s has mode %s", f.path, octal(want))
}
