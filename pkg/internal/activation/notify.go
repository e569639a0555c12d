package activation

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

const sendWait = 5 * time.Second // for the service manager to take a datagram

// Notifier tells the service manager about the state of this process. Without a
// service manager, as for the nil and the zero value, every method does nothing.
// It is safe for concurrent use.
type Notifier struct {
	send     func(state string) error // nil: there is nobody to tell
	interval time.Duration            // of the watchdog; 0: none
	bad      error                    // why the watchdog's environment makes no sense
	status   atomic.Pointer[string]   // the last that was told
}

// NewNotifier reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID and unsets
// them, so that no child speaks for this process. A second Notifier of the same
// process does nothing.
func NewNotifier() *Notifier {
	n := new(Notifier)
	addr := os.Getenv("NOTIFY_SOCKET")
	_ = os.Unsetenv("NOTIFY_SOCKET") // cannot fail for a constant name
	interval, err := daemon.SdWatchdogEnabled(true)
	if addr == "" {
		return n
	}
	n.send = func(state string) error { return sendTo(addr, state) }
	n.interval, n.bad = interval, err
	return n
}

// sendTo sends one datagram to addr, a path or, with "@" first, an abstract
// address.
func sendTo(addr, state string) error {
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: addr, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	if err = c.SetWriteDeadline(time.Now().Add(sendWait)); err != nil {
		return err
	}
	_, err = c.Write([]byte(state))
	return err
}

// Ready reports that the start, or a reload, is complete, and sets the status.
func (n *Notifier) Ready(status string) error { return n.tell("READY=1\n", status) }

// Status sets the line that `systemctl status` shows. Line breaks become spaces.
func (n *Notifier) Status(status string) error { return n.tell("", status) }

// Stopping reports that the end has begun, and sets the status. From then on
// systemd counts TimeoutStopSec= and expects no more of the watchdog; if that
// time is shorter than limit, it waits for as long as limit all the same.
func (n *Notifier) Stopping(status string, limit time.Duration) error {
	return n.tell(fmt.Sprintf("STOPPING=1\nEXTEND_TIMEOUT_USEC=%d\n", limit.Microseconds()), status)
}

// Failed sets the status to why this process is about to end, which systemd
// shows until the next start, with the error of the system that is in the tree
// of cause, if there is one.
func (n *Notifier) Failed(cause error) error {
	state := ""
	if errno, ok := errors.AsType[syscall.Errno](cause); ok {
		state = fmt.Sprintf("ERRNO=%d\n", int(errno))
	}
	return n.tell(state, cause.Error())
}

// Reloading reports that a reload has begun; [Notifier.Ready] has to follow. The
// time stamp goes into the same datagram, as Type=notify-reload demands.
func (n *Notifier) Reloading() error {
	return n.notify(strings.TrimSuffix(daemon.SdNotifyReloading+"\n"+daemon.SdNotifyMonotonicUsec(), "\n"))
}

func (n *Notifier) tell(state, status string) error {
	if n == nil {
		return nil
	}
	status = oneLine(status)
	n.status.Store(&status)
	return n.notify(state + "STATUS=" + status)
}

func (n *Notifier) notify(state string) error {
	if n == nil || n.send == nil {
		return nil
	}
	if err := n.send(state); err != nil {
		what, _, _ := strings.Cut(state, "=")
		return fmt.Errorf("send %s to the service manager: %w", what, err)
	}
	return nil
}

// oneLine makes s safe for a line of the protocol: a line break would start
// another assignment, and systemd ignores a status that is not UTF-8.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
