package renew

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/rpc"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// A Request asks for the next secret of a grant.
type Request struct {
	Grant string
	Old   string // the fingerprint of the secret that is no longer good enough
}

// A Reply says what is stored now.
type Reply struct {
	Fingerprint string
	Expires     time.Time
	Refreshed   time.Time
	Failure     string // why there is no next secret, "" if there is
	Class       Class  // of the failure
}

// Ask is [Renewer.Renew] with a reply that can be sent: what went wrong stands in it.
func (r *Renewer) Ask(ctx context.Context, req Request) (Reply, error) {
	c, err := r.Renew(ctx, req.Grant, req.Old)
	if err != nil {
		return Reply{Failure: err.Error(), Class: classOf(err)}, nil
	}
	return Reply{Fingerprint: c.Fingerprint(), Expires: c.ExpiresAt, Refreshed: c.RefreshedAt}, nil
}

// service is what the helper does, for net/rpc.
type service struct{ renewer *Renewer }

// Renew is the one method of the helper.
func (s *service) Renew(req Request, out *Reply) (err error) {
	*out, err = s.renewer.Ask(context.Background(), req)
	return err
}

// ServeHelper does what the daemon at the other end of conn asks for, until that is
// gone; it then ends what has begun, and returns.
func ServeHelper(conn io.ReadWriteCloser, r *Renewer) error {
	gone := make(chan struct{})
	var once sync.Once
	server, serving := rpc.NewServer(), *r
	serving.Ending = gone
	if err := server.RegisterName("Helper", &service{&serving}); err != nil {
		return err
	}
	server.ServeConn(&watched{conn, func() { once.Do(func() { close(gone) }) }})
	return nil
}

// watched is a connection that tells when there is no more to read.
type watched struct {
	io.ReadWriteCloser

	ended func()
}

// Read implements [io.Reader].
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.ReadWriteCloser.Read(p)
	if err != nil {
		w.ended()
	}
	return n, err
}

// A Helper is the helper's process, seen from the daemon. It is safe for
// concurrent use.
type Helper struct {
	cmd    *exec.Cmd
	client *rpc.Client
	ended  chan struct{}
	err    error // why it ended, once ended is closed
}

// StartHelper starts cmd, which must call [ServeHelper] on the connection that is
// its file descriptor 3.
func StartHelper(cmd *exec.Cmd) (*Helper, error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, fmt.Errorf("start the helper for renewals: %w", err)
	}
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	ours, theirs := os.NewFile(uintptr(fds[0]), "helper"), os.NewFile(uintptr(fds[1]), "helper")
	defer theirs.Close()
	conn, err := net.FileConn(ours) // closing it ends a read, as closing the file would not
	_ = ours.Close()                // conn has its own
	if err != nil {
		return nil, fmt.Errorf("start the helper for renewals: %w", err)
	}
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start the helper for renewals: %w", err), conn.Close())
	}
	h := &Helper{cmd: cmd, client: rpc.NewClient(conn), ended: make(chan struct{})}
	go func() {
		h.err = cmd.Wait()
		close(h.ended)
	}()
	return h, nil
}

// Renew asks for the next secret of a grant, and waits until ctx ends at most.
func (h *Helper) Renew(ctx context.Context, req Request) (Reply, error) {
	var reply Reply
	call := h.client.Go("Helper.Renew", req, &reply, make(chan *rpc.Call, 1))
	select {
	case <-call.Done:
		if call.Error != nil {
			return Reply{}, failed("the helper for renewals has ended: %v", call.Error)
		}
		return reply, nil
	case <-ctx.Done():
		return Reply{}, ctx.Err()
	}
}

// Run waits for the end of ctx. A helper that ends before is an error: the daemon
// is confined by then, and what it started now would be too.
func (h *Helper) Run(ctx context.Context) error {
	select {
	case <-h.ended:
		return fmt.Errorf("the helper for renewals ended: %v", h.err)
	case <-ctx.Done():
		return nil
	}
}

// Close ends the helper and waits for what it has begun.
func (h *Helper) Close() error {
	_ = h.client.Close() // an error means that it is closed already
	<-h.ended
	return h.err
}
