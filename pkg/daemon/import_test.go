package daemon

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// oldHome returns a directory with files of an older program, by their names.
func oldHome(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// names returns the names in a directory that an older program or an import may
// have given.
func namesIn(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".db") {
			list = append(list, e.Name())
		}
	}
	return strings.Join(list, " ")
}

const oldRunA = `{"auth_token":"ta","run_id":"a","container_id":"c1","grants":["github"],"later":1}`

func TestImportOfRuns(t *testing.T) {
	for _, tt := range []struct {
		name    string
		files   map[string]string
		have    map[string][]byte // in the database before
		want    []string          // the runs that are live after a restore
		files2  string            // afterwards
		problem string            // part of the only one, "" for none
	}{
		{"none", nil, nil, nil, "", ""},
		{"the versioned form", map[string]string{"runs.json": `{"version":1,"runs":[` + oldRunA + `]}`}, nil, []string{"a"}, "runs.json.imported", ""},
		{"the bare array", map[string]string{"runs.json": "\n [" + oldRunA + `,{"auth_token":"tb","run_id":"b"}]`}, nil, []string{"a", "b"}, "runs.json.imported", ""},
		{"no runs in it", map[string]string{"runs.json": `{"version":1,"runs":[]}`}, nil, nil, "runs.json.imported", ""},
		{
			"beside runs that are there",
			map[string]string{"runs.json": "[" + oldRunA + "]"},
			map[string][]byte{"b": []byte(`{"v":1,"auth_token":"tb","run_id":"b"}`)},
			[]string{"a", "b"},
			"runs.json.imported", "",
		},
		{
			"again, after a crash before the file was renamed: the run has changed since",
			map[string]string{"runs.json": "[" + oldRunA + "]"},
			map[string][]byte{"a": []byte(`{"v":1,"auth_token":"ta","run_id":"a","container_id":"c2"}`)},
			[]string{"a"},
			"runs.json.imported", "",
		},
		{
			"a run whose id another has by now",
			map[string]string{"runs.json": "[" + oldRunA + "]"},
			map[string][]byte{"a": []byte(`{"v":1,"auth_token":"new","run_id":"a"}`)},
			[]string{"a"},
			"runs.json.imported", "import run a: run exists",
		},
		{
			"a run whose token another has by now",
			map[string]string{"runs.json": "[" + oldRunA + "]"},
			map[string][]byte{"z": []byte(`{"v":1,"auth_token":"ta","run_id":"z"}`)},
			[]string{"z"},
			"runs.json.imported", "import run a: its token belongs to z",
		},
		{
			"one that makes no sense beside one that does",
			map[string]string{"runs.json": `[{"run_id":"x"},` + oldRunA + "]"},
			nil,
			[]string{"a"},
			"runs.json.imported", "import run x: the record has no token",
		},
		{"a damaged file", map[string]string{"runs.json": `{"version":1,"runs":[{"auth_`}, nil, nil, "runs.json.damaged", "kept under another name"},
		{"an empty file", map[string]string{"runs.json": ""}, nil, nil, "runs.json.damaged", "kept under another name"},
		{"a file of a newer program stays", map[string]string{"runs.json": `{"version":2,"runs":[]}`}, nil, nil, "runs.json", "version 2"},
		{
			"names that are taken are left",
			map[string]string{"runs.json": "[" + oldRunA + "]", "runs.json.imported": "x", "runs.json.imported.1": "y"},
			nil,
			[]string{"a"},
			"runs.json.imported runs.json.imported.1 runs.json.imported.2", "",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := oldHome(t, tt.files)
			st := openStore(t, dir)
			if tt.have != nil {
				if err := st.ReplaceRuns(tt.have); err != nil {
					t.Fatal(err)
				}
			}
			for range 2 { // the second time there is nothing left to do
				r := NewRegistry()
				p := NewStorePersister(st, nil, r)
				done := Import{Home: dir, Runs: p}.Run(t.Context())
				if _, err := p.Restore(t.Context()); err != nil {
					t.Fatal(err)
				}
				ids := idsOf(r)
				slices.Sort(ids)
				if diff := cmp.Diff(tt.want, ids); diff != "" {
					t.Errorf("the runs (-want +got):\n%s", diff)
				}
				if got := errors.Join(done.Problems...); (got == nil) != (tt.problem == "") || got != nil && !strings.Contains(got.Error(), tt.problem) {
					t.Errorf("problems: %v, want %q", got, tt.problem)
				}
				if got := namesIn(t, dir); got != tt.files2 {
					t.Errorf("the files are %q, want %q", got, tt.files2)
				}
				if tt.files2 != "runs.json" {
					tt.problem = ""
				}
			}
		})
	}
}

func TestAnImportedRunKeepsWhatIsNotKnown(t *testing.T) {
	dir := oldHome(t, map[string]string{"runs.json": "[" + oldRunA + "]"})
	st := openStore(t, dir)
	r := NewRegistry()
	p := NewStorePersister(st, nil, r)
	Import{Home: dir, Runs: p}.Run(t.Context())
	if _, err := p.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	rc, ok := r.Lookup("ta")
	if !ok || rc.GetContainerID() != "c1" || !slices.Equal(rc.Grants, []string{"github"}) {
		t.Fatalf("Lookup(its token) = %v, %v, want the run with its container and grants", rc, ok)
	}
	rc.setContainerID("c2")
	if err := p.put(rc); err != nil {
		t.Fatal(err)
	}
	recs, err := st.Runs()
	if err != nil || len(recs) != 1 || !strings.Contains(string(recs[0].Val), `"later":1`) {
		t.Errorf("after an update the record is %s (%v), want the field of a newer program in it", recs, err)
	}
}

func TestImportOfTheLock(t *testing.T) {
	const old = `{"pid":1,"proxy_port":19999,"sock_path":"/nonexistent/s.sock","started_at":"2026-01-02T03:04:05Z"}`
	for _, tt := range []struct {
		name  string
		text  string
		have  int // port of the record before, 0 for none
		port  int // of the record afterwards, 0 for none
		files string
	}{
		{"the port of the last daemon comes along", old, 0, 19999, "daemon.lock.imported"},
		{"a newer record counts", old, 18888, 18888, "daemon.lock.imported"},
		{"nonsense", "{", 0, 0, "daemon.lock.damaged"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := oldHome(t, map[string]string{"daemon.lock": tt.text})
			if tt.have > 0 {
				if err := WriteLockFile(dir, LockInfo{PID: 1, ProxyPort: tt.have}); err != nil {
					t.Fatal(err)
				}
			}
			Import{Home: dir, Runs: NewStorePersister(openStore(t, dir), nil, NewRegistry())}.Run(t.Context())
			info, err := ReadLockFile(dir)
			if err != nil {
				t.Fatal(err)
			}
			var port int
			if info != nil {
				port = info.ProxyPort
			}
			if port != tt.port || namesIn(t, dir) != tt.files {
				t.Errorf("the port is %d and the files %q, want %d and %q", port, namesIn(t, dir), tt.port, tt.files)
			}
			if tt.have == 0 && info.IsAlive() {
				t.Errorf("the daemon of %+v counts as alive, want not: another process has its PID", info)
			}
		})
	}
}

func TestTheFilesOfALiveDaemonAreLeftToIt(t *testing.T) {
	sock := tempSock(t)
	ln, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	lock := `{"pid":` + strconv.Itoa(os.Getpid()) + `,"sock_path":"` + sock + `"}`
	dir := oldHome(t, map[string]string{"daemon.lock": lock, "runs.json": "[" + oldRunA + "]", "routes.json": "{}"})
	im := Import{Home: dir, Runs: NewStorePersister(openStore(t, dir), nil, NewRegistry())}
	if done := im.Run(t.Context()); len(done.Problems) != 1 || done.Runs != 0 {
		t.Errorf("Import = %+v, want one problem and no run", done)
	}
	routes := Import{Home: dir, Routes: func(string, map[string]string) error { return nil }}
	if done := routes.Run(t.Context()); len(done.Problems) != 0 || done.Agents != 0 {
		t.Errorf("Import of the routes = %+v, want nothing: it was told once", done)
	}
	if got, want := namesIn(t, dir), "daemon.lock routes.json runs.json"; got != want {
		t.Errorf("the files are %q, want %q", got, want)
	}
}

func TestImportOfRoutes(t *testing.T) {
	const two = `{"app":{"web":"127.0.0.1:80"},"other":{"services":{"api":"127.0.0.1:81","db":"127.0.0.1:82"}}}`
	for _, tt := range []struct {
		name    string
		text    string
		refuse  map[string]error // by agent
		want    map[string]map[string]string
		files   string
		problem string
	}{
		{
			"both forms", two, nil, map[string]map[string]string{
				"app": {"web": "127.0.0.1:80"}, "other": {"api": "127.0.0.1:81", "db": "127.0.0.1:82"},
			}, "routes.json.imported", "",
		},
		{
			"a service that is called services", `{"app":{"services":"127.0.0.1:80"}}`, nil,
			map[string]map[string]string{"app": {"services": "127.0.0.1:80"}},
			"routes.json.imported", "",
		},
		{
			"routes that make no sense are left out", two,
			map[string]error{"app": ErrBadRequest},
			map[string]map[string]string{"other": {"api": "127.0.0.1:81", "db": "127.0.0.1:82"}},
			"routes.json.imported", `routes of "app"`,
		},
		{"a disk that is full leaves the file for another time", two, map[string]error{"app": errors.New("disk full")}, nil, "routes.json", "disk full"},
		{"nonsense", `[1]`, nil, nil, "routes.json.damaged", "no JSON of routes"},
		{"an agent that makes no sense", `{"app":7}`, nil, nil, "routes.json.damaged", `"app"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := oldHome(t, map[string]string{"routes.json": tt.text})
			var got map[string]map[string]string
			done := Import{Home: dir, Routes: func(agent string, services map[string]string) error {
				if err := tt.refuse[agent]; err != nil {
					return err
				}
				if got == nil {
					got = make(map[string]map[string]string)
				}
				got[agent] = services
				return nil
			}}.Run(t.Context())
			if diff := cmp.Diff(tt.want, got); diff != "" || done.Agents != len(tt.want) {
				t.Errorf("%d agents (-want +got):\n%s", done.Agents, diff)
			}
			if err := errors.Join(done.Problems...); (err == nil) != (tt.problem == "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("problems: %v, want %q", err, tt.problem)
			}
			if names := namesIn(t, dir); names != tt.files {
				t.Errorf("the files are %q, want %q", names, tt.files)
			}
		})
	}
}

func FuzzLegacyRoutes(f *testing.F) {
	for _, seed := range []string{`{"a":{"web":"127.0.0.1:80"}}`, `{"a":{"services":{"web":"x"}}}`, `{"a":null}`, `[]`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		agents, err := legacyRoutes(data)
		if err != nil && !errors.Is(err, errNonsense) {
			t.Errorf("legacyRoutes(%q): error %v, want that the file is damaged", data, err)
		}
		if err != nil && agents != nil {
			t.Errorf("legacyRoutes(%q) = %v beside an error", data, agents)
		}
	})
}
