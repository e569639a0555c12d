package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// RefuseAt says where a refused CONNECT is answered.
type RefuseAt string

// The places where a refusal can be answered.
const (
	RefuseAtRequest RefuseAt = "request" // inside the tunnel, where the agent can read it
	RefuseAtConnect RefuseAt = "connect" // as a bare 407 to the CONNECT
)

// Settings are the checked settings of a daemon. Every path is absolute.
type Settings struct {
	Home        string        // directory of all state
	APISocket   string        // path of the management socket, unless a supervisor hands one over
	ProxyAddr   string        // ip:port of the proxy, unless a supervisor hands one over; port 0 picks one
	RoutingAddr string        // ip:port of the routes, unless a supervisor hands one over; port 0 picks one; "" serves none
	IdleExit    time.Duration // exit after so long without runs; 0 means never
	DrainLimit  time.Duration // how long requests in flight may last after SIGTERM
	LogFormat   string        // "auto", "text", "json" or "journal"
	UpstreamCA  string        // PEM file of further roots for upstreams; "" means the system's alone
	RefuseAt    RefuseAt      // where a refused CONNECT is answered
	Sandbox     bool          // give up all files that the daemon does not need, once it has started
	KeySource   string        // where a home without a key keeps its own: "auto", "keyring", "credentials" or "file"
	Profile     string        // of the credentials that commands use; "" means those of no profile
}

// Defaults returns the settings of a daemon whose user set nothing. runtimeDir
// is XDG_RUNTIME_DIR, "" where there is none. On macOS it does not count: launchd
// listens below the home, whatever a shell has set.
func Defaults(home, runtimeDir string) Settings {
	socket := filepath.Join(home, "run", "moatd.sock")
	if runtimeDir != "" && runtime.GOOS != "darwin" {
		socket = filepath.Join(runtimeDir, "moat", "moatd.sock")
	}
	return Settings{
		Home:        home,
		APISocket:   socket,
		ProxyAddr:   "127.0.0.1:19080",
		RoutingAddr: "127.0.0.1:8080",
		IdleExit:    30 * time.Minute,
		DrainLimit:  25 * time.Second, // below TimeoutStopSec= of the unit, 35 s
		LogFormat:   "auto",
		RefuseAt:    RefuseAtRequest,
		Sandbox:     true,
		KeySource:   "auto",
	}
}

// setters has, for each key of config.yaml, what its text does to the settings.
var setters = map[string]func(*Settings, string) error{
	"api_socket":   func(s *Settings, v string) error { return setPath(&s.APISocket, v) },
	"proxy_addr":   setProxyAddr,
	"routing_addr": setRoutingAddr,
	"idle_exit":    func(s *Settings, v string) error { return setDuration(&s.IdleExit, v) },
	"drain_limit":  func(s *Settings, v string) error { return setDuration(&s.DrainLimit, v) },
	"log_format":   setLogFormat,
	"upstream_ca":  func(s *Settings, v string) error { return setPath(&s.UpstreamCA, v) },
	"refuse_at":    setRefuseAt,
	"sandbox":      setSandbox,
	"key_source":   setKeySource,
	"profile":      setProfile,
}

func setPath(to *string, v string) error {
	if !filepath.IsAbs(v) {
		return fmt.Errorf("%q is no absolute path", v)
	}
	*to = filepath.Clean(v)
	return nil
}

func setDuration(to *time.Duration, v string) error {
	d, err := time.ParseDuration(v)
	if v == "0" {
		d, err = 0, nil
	}
	if err != nil || d < 0 {
		return fmt.Errorf("%q is no duration; write 30m, 90s, or 0 for never", v)
	}
	*to = d
	return nil
}

func setProxyAddr(s *Settings, v string) error {
	if _, err := netip.ParseAddrPort(v); err != nil {
		return fmt.Errorf("%q is no address; write an IP address and a port, such as 127.0.0.1:19080", v)
	}
	s.ProxyAddr = v
	return nil
}

// setRoutingAddr takes "off" too: a port that many programs want is one to do
// without.
func setRoutingAddr(s *Settings, v string) error {
	if _, err := netip.ParseAddrPort(v); err != nil && v != "off" {
		return fmt.Errorf("%q is no address; write an IP address and a port, such as 127.0.0.1:8080, or off", v)
	}
	if s.RoutingAddr = v; v == "off" {
		s.RoutingAddr = ""
	}
	return nil
}

func setLogFormat(s *Settings, v string) error {
	switch v {
	case "auto", "text", "json", "journal":
		s.LogFormat = v
		return nil
	}
	return fmt.Errorf("%q is no log format; write auto, text, json or journal", v)
}

func setRefuseAt(s *Settings, v string) error {
	switch at := RefuseAt(v); at {
	case RefuseAtRequest, RefuseAtConnect:
		s.RefuseAt = at
		return nil
	}
	return errors.New(`write "request" or "connect"`)
}

func setSandbox(s *Settings, v string) error {
	if v != "on" && v != "off" {
		return fmt.Errorf("%q is neither on nor off", v)
	}
	s.Sandbox = v == "on"
	return nil
}

func setKeySource(s *Settings, v string) error {
	switch v {
	case "auto", "keyring", "credentials", "file":
		s.KeySource = v
		return nil
	}
	return fmt.Errorf("%q is no place for a key; write auto, keyring, credentials or file", v)
}

// maxProfile is the longest name of a profile, in bytes.
const maxProfile = 64

// setProfile takes names that every file system tells apart.
func setProfile(s *Settings, v string) error {
	odd := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' }
	if v == "" || len(v) > maxProfile || strings.ContainsFunc(v, odd) {
		return fmt.Errorf("%q is no profile; write 1 to %d of a-z, 0-9, - and _", v, maxProfile)
	}
	s.Profile = v
	return nil
}
