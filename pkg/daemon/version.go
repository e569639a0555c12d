package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// The versions of the API that this package speaks, as a daemon and as a client.
// A version is given up, and APIMin raised, only when something that it
// promised is gone; what is added needs none, see [HealthResponse.Capabilities].
const (
	APIVersion = 1
	APIMin     = 1
)

// ErrAPI reports that a client and a daemon have no version of the API in common.
var ErrAPI = errors.New("no version of the API in common")

// What a client says of itself with each request.
const (
	headerVersion = "Moat-Client-Version"
	headerAPI     = "Moat-Client-Api"
)

// WithVersion returns a client that tells the daemon with each call that it is
// of this version of moat, and which version of the API it speaks. It shares the
// connections of c, which stays as it is.
func (c *Client) WithVersion(version string) *Client {
	named := *c
	named.version = printable(version)
	return &named
}

// introduce puts into r who asks.
func (c *Client) introduce(r *http.Request) {
	if c.version == "" {
		return
	}
	r.Header.Set(headerVersion, c.version)
	r.Header.Set(headerAPI, strconv.Itoa(APIVersion))
}

// Speaks returns [ErrAPI] if a daemon that answers so speaks no version of the
// API that this package does. A daemon from before the fields speaks version 1.
func (h *HealthResponse) Speaks() error {
	high := cmp.Or(h.API, 1)
	low := cmp.Or(h.APIMin, 1)
	switch {
	case low > APIVersion:
		return fmt.Errorf("%w: this moat speaks %d, the daemon %d to %d; upgrade moat", ErrAPI, APIVersion, low, high)
	case high < APIMin:
		return fmt.Errorf("%w: this moat speaks %d to %d, the daemon %d; upgrade moatd", ErrAPI, APIMin, APIVersion, high)
	}
	return nil
}

// speaking answers clients that speak no version from min on with [ErrAPI]; but
// who asks for health learns that by itself. A client that says nothing is from
// before the header, and speaks version 1.
func (s *Server) speaking(min int, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := admits(r.Header.Get(headerAPI), min); err != nil && r.URL.Path != "/v1/health" {
			replyError(w, r, s.opts.Log, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// admits returns an error if a client that said so speaks no version from min on.
func admits(said string, min int) error {
	speaks := 1
	if said != "" {
		n, err := strconv.Atoi(said)
		if err != nil {
			return fmt.Errorf("%w: %s is no number", ErrBadRequest, headerAPI)
		}
		speaks = n
	}
	if speaks < min {
		return fmt.Errorf("%w: this client speaks %d, the daemon %d to %d; upgrade moat", ErrAPI, speaks, min, APIVersion)
	}
	return nil
}

// maxVersion is how many bytes of a version are worth keeping.
const maxVersion = 64

// printable returns a version as it may stand in a header and in a log, "" for
// what is none.
func printable(version string) string {
	strange := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(version) > maxVersion || strings.ContainsFunc(version, strange) {
		return ""
	}
	return version
}
