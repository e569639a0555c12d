package moatd

import (
	"context"
	"errors"
	"fmt"

	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/daemon"
	"github.com/moatd/moatd/pkg/routing"
)

// importOld brings along what an older program left in the home directory.
func (d *parts) importOld(ctx context.Context, im daemon.Import) {
	im.Home = d.opts.Settings.Home
	done := im.Run(ctx)
	for _, problem := range done.Problems {
		d.problem("", problem.Error())
	}
	if done.Runs > 0 || done.Agents > 0 {
		d.log.WithFields(logrus.Fields{"runs": done.Runs, "agents": done.Agents}).Info("imported what an older moatd left")
	}
}

// addTo adds old routes to a table. Those of an agent that it has are newer.
func addTo(table *routing.RouteTable) func(agent string, services map[string]string) error {
	return func(agent string, services map[string]string) error {
		if _, have := table.Agent(agent); have {
			return nil
		}
		err := table.Add(agent, services)
		if errors.Is(err, routing.ErrInvalid) {
			return fmt.Errorf("%w: %v", daemon.ErrBadRequest, err)
		}
		return err
	}
}
