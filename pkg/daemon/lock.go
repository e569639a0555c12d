package daemon

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/moatd/moatd/pkg/internal/store"
)

// LockInfo is the record of the last daemon of a directory. It stays when the
// daemon crashes: the next one takes its port over.
type LockInfo struct {
	PID       int       `json:"pid"`
	ProxyPort int       `json:"proxy_port"`
	SockPath  string    `json:"sock_path"`
	StartedAt time.Time `json:"started_at"`
	Commit    string    `json:"commit,omitempty"`
	Version   string    `json:"version,omitempty"`
	// BootID and StartTicks tell the process from another that has its PID
	// later; "" and 0 in a record of a daemon that did not know them.
	BootID     string `json:"boot_id,omitempty"`
	StartTicks uint64 `json:"start_ticks,omitempty"` // when it started, as the kernel counts
}

// lockPath is a database of its own: moatd.db is locked while a daemon lives.
func lockPath(dir string) string { return filepath.Join(dir, "daemon.lock.db") }

// WriteLockFile records info as the daemon of dir, which it creates if need be,
// and fills in BootID and StartTicks of a process that lives. It is durable when
// it returns nil.
func WriteLockFile(dir string, info LockInfo) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("record the daemon: %w", err)
	}
	if info.StartTicks == 0 {
		if p, err := processOf(info.PID); err == nil {
			info.BootID, info.StartTicks = p.boot, p.start
		}
	}
	val, err := json.Marshal(info)
	if err != nil {
		return fmt.Errorf("record the daemon: %v", err)
	}
	return store.WriteRecord(lockPath(dir), val)
}

// ReadLockFile returns the record of the last daemon of dir; nil, nil if there
// is none.
func ReadLockFile(dir string) (*LockInfo, error) {
	val, err := store.ReadRecord(lockPath(dir))
	if err != nil || val == nil {
		return nil, err
	}
	var info LockInfo
	if err := json.Unmarshal(val, &info); err != nil {
		return nil, fmt.Errorf("read the record of the daemon in %s: %v", lockPath(dir), err)
	}
	return &info, nil
}

// RemoveLockFile removes the record of the daemon of dir. What cannot be
// removed stays: a record of a dead daemon does no harm.
func RemoveLockFile(dir string) { _ = store.RemoveRecord(lockPath(dir)) }

// process tells one process from all others, also from one that gets its PID
// after it.
type process struct {
	boot  string // differs from boot to boot, "" where there is no such thing
	start uint64 // when the process started
}

// IsAlive reports whether the process of the record lives: the very one, not
// another one with its PID. A nil record is of no daemon.
func (info *LockInfo) IsAlive() bool {
	if info == nil || info.PID <= 0 {
		return false
	}
	now, err := processOf(info.PID)
	if err != nil {
		return false
	}
	if info.StartTicks == 0 {
		return true // the record is of a daemon that did not know; all that is left is the PID
	}
	return now == process{info.BootID, info.StartTicks}
}
