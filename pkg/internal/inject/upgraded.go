package inject

import (
	"errors"
	"io"
	"net/http"

	"github.com/moatd/moatd/pkg/internal/replace"
)

// scrubUpgraded scrubs what the upstream sends once the connection has become
// something else. Lengths stay, because there are frames with lengths.
func scrubUpgraded(res *http.Response, pairs []replace.Pair) error {
	conn, ok := res.Body.(io.ReadWriteCloser)
	if !ok {
		return errors.New("the connection was upgraded, and cannot be searched for secrets")
	}
	res.Body = &upgraded{conn, replace.NewScrubber(sameLength(pairs), window).Reader(conn)}
	return nil
}

// upgraded is a connection whose incoming bytes are scrubbed.
type upgraded struct {
	io.ReadWriteCloser
	in io.Reader
}

// Read implements [io.Reader].
func (u *upgraded) Read(p []byte) (int, error) { return u.in.Read(p) }

// CloseWrite tells the upstream that its client has nothing more to say.
func (u *upgraded) CloseWrite() error {
	if half, ok := u.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
