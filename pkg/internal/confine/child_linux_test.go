package confine_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/moatd/moatd/pkg/internal/confine"
)

// The test program is also the process that is confined, since that cannot be
// undone: it is started anew with this variable, for the places.
const confinedTo = "CONFINE_TEST_PLACES"

func TestMain(m *testing.M) {
	if text := os.Getenv(confinedTo); text != "" {
		os.Exit(confined(text, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// confined does one thing under the places, and returns 0 if it could, 10 if it
// was refused.
func confined(places string, args []string) int {
	var p confine.Places
	if err := json.Unmarshal([]byte(places), &p); err != nil {
		return fail(err)
	}
	if err := confine.Memory(); err != nil {
		return fail(err)
	}
	if _, err := confine.Files(p); err != nil {
		return fail(err)
	}
	switch err := attempts[args[0]](args[1:]); {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.EXDEV):
		return 10
	case err != nil:
		return fail(err)
	}
	return 0
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

var attempts = map[string]func(args []string) error{
	"read":   func(a []string) error { return firstOf(os.ReadFile(a[0])) },
	"list":   func(a []string) error { return firstOf(os.ReadDir(a[0])) },
	"stat":   func(a []string) error { return firstOf(os.Stat(a[0])) },
	"write":  func(a []string) error { return os.WriteFile(a[0], nil, 0o600) },
	"mkdir":  func(a []string) error { return os.Mkdir(a[0], 0o700) },
	"remove": func(a []string) error { return os.Remove(a[0]) },
	"rename": func(a []string) error { return os.Rename(a[0], a[1]) },
	"link":   func(a []string) error { return os.Symlink(a[0], a[1]) },
	"exec":   func(a []string) error { return exec.Command(a[0]).Run() },
	"child": func(a []string) error { // what a child can do is what we can
		if err := exec.Command("/bin/cat", a[0]).Run(); err != nil {
			return fs.ErrPermission
		}
		return nil
	},
	"threads": fromManyThreads,
	"temp":    func(a []string) error { return firstOf(os.CreateTemp(a[0], "x")) },
	"wait": func([]string) error {
		fmt.Println("ready")
		_, err := os.Stdin.Read(make([]byte, 1))
		return errors.Join(err, firstOf(os.ReadFile("/proc/self/status")), firstOf(os.Readlink("/proc/self/exe")))
	},
}

// fromManyThreads reads a file from threads that were there before and after.
func fromManyThreads(args []string) error {
	var wg sync.WaitGroup
	refused := make(chan error, 32)
	for range cap(refused) {
		wg.Go(func() {
			runtime.LockOSThread() // and not unlocked, so that each has another
			_, err := os.ReadFile(args[0])
			refused <- err
		})
	}
	wg.Wait()
	close(refused)
	for err := range refused {
		if !errors.Is(err, fs.ErrPermission) {
			return fmt.Errorf("one thread of many: %v, want it refused", err)
		}
	}
	return fs.ErrPermission
}

func firstOf[T any](_ T, err error) error { return err }
