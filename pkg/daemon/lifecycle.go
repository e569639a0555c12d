package daemon

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/internal/logging"
)

// turns orders the changes of one run: memory and disk must see them in the
// same order. Runs share locks by the digest of their token, so that changes
// of different runs rarely wait for each other, and share a commit.
type turns [64]sync.Mutex

// take waits for the turn and returns what ends it.
func (t *turns) take(token string) (done func()) {
	d := digestOf(token)
	mu := &t[int(d[0])%len(t)]
	mu.Lock()
	return mu.Unlock
}

func (s *Server) register(r *http.Request, req RegisterRequest) (RegisterResponse, error) {
	if err := req.validate(); err != nil {
		return RegisterResponse{}, fmt.Errorf("%w: %v", ErrBadRequest, err)
	}
	rc := req.ToRunContext()
	again := rc.AuthToken != ""
	if !again {
		rc.AuthToken = NewToken()
	}
	if err := rc.check(); err != nil {
		return RegisterResponse{}, fmt.Errorf("%w: %v", ErrBadRequest, err)
	}
	missing := s.opts.Registry.equip(r.Context(), rc)
	if err := r.Context().Err(); err != nil {
		return RegisterResponse{}, fmt.Errorf("the client has gone: %v", err)
	}
	if len(missing) > 0 && !again { // a run that lives already is better degraded than refused
		return RegisterResponse{}, fmt.Errorf("%w: %s", ErrGrant, reasons(missing))
	}
	if err := s.admit(rc); err != nil {
		return RegisterResponse{}, err
	}
	s.opts.Registry.catchUp(context.WithoutCancel(r.Context()), rc)
	s.opts.Log.WithFields(logrus.Fields{
		"run_id": rc.RunID, "grants": strings.Join(rc.Grants, ","), logging.FieldMessageID: logging.MessageIDRunRegistered,
	}).Info("run registered")
	s.hooks.call(&s.hooks.register)
	return RegisterResponse{AuthToken: rc.AuthToken, ProxyPort: int(s.proxyPort.Load())}, nil
}

// admit stores a run and puts it into the registry.
func (s *Server) admit(rc *RunContext) error {
	defer s.turns.take(rc.AuthToken)()
	reg, disk := s.opts.Registry, s.hooks.persister.Load()
	defer disk.change()()
	if err := reg.reserve(rc); err != nil {
		return err
	}
	if err := disk.put(rc); err != nil {
		reg.release(rc)
		return err
	}
	reg.RegisterWithToken(rc, rc.AuthToken)
	return nil
}

func (s *Server) update(r *http.Request, req UpdateRunRequest) (empty, error) {
	token := r.PathValue("token")
	defer s.turns.take(token)()
	disk := s.hooks.persister.Load()
	defer disk.change()()
	rc, ok := s.opts.Registry.Lookup(token)
	if !ok {
		return empty{}, ErrRunNotFound
	}
	before := rc.GetContainerID()
	rc.setContainerID(req.ContainerID)
	if err := disk.put(rc); err != nil {
		rc.setContainerID(before)
		return empty{}, err
	}
	return empty{}, nil
}

func (s *Server) unregister(r *http.Request, _ empty) (empty, error) {
	runID, last, err := s.dismiss(r.PathValue("token"))
	if err != nil {
		return empty{}, err
	}
	s.opts.Log.WithFields(logrus.Fields{"run_id": runID, logging.FieldMessageID: logging.MessageIDRunRemoved}).Info("run removed")
	s.hooks.callWith(&s.hooks.unregister, runID)
	if last {
		s.hooks.call(&s.hooks.empty)
	}
	return empty{}, nil
}

// dismiss removes a run from the disk and from the registry, and reports
// whether none is left.
func (s *Server) dismiss(token string) (runID string, last bool, err error) {
	defer s.turns.take(token)()
	reg, disk := s.opts.Registry, s.hooks.persister.Load()
	defer disk.change()()
	rc, ok := reg.Lookup(token)
	if !ok {
		return "", false, ErrRunNotFound
	}
	if err := disk.remove(rc.RunID); err != nil {
		return "", false, err
	}
	reg.Unregister(token)
	s.dropRoutes(rc.RunID)
	return rc.RunID, reg.Count() == 0, nil
}
