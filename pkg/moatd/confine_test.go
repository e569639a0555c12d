package moatd

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/sirupsen/logrus"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/internal/confine"
)

func confinable(t *testing.T, to func(confine.Places) (confine.Applied, error)) (*parts, *strings.Builder) {
	t.Helper()
	var log strings.Builder
	logger := logrus.New()
	logger.SetOutput(&log)
	s := config.Defaults(t.TempDir(), "/run/user/1")
	if err := config.MakeHome(s.Home); err != nil {
		t.Fatal(err)
	}
	return &parts{opts: Options{Settings: s, Confine: to}, log: logger}, &log
}

func TestConfine_tells(t *testing.T) {
	for _, tt := range []struct {
		name     string
		applied  confine.Applied
		err      error
		log      string
		problems int
	}{
		{"what is applied is logged", confine.Applied{ABI: 7}, nil, "landlock=7", 0},
		{"a kernel that cannot is no problem", confine.Applied{}, nil, "the kernel has no Landlock", 0},
		{"one that can and does not is", confine.Applied{}, errors.New("too many rulesets"), "too many rulesets", 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d, log := confinable(t, func(confine.Places) (confine.Applied, error) { return tt.applied, tt.err })
			if err := d.confine(t.Context()); err != nil {
				t.Fatalf("confine: %v", err)
			}
			if !strings.Contains(log.String(), tt.log) || len(d.problems.texts()) != tt.problems {
				t.Errorf("log %q, problems %q; want %q and %d", log, d.problems.texts(), tt.log, tt.problems)
			}
		})
	}
}

func TestConfine_isForWhoeverWantsIt(t *testing.T) {
	d, _ := confinable(t, func(confine.Places) (confine.Applied, error) {
		t.Error("confined, with sandbox: off")
		return confine.Applied{}, nil
	})
	d.opts.Settings.Sandbox = false
	if err := d.confine(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPlaces(t *testing.T) {
	d, _ := confinable(t, nil)
	home := d.opts.Settings.Home
	link := filepath.Join(config.ProvidersDir(home), "acme.yaml")
	if err := os.Symlink("/srv/dotfiles/acme.yaml", link); err != nil {
		t.Fatal(err)
	}
	want := confine.Places{Write: []string{home}, Read: []string{link}, Unlink: []string{"/run/user/1/moat"}}
	if diff := cmp.Diff(want, d.places()); diff != "" {
		t.Errorf("places, -want +got:\n%s", diff)
	}
}

func TestProcessPlaces(t *testing.T) {
	user := t.TempDir()
	if err := os.MkdirAll(filepath.Join(user, ".aws"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/srv/dotfiles/aws", filepath.Join(user, ".aws", "config")); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{
		"JOURNAL_STREAM": "8:1", "SSL_CERT_DIR": "/a:/b", "AWS_CONFIG_FILE": "relative", "DOCKER_CONFIG": "/srv/docker",
	}
	got := Process{UserHome: user, Getenv: func(name string) string { return env[name] }}.places()
	for _, tt := range []struct {
		reason string
		list   []string
		path   string
		want   bool
	}{
		{"large records for the journal", got.Shared, "/dev/shm", true},
		{"roots", got.Read, "/b", true},
		{"settings of Docker's command", got.Read, "/srv/docker", true},
		{"a relative path means nothing to a daemon", got.Read, "relative", false},
		{"profiles", got.Read, filepath.Join(user, ".aws"), true},
		{"profiles that are elsewhere", got.Read, filepath.Join(user, ".aws/config"), true},
		{"tokens that the SDK refreshes", got.Write, filepath.Join(user, ".aws/sso/cache"), true},
		{"the home itself", slices.Concat(got.Read, got.Write, got.Run, got.Shared, got.Unlink), user, false},
		{"nothing of the user's is executed", got.Run, filepath.Join(user, ".docker"), false},
	} {
		if slices.Contains(tt.list, tt.path) != tt.want {
			t.Errorf("%s: %s in %q: want %v", tt.reason, tt.path, tt.list, tt.want)
		}
	}
	if none := (Process{Getenv: func(string) string { return "" }}).places(); !cmp.Equal(none, confine.Places{}) {
		t.Errorf("places of a process without a home: %+v, want none", none)
	}
}

func TestOutOfReach(t *testing.T) {
	late := filepath.Join(t.TempDir(), ".aws")
	d := &parts{confined: confine.Applied{ABI: 1, Missing: []string{late}}}
	if got := d.outOfReach(); got != nil {
		t.Errorf("problems before anything has come: %q", got)
	}
	if err := os.Mkdir(late, 0o700); err != nil {
		t.Fatal(err)
	}
	if got := d.outOfReach(); len(got) != 1 || !strings.Contains(got[0], late) || !strings.Contains(got[0], "restart") {
		t.Errorf("problems after %s has come: %q, want one with it and what to do", late, got)
	}
}
