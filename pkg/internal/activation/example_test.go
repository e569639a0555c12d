package activation_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/moatd/moatd/pkg/internal/activation"
)

// A daemon takes what the service manager passed, and binds what it did not.
func ExampleTake() {
	handed, err := activation.Take()
	if err != nil {
		fmt.Println(err)
		return
	}
	proxies := handed.Listeners(activation.Proxy)
	if proxies == nil {
		l, err := activation.ListenTCP(context.Background(), "127.0.0.1:0")
		if err != nil {
			fmt.Println(err)
			return
		}
		proxies = []net.Listener{l}
	}
	fmt.Println(len(proxies), proxies[0].Addr().Network())
	// Output: 1 tcp
}

func ExampleListenUnix() {
	dir, err := os.MkdirTemp("", "moat")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "moatd.sock")
	l, err := activation.ListenUnix(context.Background(), path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	_, err = activation.ListenUnix(context.Background(), path)
	fmt.Println(errors.Is(err, activation.ErrInUse))
	// Output: true
}

// In a terminal there is no service manager, and nothing happens.
func ExampleNotifier() {
	n := activation.NewNotifier()
	fmt.Println(n.Ready("serving 3 runs on 127.0.0.1:19080"), n.WatchdogInterval())
	// Output: <nil> 0s
}
