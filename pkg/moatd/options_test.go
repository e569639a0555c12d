package moatd

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/moatd/moatd/pkg/internal/activation"
	"github.com/moatd/moatd/pkg/internal/store"
)

func TestExitCode(t *testing.T) {
	of := func(errno syscall.Errno) error { return &os.PathError{Op: "open", Path: "x", Err: errno} }
	for _, tt := range []struct {
		name string
		err  error
		want int
	}{
		{"nothing", nil, 0},
		{"anything", errors.New("boom"), ExitFailure},
		{"the command line", fmt.Errorf("%w: --colour", ErrUsage), ExitUsage},
		{"the settings", fmt.Errorf("%w: idle_exit", ErrConfig), ExitConfig},
		{"a newer database", store.ErrNewer, ExitConfig},
		{"another daemon at the database", store.ErrLocked, ExitBusy},
		{"another daemon at the socket", activation.ErrInUse, ExitBusy},
		{"a file that may not be opened", permanent(of(syscall.EACCES)), ExitConfig},
		{"a disk that is read-only", permanent(of(syscall.EROFS)), ExitConfig},
		{"a disk that is full may have room again", permanent(of(syscall.ENOSPC)), ExitFailure},
		{"a disk that fails may do so once", permanent(of(syscall.EIO)), ExitFailure},
		{"a key that is none", permanent(mendable(errors.New("no key"))), ExitConfig},
		{"a key that is not there", permanent(mendable(of(syscall.ENOENT))), ExitConfig},
		{"no room for a key", permanent(mendable(of(syscall.ENOSPC))), ExitFailure},
		{"no descriptor for a key", permanent(mendable(of(syscall.EMFILE))), ExitFailure},
	} {
		if got := ExitCode(tt.err); got != tt.want {
			t.Errorf("%s: ExitCode(%v) = %d, want %d", tt.name, tt.err, got, tt.want)
		}
	}
}
