package daemon

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTheLockRecordIsReadAsWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet")
	if got, err := ReadLockFile(dir); got != nil || err != nil {
		t.Errorf("ReadLockFile(absent directory) = %v, %v; want nil, nil", got, err)
	}
	RemoveLockFile(dir)
	want := LockInfo{
		PID: os.Getpid(), ProxyPort: 19080, SockPath: "/run/moatd.sock",
		StartedAt: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Commit: "abc", Version: "1.0",
	}
	if err := WriteLockFile(dir, want); err != nil {
		t.Fatalf("WriteLockFile = %v", err)
	}
	self, err := processOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	want.BootID, want.StartTicks = self.boot, self.start
	got, err := ReadLockFile(dir)
	if d := cmp.Diff(&want, got); d != "" || err != nil {
		t.Errorf("ReadLockFile: %v (-want +got):\n%s", err, d)
	}
	RemoveLockFile(dir)
	if got, err := ReadLockFile(dir); got != nil || err != nil {
		t.Errorf("ReadLockFile after RemoveLockFile = %v, %v; want nil, nil", got, err)
	}
	if err := WriteLockFile(dir, want); err != nil {
		t.Errorf("WriteLockFile after RemoveLockFile = %v", err)
	}
}

func TestALockRecordThatIsNone(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		wantErr    bool
	}{
		{"an empty file is no record", "", false},
		{"a file that is no database is an error", "no database, but long enough to be read as the head of one", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(lockPath(dir), []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := ReadLockFile(dir); got != nil || (err != nil) != tt.wantErr {
				t.Errorf("ReadLockFile = %v, %v; want nil, error %t", got, err, tt.wantErr)
			}
			if err := WriteLockFile(dir, LockInfo{PID: 1}); err != nil {
				t.Errorf("WriteLockFile over it = %v", err)
			}
		})
	}
}

func TestIsAlive(t *testing.T) {
	self, err := processOf(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command("true")
	if err := child.Run(); err != nil {
		t.Skip("no program to run: ", err)
	}
	for _, tt := range []struct {
		name string
		info *LockInfo
		want bool
	}{
		{"no record", nil, false},
		{"a record of no process", &LockInfo{}, false},
		{"this process", &LockInfo{PID: os.Getpid(), BootID: self.boot, StartTicks: self.start}, true},
		{"this process, in a record of an older program", &LockInfo{PID: os.Getpid()}, true},
		{"a process that has ended", &LockInfo{PID: child.Process.Pid}, false},
		{"another process with this PID", &LockInfo{PID: os.Getpid(), BootID: self.boot, StartTicks: self.start - 1}, false},
		{"a process of another boot", &LockInfo{PID: os.Getpid(), BootID: "another", StartTicks: self.start}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.info.IsAlive(); got != tt.want {
				t.Errorf("IsAlive() = %t, want %t", got, tt.want)
			}
		})
	}
}
