package activation

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"github.com/coreos/go-systemd/v22/activation"
)

// passed returns what was handed to this process: by launchd, or, as tests and
// other service managers do it, by systemd's protocol.
func passed() ([]*os.File, error) {
	if files := activation.Files(true); len(files) > 0 {
		return files, nil
	}
	return claim(launchActivateSocket)
}

// launch_activate_socket and free are called the way golang.org/x/sys/unix calls
// libSystem: the linker imports them, a trampoline in launchd_darwin.s jumps to
// them, and syscall.syscall calls that on the stack of the system. So moatd for
// macOS is built without cgo, anywhere.
//
//go:cgo_import_dynamic libc_launch_activate_socket launch_activate_socket "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_free free "/usr/lib/libSystem.B.dylib"

// The addresses of the trampolines.
var (
	libc_launch_activate_socket_trampoline_addr uintptr
	libc_free_trampoline_addr                   uintptr
)

//go:linkname syscall_syscall syscall.syscall
func syscall_syscall(fn, a1, a2, a3 uintptr) (r1, r2 uintptr, err syscall.Errno)

// launchActivateSocket is
//
//	int launch_activate_socket(const char *name, int **fds, size_t *cnt)
//
// whose result is the error number, not -1 and errno. The array that it makes is
// the caller's to free.
func launchActivateSocket(name string) ([]int, error) {
	cname, err := syscall.BytePtrFromString(name)
	if err != nil {
		return nil, err
	}
	var (
		fds   *int32
		count uintptr
		pins  runtime.Pinner // the addresses are numbers on their way, so the collector would not see them
	)
	pins.Pin(cname)
	pins.Pin(&fds)
	pins.Pin(&count)
	defer pins.Unpin()
	r, _, _ := syscall_syscall(libc_launch_activate_socket_trampoline_addr,
		uintptr(unsafe.Pointer(cname)), uintptr(unsafe.Pointer(&fds)), uintptr(unsafe.Pointer(&count)))
	if errno := int32(r); errno != 0 { //nolint:gosec // an int of C: the upper half of the register is undefined
		return nil, syscall.Errno(errno) //nolint:gosec // error numbers are positive
	}
	defer syscall_syscall(libc_free_trampoline_addr, uintptr(unsafe.Pointer(fds)), 0, 0)
	list := make([]int, 0, count)
	for _, fd := range unsafe.Slice(fds, count) {
		list = append(list, int(fd))
	}
	return list, nil
}
