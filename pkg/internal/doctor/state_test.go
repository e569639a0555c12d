package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/pkg/config"
	"github.com/moatd/moatd/pkg/internal/store"
)

func TestJudgeHome(t *testing.T) {
	home := func(mode fs.FileMode, uid int, err error) file { return file{"/h", mode, uid, err} }
	judge(t, []verdictCase{
		{"as it should be", judgeHome(home(fs.ModeDir|0o700, 7, nil), 7), OK, "", ""},
		{"not there yet", judgeHome(home(0, 0, fs.ErrNotExist), 7), Skip, "not there yet", ""},
		{"others may look in", judgeHome(home(fs.ModeDir|0o755, 7, nil), 7), Fail, "its mode is 0755, not 0700", "chmod 0700 /h"},
		{"another user's", judgeHome(home(fs.ModeDir|0o700, 0, nil), 7), Fail, "belongs to user 0", "sudo chown 7 /h"},
		{"a file", judgeHome(home(0o600, 7, nil), 7), Fail, "is no directory", "mv /h /h.old"},
		{"a link", judgeHome(home(fs.ModeSymlink|0o777, 7, nil), 7), OK, "a link", ""},
		{"what cannot be looked at", judgeHome(home(0, 0, fs.ErrPermission), 7), Fail, "permission denied", ""},
	})
}

func TestJudgeVolume(t *testing.T) {
	judge(t, []verdictCase{
		{"a local disk", judgeVolume("/h", volume{"ext4", 10 << 30, 1000, true}), OK, "ext4, 10240 MiB free", ""},
		{"NFS", judgeVolume("/h", volume{"nfs", 10 << 30, 1000, true}), Warn, "of the kind nfs", ""},
		{"a folder of a virtual machine's host", judgeVolume("/h", volume{"9p", 10 << 30, 0, false}), Warn, "of the kind 9p", ""},
		{"little room", judgeVolume("/h", volume{"ext4", 100 << 20, 1000, true}), Warn, "100 MiB are left", ""},
		{"no room", judgeVolume("/h", volume{"nfs", 1 << 20, 1000, true}), Fail, "1 MiB are left", ""},
		{"no more files", judgeVolume("/h", volume{"ext4", 10 << 30, 3, true}), Fail, "3 more files", ""},
		{"a file system that counts no files", judgeVolume("/h", volume{"btrfs", 10 << 30, 0, false}), OK, "btrfs", ""},
	})
	if v, err := volumeOf(t.TempDir()); err != nil || v.kind == "" || v.free == 0 {
		t.Errorf("volumeOf(a temporary directory) = %+v, %v", v, err)
	}
}

func TestJudgeDatabase(t *testing.T) {
	const path, bak = "/h/moatd.db", "/h/moatd.db.bak"
	cut := errors.New("inspect /h/moatd.db: damaged: it is cut short")
	judge(t, []verdictCase{
		{"sound", judgeDatabase(database{path, path, 32 << 10, store.Report{}, nil}), OK, "sound, 32 KiB", ""},
		{"none yet", judgeDatabase(database{path, path, 0, store.Report{}, fs.ErrNotExist}), Skip, "none yet", ""},
		{"in use, the copy is sound", judgeDatabase(database{path, bak, 32 << 10, store.Report{}, nil}), OK, bak, ""},
		{"in use, without a copy", judgeDatabase(database{path, bak, 32 << 10, store.Report{}, fs.ErrNotExist}), OK, "no copy yet", ""},
		{"in use, the copy is bad", judgeDatabase(database{path, bak, 32 << 10, store.Report{}, cut}), Warn, "cut short", fixRestart},
		{"damaged", judgeDatabase(database{path, path, 1, store.Report{}, cut}), Fail, "cut short; a daemon that starts moves it aside", fixStart},
		{"a bad meta page", judgeDatabase(database{path, path, 1, store.Report{Note: "a meta page"}, nil}), Warn, "a meta page", fixRestart},
		{"newer", judgeDatabase(database{path, path, 1, store.Report{}, fmt.Errorf("x: %w", store.ErrNewer)}), Fail, "newer moatd", ""},
		{"not to be read", judgeDatabase(database{path, path, 1, store.Report{}, fs.ErrPermission}), Fail, "permission", "chmod 600 " + path},
		{"a daemon that crashes", judgeDatabase(database{path, path, 1, store.Report{Boots: 3}, nil}), Warn, "3 times in a row", fixRestart},
		{"starts that the copy counted", judgeDatabase(database{path, bak, 1, store.Report{Boots: 9}, nil}), OK, "", ""},
		{"big", judgeDatabase(database{path, path, 100 << 20, store.Report{}, nil}), Warn, "has grown to 102400 KiB", ""},
	})
}

func TestQuarantine(t *testing.T) {
	home := filepath.Join(t.TempDir(), "a[b]*")
	s := &scene{opts: Options{Settings: config.Settings{Home: home}}}
	if v := s.quarantine(t.Context()); v.Status != OK {
		t.Errorf("quarantine of nothing = %+v, want ok", v)
	}
	path := config.Database(home) + ".corrupt-20260102"
	save(t, path, "x")
	v := s.quarantine(t.Context())
	if v.Since.IsZero() || time.Since(v.Since) > time.Hour {
		t.Errorf("quarantine began at %v, want when the file was made", v.Since)
	}
	judge(t, []verdictCase{{"a file that was moved aside", v, Warn, path, "rm " + quote(path)}})
}

func TestJudgeConfig(t *testing.T) {
	s := &scene{opts: Options{Settings: config.Settings{Home: "/h"}}}
	bad := &scene{opts: s.opts}
	bad.opts.SettingsErr = errors.New("config.yaml:1: idle_exit: no time\nconfig.yaml:2: what")
	judge(t, []verdictCase{
		{"good", judgeConfig(s), OK, "/h/config.yaml", ""},
		{"bad", judgeConfig(bad), Fail, "config.yaml:1: idle_exit: no time; config.yaml:2", "${EDITOR:-vi} /h/config.yaml && " + fixRestart},
	})
}

func TestProviders(t *testing.T) {
	home := t.TempDir()
	s := &scene{opts: Options{Settings: config.Settings{Home: home}}}
	if v := s.providers(t.Context()); v.Status != OK {
		t.Errorf("without providers of the user's: %+v, want ok", v)
	}
	path := filepath.Join(config.ProvidersDir(home), "mine.yaml")
	save(t, path, "name: mine\n")
	judge(t, []verdictCase{{"a provider that says nothing", s.providers(t.Context()), Fail, path, "${EDITOR:-vi} " + path}})
	denied := &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
	v := judgeProviders(config.ProvidersDir(home), nil, []error{fmt.Errorf("read the provider: %w", denied)})
	judge(t, []verdictCase{{"a provider that cannot be read", v, Fail, "permission denied", "chmod u+rw " + path}})
	if strings.Contains(v.Detail, "\n") {
		t.Errorf("the detail %q has several lines", v.Detail)
	}
}
