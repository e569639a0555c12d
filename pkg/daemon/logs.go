package daemon

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/moatd/moatd/pkg/internal/logging"
)

// LogEntry is one entry of the daemon's log; it holds no secret.
type LogEntry = logging.Entry

// LogsResponse is the answer to GET /v1/logs.
type LogsResponse struct {
	Entries []LogEntry `json:"entries"`
	// Next is what to ask for next, as ?after=, to get the entries that came since.
	Next uint64 `json:"next"`
}

// Logs returns the entries of the log after the first n that the daemon wrote; 0
// means all that it still holds, some last thousand of its own life. The error is
// ErrUnsupported if the daemon is too old to know the call.
func (c *Client) Logs(ctx context.Context, n uint64) (*LogsResponse, error) {
	return call[*LogsResponse](ctx, c, http.MethodGet, "/v1/logs?after="+strconv.FormatUint(n, 10), nil)
}

func (s *Server) logs(r *http.Request, _ empty) (LogsResponse, error) {
	var after uint64
	if text := r.URL.Query().Get("after"); text != "" {
		var err error
		if after, err = strconv.ParseUint(text, 10, 64); err != nil {
			return LogsResponse{}, fmt.Errorf("%w: after=%q is no count of entries", ErrBadRequest, text)
		}
	}
	if s.opts.Ring == nil {
		return LogsResponse{Entries: []LogEntry{}}, nil
	}
	entries, next := s.opts.Ring.After(after)
	if entries == nil {
		entries = []LogEntry{}
	}
	return LogsResponse{Entries: entries, Next: next}, nil
}
