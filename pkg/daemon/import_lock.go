package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// lock keeps where the last daemon was, above all the port that is in the
// environment of the runs. Its process is not kept: it has ended, and the file
// does not say enough to tell it from another that has its PID now.
func (im Import) lock(data []byte, _ *Imported) error {
	old, err := parseOldLock(data)
	if err != nil {
		return err
	}
	if have, err := ReadLockFile(im.Home); err != nil || have != nil {
		return err // a newer record counts
	}
	old.PID = 0
	return WriteLockFile(im.Home, *old)
}

// readOldLock returns the record of an older program; nil, nil if there is none.
func readOldLock(home string) (*LockInfo, error) {
	data, err := os.ReadFile(filepath.Join(home, oldLock))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseOldLock(data)
}

func parseOldLock(data []byte) (*LockInfo, error) {
	var old LockInfo
	if err := json.Unmarshal(data, &old); err != nil {
		return nil, fmt.Errorf("%w: it is no JSON of a daemon", errNonsense)
	}
	return &old, nil
}

// dialTimeout is how long a daemon may take to accept a connection.
const dialTimeout = time.Second

// serves reports whether the daemon of a record lives and listens.
func (info *LockInfo) serves(ctx context.Context) bool {
	if !info.IsAlive() {
		return false
	}
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, "unix", info.SockPath)
	return err == nil && conn.Close() == nil
}
