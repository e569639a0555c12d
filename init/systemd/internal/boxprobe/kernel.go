//go:build linux

package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func connect(path string) error {
	c, err := net.Dial("unix", path)
	if err != nil {
		return err
	}
	return c.Close()
}

func socket(args []string) error {
	family, err := strconv.Atoi(args[0])
	if err != nil {
		return errUsage
	}
	kind := unix.SOCK_STREAM
	if family == unix.AF_NETLINK {
		kind = unix.SOCK_RAW
	}
	fd, err := unix.Socket(family, kind, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// rawSocket needs a capability over the network itself.
func rawSocket([]string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_ICMP)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func personality([]string) error {
	const addrNoRandomize = 0x40000
	_, _, errno := unix.RawSyscall(unix.SYS_PERSONALITY, addrNoRandomize, 0, 0)
	return orNil(errno)
}

func writableCode([]string) error {
	mem, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return err
	}
	return unix.Munmap(mem)
}

// realtime asks for a priority that the kernel does not have: without a limit
// that only root can raise, no other answer than EINVAL shows that the call got
// as far as the kernel.
func realtime([]string) error {
	var param struct{ priority int32 }
	_, _, errno := unix.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, 0, unix.SCHED_RR, uintptr(unsafe.Pointer(&param)))
	if errno == unix.EINVAL {
		return nil
	}
	return orNil(errno)
}

// hostname changes the name of a namespace of its own: that of the machine is
// root's in any case. A process of many threads cannot enter a user namespace,
// its child can.
func hostname([]string) error {
	if os.Getenv("BOXPROBE_INSIDE") != "" {
		return unix.Sethostname([]byte("probe"))
	}
	return inNamespaces("hostname")
}

func inNamespaces(name string) error {
	cmd := exec.Command("/proc/self/exe", name)
	cmd.Env = append(os.Environ(), "BOXPROBE_INSIDE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWUTS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
	}
	return childError(cmd.Run())
}

// childError is that of a child which is another boxprobe.
func childError(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == refused {
		return fmt.Errorf("in a child: %w", syscall.EPERM)
	}
	return err
}

func ptrace(request, pid int) error {
	_, _, errno := unix.RawSyscall6(unix.SYS_PTRACE, uintptr(request), uintptr(pid), 0, 0, 0, 0)
	return orNil(errno)
}

// trace does what gdb -p does.
func trace(args []string) error {
	n, err := pid(args[0])
	if err != nil {
		return err
	}
	return ptrace(syscall.PTRACE_ATTACH, n) // the kernel detaches when we end
}

func readMemory(args []string) error {
	n, err := pid(args[0])
	if err != nil {
		return err
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/mem", n))
	if err != nil {
		return err
	}
	return f.Close()
}

// askClock reads the kernel's clock with a call that can also set it.
func askClock([]string) error {
	_, err := unix.Adjtimex(&unix.Timex{})
	return err
}

// dumpCore has a child die so that the kernel dumps it.
func dumpCore([]string) error {
	cmd := exec.Command("/proc/self/exe", "abort")
	_ = cmd.Run() // it dies
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() {
		return fmt.Errorf("the child did not die of a signal: %v", cmd.ProcessState)
	}
	return must(status.CoreDump())
}

// abort dies of SIGQUIT as a program without Go's handlers does.
func abort([]string) error {
	runtime.LockOSThread()
	action := [4]uintptr{} // SIG_DFL, in the kernel's own struct
	_, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(unix.SIGQUIT), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
	if err := orNil(errno); err != nil {
		return fmt.Errorf("not prepared: %v", err)
	}
	return unix.Tgkill(os.Getpid(), unix.Gettid(), unix.SIGQUIT)
}

// keyType and session are of keyrings(7).
const (
	keyType = "user"
	session = unix.KEY_SPEC_SESSION_KEYRING
)

func putKey(name string) error {
	_, err := unix.AddKey(keyType, name, []byte("secret"), session)
	return err
}

func findKey(name string) error {
	_, err := unix.KeyctlSearch(session, keyType, name, 0)
	return err
}

// amAble says whether the process has any capability.
func amAble([]string) error {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	_, after, _ := strings.Cut(string(status), "CapEff:")
	caps, err := strconv.ParseUint(strings.Fields(after)[0], 16, 64)
	return errors.Join(err, must(caps != 0))
}

// givePowers is setcap cap_net_raw=ep, which not every machine has.
func givePowers(path string) error {
	const revision2, effective, netRaw = 0x02000000, 1, 1 << unix.CAP_NET_RAW
	value := make([]byte, 0, 20)
	for _, word := range []uint32{revision2 | effective, netRaw, 0, 0, 0} {
		value = append(value, byte(word), byte(word>>8), byte(word>>16), byte(word>>24))
	}
	return unix.Setxattr(path, "security.capability", value, 0)
}

func orNil(errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}
