package keyring

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/credential"
)

// What a keyring can say is tried with a real one, in the e2e test of
// pkg/moatd; here is what no real one does.
func TestSecretServiceThatCannotBeAsked(t *testing.T) {
	dir := t.TempDir()
	silent, err := net.Listen("unix", filepath.Join(dir, "silent"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() // nobody accepts
	for _, tt := range []struct{ name, address string }{
		{"no bus", "unix:path=" + filepath.Join(dir, "none")},
		{"no address", ""},
		{"an address of another kind", "nonsense"},
		{"a bus that says nothing", "unix:path=" + silent.Addr().String()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			s := NewSecretService(tt.address)
			_, get := s.Get(ctx, "a")
			for call, err := range map[string]error{"Ready": s.Ready(ctx), "Get": get, "Set": s.Set(ctx, "a", "x"), "Delete": s.Delete(ctx, "a")} {
				if err == nil || errors.Is(err, credential.ErrNotFound) || errors.Is(err, credential.ErrKeyLocked) {
					t.Errorf("%s = %v, want an error that says neither that it is locked nor that it is absent", call, err)
				}
			}
		})
	}
}

// tool returns a Keychain whose tool is a script, which notes what it is called with.
func tool(t *testing.T, script string) (k *Keychain, calls string) {
	t.Helper()
	dir := t.TempDir()
	k, calls = &Keychain{filepath.Join(dir, "security")}, filepath.Join(dir, "calls")
	text := fmt.Sprintf("#!/bin/sh\necho \"$@\" >> %s\n%s\n", calls, script)
	if err := os.WriteFile(k.path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return k, calls
}

func TestKeychain(t *testing.T) {
	k, calls := tool(t, `case $1 in find*) echo 0011;; -i) cat >"$0.stdin";; esac`)
	if got, err := k.Get(t.Context(), "id"); err != nil || got.Reveal() != "0011" {
		t.Errorf("Get = %q, %v; want what the tool prints, without the line's end", got.Reveal(), err)
	}
	if err := errors.Join(k.Set(t.Context(), "id", "s3cret"), k.Delete(t.Context(), "id"), k.Ready(t.Context())); err != nil {
		t.Errorf("Set, Delete, Ready = %v", err)
	}
	args, err := os.ReadFile(calls)
	if err != nil || strings.Contains(string(args), "s3cret") {
		t.Errorf("the tool was called with %s, %v; want no secret among them", args, err)
	}
	stdin, err := os.ReadFile(k.path + ".stdin")
	if want := "add-generic-password -U -s moatd -a id -w s3cret\n"; err != nil || string(stdin) != want {
		t.Errorf("the tool read %q, %v; want %q", stdin, err, want)
	}
	if err := k.Set(t.Context(), "id", "a b\nc"); err == nil {
		t.Errorf("Set of a text that is several words for the tool = nil, want an error")
	}
}

func TestKeychainThatFails(t *testing.T) {
	for _, tt := range []struct {
		name, script string
		want         error // nil for any other
	}{
		{"an entry that is not there", "exit 44", credential.ErrNotFound},
		{"locked, and nobody may be asked", "exit 36", credential.ErrKeyLocked},
		{"the person said no", "exit 51", credential.ErrKeyLocked},
		{"a dialog that nobody answers", "exec sleep 60", credential.ErrKeyLocked},
		{"anything else", "echo s3cret; echo s3cret >&2; exit 1", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k, _ := tool(t, tt.script)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			got, err := k.Get(ctx, "id")
			if tt.want != nil && !errors.Is(err, tt.want) || err == nil || strings.Contains(err.Error(), "s3cret") || got != "" {
				t.Errorf("Get = %q, %v; want %v", got.Reveal(), err, tt.want)
			}
			if tt.want == nil && (errors.Is(err, credential.ErrKeyLocked) || errors.Is(err, credential.ErrNotFound)) {
				t.Errorf("Get = %v, want neither locked nor absent", err)
			}
		})
	}
	if err := (&Keychain{filepath.Join(t.TempDir(), "none")}).Ready(t.Context()); err == nil {
		t.Error("Ready without the tool = nil, want an error")
	}
}

func TestWhichKeyringIsHere(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "bus"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, goos string
		env        map[string]string
		want       string // type and address
		desktop    bool
	}{
		{"nothing on a server", "linux", nil, "<nil>", false},
		{"the bus that the environment names", "linux", map[string]string{"DBUS_SESSION_BUS_ADDRESS": "unix:path=/x", "DISPLAY": ":0"}, "&{unix:path=/x}", true},
		{"the bus of the runtime directory", "linux", map[string]string{"XDG_RUNTIME_DIR": dir, "WAYLAND_DISPLAY": "w"}, "&{unix:path=" + dir + "/bus}", true},
		{"none in another one", "linux", map[string]string{"XDG_RUNTIME_DIR": dir + "/none"}, "<nil>", false},
		{"nobody is behind ssh with X11", "linux", map[string]string{"DISPLAY": ":10", "SSH_CONNECTION": "x"}, "<nil>", false},
		{"the Keychain of a Mac", "darwin", nil, "&{/usr/bin/security}", true},
		{"and over ssh", "darwin", map[string]string{"SSH_TTY": "x"}, "&{/usr/bin/security}", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			getenv := func(name string) string { return tt.env[name] }
			if got := fmt.Sprint(here(tt.goos, getenv)); got != tt.want || desktop(tt.goos, getenv) != tt.desktop {
				t.Errorf("here = %s, desktop = %t; want %s, %t", got, desktop(tt.goos, getenv), tt.want, tt.desktop)
			}
		})
	}
}
