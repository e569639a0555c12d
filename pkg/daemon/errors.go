package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"

	"github.com/moatd/moatd/pkg/credential"
)

// apiError is the body of every answer that is not a success.
type apiError struct {
	Error string `json:"error"`
	Code  string `json:"code"` // for programs; the text may change
}

// kinds has every error that crosses the wire: what it is in Go, as a status
// and as a code. Both directions read this table.
var kinds = []struct {
	err    error
	status int
	code   string
}{
	{ErrBadRequest, http.StatusBadRequest, "bad_request"},
	{ErrForbidden, http.StatusForbidden, "forbidden"},
	{ErrAPI, http.StatusUpgradeRequired, "api_unsupported"},
	{ErrRunNotFound, http.StatusNotFound, "run_not_found"},
	{ErrRunExists, http.StatusConflict, "run_exists"},
	{ErrGrant, http.StatusUnprocessableEntity, "grant_unavailable"},
	{ErrRouteTaken, http.StatusConflict, "route_taken"},
	{ErrNoRouting, http.StatusServiceUnavailable, "no_routing"},
	{credential.ErrKeyLocked, http.StatusServiceUnavailable, "key_locked"},
	{credential.ErrKeyUnavailable, http.StatusServiceUnavailable, "key_unavailable"},
	{ErrClosing, http.StatusServiceUnavailable, "closing"},
}

// wireError returns the status and the body for err. An error that is none of
// kinds is nobody's business but the log's.
func wireError(err error) (int, apiError) {
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			return k.status, apiError{err.Error(), k.code}
		}
	}
	return http.StatusInternalServerError, apiError{"internal error; the daemon's log has it", "internal"}
}

// goError returns the error that an answer stands for. A 404 or 405 without a code of
// ours comes from a daemon that does not have the endpoint.
func goError(status int, body apiError) error {
	for _, k := range kinds {
		if k.code == body.Code {
			return said{k.err, cmp.Or(body.Error, k.err.Error())}
		}
	}
	if status == http.StatusNotFound || status == http.StatusMethodNotAllowed {
		return ErrUnsupported
	}
	return fmt.Errorf("status %d: %s", status, cmp.Or(body.Error, http.StatusText(status)))
}

// said is an error of kinds with the daemon's words.
type said struct {
	kind error
	text string
}

func (e said) Error() string { return e.text }
func (e said) Unwrap() error { return e.kind }
