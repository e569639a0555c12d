package daemon

import (
	"errors"
	"net/http"
)

var errNoRoles = errors.New("aws_config: this daemon assumes no AWS roles")

// assume gives a run with an AWS role the handler of its credentials, if it has
// none yet. What is wrong with the role is the error, and each answer of the
// handler.
func (r *Registry) assume(rc *RunContext) error {
	if rc.AWSConfig == nil || rc.hasAWSHandler() {
		return nil
	}
	h, err := http.Handler(nil), errNoRoles
	if r.aws != nil {
		h, err = r.aws(rc.RunID, *rc.AWSConfig)
	}
	if err != nil {
		text := err.Error()
		h = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			reply(w, http.StatusBadGateway, apiError{text, "aws_role"})
		})
	}
	rc.SetAWSHandler(h)
	return err
}

func (rc *RunContext) hasAWSHandler() bool {
	rc.mu.RLock()
	defer rc.mu.RUnlock()
	return rc.awsHandler != nil
}
