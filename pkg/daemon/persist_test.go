package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/moatd/moatd/pkg/internal/store"
)

// loaded returns the ids of the runs in a file, and the error of Load.
func loaded(path string) (ids []string, err error) {
	runs, err := NewRunPersister(path, NewRegistry()).Load()
	for _, r := range runs {
		ids = append(ids, r.RunID)
	}
	return ids, err
}

func TestWhatIsSavedIsLoaded(t *testing.T) {
	path, r := filepath.Join(t.TempDir(), "runs.db"), NewRegistry()
	rc := NewRunContext("a")
	rc.ContainerID, rc.Grants = "c1", []string{"github"}
	rc.NetworkPolicy, rc.NetworkAllow = "strict", []string{"*.example"}
	rc.AWSConfig = &AWSConfig{RoleARN: "arn", Region: "eu", SessionDuration: time.Hour}
	token := r.Register(rc)
	p := NewRunPersister(path, r)
	if err := p.Save(); err != nil {
		t.Fatalf("Save = %v", err)
	}
	runs, err := p.Load()
	if err != nil || len(runs) != 1 {
		t.Fatalf("Load = %d runs, %v; want 1", len(runs), err)
	}
	want := PersistedRun{
		AuthToken: token, RunID: "a", ContainerID: "c1", Grants: rc.Grants,
		NetworkPolicy: "strict", NetworkAllow: rc.NetworkAllow, AWSConfig: rc.AWSConfig,
		rest: kept{RegisteredAt: rc.RegisteredAt},
	}
	if d := cmp.Diff(want, runs[0], cmp.AllowUnexported(PersistedRun{})); d != "" {
		t.Errorf("Load after Save (-want +got):\n%s", d)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v (%v), want 0600", info.Mode(), err)
	}
	r.Unregister(token)
	if err := p.Flush(); err != nil {
		t.Errorf("Flush = %v", err)
	}
	if ids, err := loaded(path); len(ids) > 0 || err != nil {
		t.Errorf("Load after the last run went = %v, %v; want nothing", ids, err)
	}
}

func TestLoad(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		want       []string
		wantErr    string // "" for none
	}{
		{"an empty file", "", nil, ""},
		{"JSON with a version", `{"version":1,"runs":[{"auth_token":"ta","run_id":"a"},{"auth_token":"tb","run_id":"b"}]}`, []string{"a", "b"}, ""},
		{"a bare array", ` [{"auth_token":"ta","run_id":"a"}]` + "\n", []string{"a"}, ""},
		{"an array of none", `[]`, nil, ""},
		{"unknown fields", `[{"auth_token":"ta","run_id":"a","later":{"x":1}}]`, []string{"a"}, ""},
		{
			"bad records beside a good one", `[{"run_id":"no-token"},7,{"auth_token":"ta","run_id":"a"},{"auth_token":"tb"}]`,
			[]string{"a"},
			"run no-token: the record has no token or no run id\nrun number 2: the record is no JSON of a run\nrun number 4: the record has no token or no run id",
		},
		{"JSON of a newer program", `{"version":2,"runs":[{"auth_token":"ta","run_id":"a"}]}`, nil, "read the runs: the file has version 2, written by a newer program"},
		{"JSON that is cut", `{"version":1,"runs":[{"auth_token":"ta"`, nil, "read the runs: the file of runs is damaged: it is no JSON of runs"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "runs.json")
			if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := loaded(path)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("Load of %s (-want +got):\n%s", tt.file, d)
			}
			if (err == nil) != (tt.wantErr == "") || err != nil && err.Error() != tt.wantErr {
				t.Errorf("Load of %s: error %v, want %q", tt.file, err, tt.wantErr)
			}
		})
	}
}

func TestLoadOfAMissingFileIsNothingAndMakesNone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.db")
	runs, err := NewRunPersister(path, NewRegistry()).Load()
	if runs != nil || err != nil {
		t.Errorf("Load(missing file) = %v, %v; want nil, nil", runs, err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Load, Stat = %v; want no file", err)
	}
}

func TestLoadTellsOfADamagedDatabaseOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "runs.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if ids, err := loaded(path); len(ids) != 0 || !errors.Is(err, errDamaged) {
		t.Errorf("Load of a damaged file = %v, %v; want errDamaged", ids, err)
	}
	if ids, err := loaded(path); len(ids) != 0 || err != nil {
		t.Errorf("Load after that = %v, %v; want nothing", ids, err)
	}
}

func TestAFirstWriteTakesTheOldJSONAlong(t *testing.T) {
	const old = `{"version":1,"runs":[{"auth_token":"ta","run_id":"a"},{"run_id":"bad"}]}`
	for _, tt := range []struct {
		name  string
		file  string
		write func(*RunPersister, *Registry) error
		want  []string
		left  string // what stays unread
	}{
		{"one run is put", old, func(p *RunPersister, r *Registry) error { return p.put(restored(r, "b")) }, []string{"a", "b"}, "bad"},
		{"one run is removed", old, func(p *RunPersister, _ *Registry) error { return p.remove("a") }, nil, "bad"},
		{"all are saved", old, func(p *RunPersister, r *Registry) error {
			restored(r, "b")
			return p.Save()
		}, []string{"b"}, "bad"},
		{"a damaged file, all are saved", `{"runs":`, func(p *RunPersister, r *Registry) error {
			restored(r, "b")
			return p.Save()
		}, []string{"b"}, ""},
		{"a damaged file, one is put", `{"runs":`, func(p *RunPersister, r *Registry) error { return p.put(restored(r, "b")) }, []string{"b"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, r := filepath.Join(t.TempDir(), "runs.json"), NewRegistry()
			if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := tt.write(NewRunPersister(path, r), r); err != nil {
				t.Fatalf("write = %v", err)
			}
			got, err := loaded(path)
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("Load (-want +got):\n%s", d)
			}
			if (err != nil) != (tt.left != "") || err != nil && !strings.Contains(err.Error(), tt.left) {
				t.Errorf("Load: error %v, want one about %q", err, tt.left)
			}
			aside, err := os.ReadFile(path + ".imported")
			if err != nil || string(aside) != tt.file {
				t.Errorf("set aside is %q, %v; want %q", aside, err, tt.file)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the database has mode %v (%v), want 0600", info.Mode(), err)
			}
		})
	}
}

func TestAFileOfANewerProgramIsLeftAlone(t *testing.T) {
	const newer = `{"version":2,"runs":[]}`
	path, r := filepath.Join(t.TempDir(), "runs.json"), NewRegistry()
	if err := os.WriteFile(path, []byte(newer), 0o600); err != nil {
		t.Fatal(err)
	}
	p := NewRunPersister(path, r)
	for name, err := range map[string]error{"Save": p.Save(), "put": p.put(NewRunContext("a"))} {
		if err == nil {
			t.Errorf("%s = nil, want an error", name)
		}
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != newer {
		t.Errorf("the file is %q, %v; want it untouched", data, err)
	}
}

func TestSaveKeepsWhatItCannotRead(t *testing.T) {
	disk, r := new(memStore), NewRegistry()
	p := &RunPersister{registry: r, runs: disk}
	disk.PutRun("newer", []byte(`{"v":9,"auth_token":"t","run_id":"newer"}`))
	disk.PutRun("broken", []byte(`{`))
	disk.PutRun("moved", []byte(`{"auth_token":"t","run_id":"elsewhere"}`))
	disk.PutRun("again", []byte(`{`))
	disk.PutRun("gone", []byte(`{"auth_token":"t","run_id":"gone"}`))
	r.Register(NewRunContext("live"))
	r.Register(NewRunContext("again"))
	if err := p.Save(); err != nil {
		t.Fatalf("Save = %v", err)
	}
	if d := cmp.Diff([]string{"again", "broken", "live", "moved", "newer"}, disk.ids()); d != "" {
		t.Errorf("records after Save (-want +got):\n%s", d)
	}
	if _, err := decode(disk.runs["again"]); err != nil {
		t.Errorf("the record of a live run that had a broken one = %v, want it readable", err)
	}
}

func TestSaveRefusesTwoRunsWithOneID(t *testing.T) {
	disk, r := new(memStore), NewRegistry()
	r.Register(NewRunContext("a"))
	r.Register(NewRunContext("a"))
	if err := (&RunPersister{registry: r, runs: disk}).Save(); err == nil || len(disk.ids()) > 0 {
		t.Errorf("Save = %v with %v on disk, want an error and nothing", err, disk.ids())
	}
}

func TestDebounce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk, r := new(memStore), NewRegistry()
		p := &RunPersister{registry: r, runs: disk}
		for range 3 {
			r.Register(NewRunContext(NewToken()))
			p.SaveDebounced()
			time.Sleep(debounce / 4)
		}
		if n := len(disk.ids()); n != 0 {
			t.Errorf("%d runs on disk before the time, want 0", n)
		}
		time.Sleep(debounce)
		if n := len(disk.ids()); n != 3 {
			t.Errorf("%d runs on disk after it, want 3", n)
		}
		r.Register(NewRunContext("last"))
		p.SaveDebounced()
		if err := p.Flush(); err != nil || len(disk.ids()) != 4 {
			t.Errorf("Flush = %v with %d runs on disk, want nil, 4", err, len(disk.ids()))
		}
		disk.fail(errors.New("disk full"))
		p.SaveDebounced()
		time.Sleep(time.Minute)
		if err := p.Flush(); err == nil || err.Error() != "disk full" {
			t.Errorf("Flush on a full disk = %v, want that", err)
		}
	})
}

func TestAFileIsSharedByGoroutines(t *testing.T) {
	path, r := filepath.Join(t.TempDir(), "runs.db"), NewRegistry()
	p := NewRunPersister(path, r)
	ended := make(chan error)
	for range 8 {
		go func() {
			rc := NewRunContext(NewToken())
			r.Register(rc)
			ended <- errors.Join(p.put(rc), p.Save())
		}()
	}
	for range 8 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if ids, err := loaded(path); len(ids) != 8 || err != nil {
		t.Errorf("Load = %d runs, %v; want 8", len(ids), err)
	}
}

func TestAStoreThatIsClosedIsAnError(t *testing.T) {
	st := openStore(t, t.TempDir())
	st.Close()
	p := NewStorePersister(st, nil, NewRegistry())
	if _, err := p.Load(); err == nil {
		t.Error("Load = nil, want an error")
	}
	if err := p.Save(); err == nil {
		t.Error("Save = nil, want an error")
	}
	if _, err := p.Restore(t.Context()); err == nil {
		t.Error("Restore = nil, want an error")
	}
	var _ runStore = (*store.Store)(nil)
}
