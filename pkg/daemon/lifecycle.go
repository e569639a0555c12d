package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/internal/logging"
)

func (s *Server) register(r *http.Request, req RegisterRequest) (RegisterResponse, error) {
	if err := req.validate(); err != nil {
		return RegisterResponse{}, fmt.Errorf("%w: %v", ErrBadRequest, err)
	}
	rc := req.ToRunContext()
	again := rc.AuthToken != ""
	if !again {
		rc.AuthToken = NewToken()
	}
	if err := errors.Join(rc.check(), s.opts.Registry.assume(rc)); err != nil {
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
		"run_id": rc.RunID, "grants": strings.Join(rc.Grants, ","), "client": printable(r.Header.Get(headerVersion)), logging.FieldMessageID: logging.MessageIDRunRegistered,
	}).Info("run registered")
	s.hooks.call(&s.hooks.register)
	return RegisterResponse{AuthToken: rc.AuthToken, ProxyPort: int(s.proxyPort.Load())}, nil
}

// admit stores a run and puts it into the registry.
func (s *Server) admit(rc *RunContext) error {
	defer s.opts.Registry.turns.take(rc.AuthToken)()
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
	defer s.opts.Registry.turns.take(token)()
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
	s.opts.Registry.touch()
	return empty{}, nil
}

func (s *Server) unregister(r *http.Request, _ empty) (empty, error) {
	rc, last, err := s.opts.Registry.dismiss(r.PathValue("token"), s.hooks.persister.Load(), nil)
	if err != nil {
		return empty{}, err
	}
	s.opts.Log.WithFields(logrus.Fields{"run_id": rc.RunID, logging.FieldMessageID: logging.MessageIDRunRemoved}).Info("run removed")
	s.dropRoutes(rc.RunID)
	s.hooks.callWith(&s.hooks.unregister, rc.RunID)
	if last {
		s.hooks.call(&s.hooks.empty)
	}
	return empty{}, nil
}
