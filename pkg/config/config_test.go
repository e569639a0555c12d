package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestApplyTakesTheFirstSourceThatHasAValue(t *testing.T) {
	home := t.TempDir()
	text := "idle_exit: 10m\nproxy_addr: 127.0.0.1:1\nrefuse_at: connect\n"
	if err := os.WriteFile(filepath.Join(home, "config.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := File(home)
	if err != nil {
		t.Fatal(err)
	}
	env := Environment(func(name string) string {
		return map[string]string{"MOAT_PROXY_ADDR": "127.0.0.1:2", "MOAT_IDLE_EXIT": "20m"}[name]
	})
	got, err := Apply(Defaults(home, ""), Flags(map[string]string{"idle-exit": "0"}), env, file)
	want := Defaults(home, "")
	want.IdleExit, want.ProxyAddr, want.RefuseAt = 0, "127.0.0.1:2", RefuseAtConnect
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("Apply: %v (-want +got):\n%s", err, diff)
	}
}

func TestRoutingAddr(t *testing.T) {
	for _, tt := range []struct{ name, value, want string }{
		{"an address", "127.0.0.1:8088", "127.0.0.1:8088"},
		{"port 0, to pick one", "[::1]:0", "[::1]:0"},
		{"off, to serve none", "off", ""},
	} {
		got, err := Apply(Defaults("/h", ""), Flags(map[string]string{"routing-addr": tt.value}))
		if err != nil || got.RoutingAddr != tt.want {
			t.Errorf("%s: --routing-addr %s = %q, %v, want %q", tt.name, tt.value, got.RoutingAddr, err, tt.want)
		}
	}
}

func TestSandbox(t *testing.T) {
	for value, want := range map[string]bool{"on": true, "off": false} {
		got, err := Apply(Defaults("/h", ""), Flags(map[string]string{"sandbox": value}))
		if err != nil || got.Sandbox != want {
			t.Errorf("--sandbox %s = %v, %v, want %v", value, got.Sandbox, err, want)
		}
	}
	if !Defaults("/h", "").Sandbox {
		t.Error("Defaults: no sandbox, want one for whoever sets nothing")
	}
}

func TestApplyNamesEachBadValue(t *testing.T) {
	for _, tt := range []struct {
		name, key, value, want string
	}{
		{"a duration without a unit", "idle-exit", "30", `--idle-exit: "30" is no duration`},
		{"a negative duration", "drain-limit", "-1s", `--drain-limit: "-1s" is no duration`},
		{"a host name where an address must stand", "proxy-addr", "localhost:1", `--proxy-addr: "localhost:1" is no address`},
		{"a port beyond 65535", "proxy-addr", "127.0.0.1:70000", "is no address"},
		{"a host name for the routes", "routing-addr", "localhost:1", `--routing-addr: "localhost:1" is no address`},
		{"a relative path", "api-socket", "run/sock", "is no absolute path"},
		{"an unknown log format", "log-format", "xml", "is no log format"},
		{"a sandbox that is neither on nor off", "sandbox", "yes", `--sandbox: "yes" is neither on nor off`},
		{"an unknown place for a key", "key-source", "tpm", `--key-source: "tpm" is no place for a key; write auto, keyring`},
		{"a profile that leads elsewhere", "profile", "../x", `--profile: "../x" is no profile`},
		{"a profile that macOS would mistake", "profile", "Work", `--profile: "Work" is no profile`},
		{"an unknown place to refuse", "refuse-at", "dns", `--refuse-at: write "request" or "connect"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Apply(Defaults("/h", ""), Flags(map[string]string{tt.key: tt.value}))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Apply(--%s %s) = %v, want %q", tt.key, tt.value, err, tt.want)
			}
		})
	}
}

func TestFileSaysWhatIsWrongAndWhere(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"a key that does not exist", "\nidel_exit: 3m\n", `line 2: no setting is called "idel_exit"`},
		{"a key twice", "idle_exit: 3m\nidle_exit: 4m\n", "line 2: idle_exit is set a second time"},
		{"a list", "- a\n", "line 1: want lines of the form"},
		{"a mapping for a value", "idle_exit: {a: b}\n", "line 1: idle_exit needs one value"},
		{"no value", "idle_exit:\n", "line 1: idle_exit needs one value"},
		{"no YAML", "\t{", "yaml"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			home := t.TempDir()
			if err := os.WriteFile(filepath.Join(home, "config.yaml"), []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			src, err := File(home)
			if err == nil {
				_, err = Apply(Defaults(home, ""), src)
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("File(%q) = %v, want %q", tt.text, err, tt.want)
			}
		})
	}
}

func TestFileThatIsMissingSetsNothing(t *testing.T) {
	src, err := File(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := src.Get("idle_exit"); ok {
		t.Errorf("Get(idle_exit) = %q, want nothing", v)
	}
}

func TestDefaultsPutTheSocketIntoTheRuntimeDirectory(t *testing.T) {
	for runtime, want := range map[string]string{
		"":               "/h/.moat/run/moatd.sock",
		"/run/user/1000": "/run/user/1000/moat/moatd.sock",
	} {
		if got := Defaults("/h/.moat", runtime).APISocket; got != want {
			t.Errorf("Defaults(%q).APISocket = %q, want %q", runtime, got, want)
		}
	}
}

func TestHome(t *testing.T) {
	for _, tt := range []struct{ name, moatHome, userHome, want string }{
		{"MOAT_HOME wins", "/m", "/h", "/m"},
		{"else .moat at home", "", "/h", "/h/.moat"},
		{"neither is an error", "", "", ""},
		{"a relative MOAT_HOME is an error", "m", "/h", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := Home(tt.moatHome, tt.userHome)
			if got != tt.want || (err != nil) != (tt.want == "") {
				t.Errorf("Home(%q, %q) = %q, %v, want %q", tt.moatHome, tt.userHome, got, err, tt.want)
			}
		})
	}
}

func TestMakeHomeClosesTheDirectoryToOthers(t *testing.T) {
	home := filepath.Join(t.TempDir(), "moat")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := MakeHome(home); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{home, CredentialsDir(home), ProvidersDir(home)} {
		info, err := os.Stat(dir)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v, want mode 0700", dir, info, err)
		}
	}
}

func FuzzFile(f *testing.F) {
	f.Add([]byte("idle_exit: 30m\n# c\nproxy_addr: '[::1]:0'\n"))
	f.Add([]byte("log_format: &a json\nrefuse_at: *a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		values, err := parse(data)
		if err != nil {
			return
		}
		base := Defaults("/h", "")
		src := Source{
			Name: func(key string) string { return key },
			Get:  func(key string) (string, bool) { v, ok := values[key]; return v.text, ok },
		}
		s, err := Apply(base, src)
		if err == nil && (s.IdleExit < 0 || s.DrainLimit < 0 || !filepath.IsAbs(s.APISocket) || s.IdleExit > 1<<62*time.Nanosecond) {
			t.Errorf("parse(%q) made invalid settings: %+v", data, s)
		}
	})
}
