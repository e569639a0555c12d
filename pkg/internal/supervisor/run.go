package supervisor

import (
	"context"

	"github.com/kardianos/service"
)

// serviceName is what the service is called, without a suffix.
const serviceName = "moatd"

// Run runs serve as the service that this process is, until serve returns, and
// returns its error. serve gets ctx; who ends it, such as a signal, is the
// caller's business.
func Run(ctx context.Context, serve func(context.Context) error) error {
	p := &program{ended: make(chan struct{})}
	ctx, p.cancel = context.WithCancel(ctx)
	defer p.cancel()
	p.serve = func() error { return serve(ctx) }
	svc, err := service.New(p, &service.Config{
		Name: serviceName,
		// Without it the library catches SIGTERM and SIGINT by itself, and ignores
		// a second one.
		Option: service.KeyValue{"RunWait": func() { <-p.ended }},
	})
	if err != nil {
		return serve(ctx) // a system that the library does not know has no service manager either
	}
	return svc.Run()
}

// program is a [service.Interface].
type program struct {
	serve  func() error
	cancel context.CancelFunc
	err    error // of serve, once ended is closed
	ended  chan struct{}
}

// Start implements [service.Interface]. It does not block.
func (p *program) Start(service.Service) error {
	go func() {
		defer close(p.ended)
		p.err = p.serve()
	}()
	return nil
}

// Stop implements [service.Interface]. It returns when serve has.
func (p *program) Stop(service.Service) error {
	p.cancel()
	<-p.ended
	return p.err
}
