package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/sirupsen/logrus"
)

// maxBody is the longest request body, in bytes: a run with some thousand
// entries on its allow list.
const maxBody = 4 << 20

type empty struct{}

// handle makes fn an endpoint: it decodes the body into Req and answers with
// the status and what fn returns, or with its error. An unknown field is no
// error: it comes from a newer client.
func handle[Req, Resp any](lg *logrus.Logger, status int, fn func(r *http.Request, req Req) (Resp, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req Req
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&req)
		if err != nil && !errors.Is(err, io.EOF) { // no body is the zero Req
			replyError(w, r, lg, fmt.Errorf("%w: the body is no JSON that fits: %v", ErrBadRequest, err))
			return
		}
		resp, err := fn(r, req)
		if err != nil {
			replyError(w, r, lg, err)
			return
		}
		reply(w, status, resp)
	})
}

func replyError(w http.ResponseWriter, r *http.Request, lg *logrus.Logger, err error) {
	status, body := wireError(err)
	if status == http.StatusInternalServerError {
		lg.WithError(err).WithField("endpoint", r.Pattern).Error("request to the management API failed")
	}
	reply(w, status, body)
}

func reply[T any](w http.ResponseWriter, status int, body T) {
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the client is gone; nothing to tell it
}
