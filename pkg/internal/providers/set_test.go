package providers_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moatd/moatd/pkg/internal/providers"
)

// write makes a directory of files, by name.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func provider(name, host string) string {
	return "name: " + name + "\ninject: [{hosts: [" + host + "]}]\n"
}

// builtins returns the names of the built-in providers and more, without some.
func builtins(t *testing.T, more []string, without ...string) []string {
	t.Helper()
	set, err := providers.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(slices.Values(slices.DeleteFunc(append(set.Names(), more...), func(name string) bool {
		return slices.Contains(without, name)
	})))
}

func TestLoad(t *testing.T) {
	for _, tt := range []struct {
		name             string
		files            map[string]string
		names, overrides []string
		problems         []string // a part of each
	}{
		{"no files leave the built-in ones", nil, builtins(t, nil), nil, nil},
		{
			"a user's provider is added",
			map[string]string{"mine.yaml": provider("mine", "a.example")},
			builtins(t, []string{"mine"}),
			nil, nil,
		},
		{
			"a user's provider replaces the built-in one",
			map[string]string{"github.yaml": provider("github", "github.example")},
			builtins(t, nil),
			[]string{"github"},
			nil,
		},
		{
			"one bad file spares the others",
			map[string]string{"bad.yaml": "name: bad", "good.yaml": provider("good", "a.example"), "worse.yaml": "["},
			builtins(t, []string{"good"}),
			nil,
			[]string{"bad.yaml:1: neither", "worse.yaml: yaml"},
		},
		{
			"a bad file does not bring the built-in one back",
			map[string]string{"github.yaml": "name: github"},
			builtins(t, nil, "github"),
			[]string{"github"},
			[]string{"github.yaml:1: neither"},
		},
		{
			"the other extension is a slip",
			map[string]string{"mine.yml": provider("mine", "a.example")},
			builtins(t, nil), nil,
			[]string{"mine.yml: is not read; rename it to end in .yaml"},
		},
		{
			"other files are not looked at",
			map[string]string{".mine.yaml": "x", "README": "x", "mine.yaml~": "x", ".x.yml": "x"},
			builtins(t, nil), nil, nil,
		},
		{
			"a name that no grant can have",
			map[string]string{"My Provider.yaml": provider("My Provider", "a.example")},
			builtins(t, nil), nil,
			[]string{"My Provider.yaml:1: name: must be 1 to 64 of a-z"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			set, err := providers.Load(write(t, tt.files))
			if set == nil {
				t.Fatalf("Load = nil, %v", err)
			}
			if diff := cmp.Diff(tt.names, set.Names()); diff != "" {
				t.Errorf("Names: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(tt.overrides, set.Overrides()); diff != "" {
				t.Errorf("Overrides: -want +got\n%s", diff)
			}
			if (err != nil) != (tt.problems != nil) || len(set.Problems()) != len(tt.problems) {
				t.Fatalf("Load = %v, Problems = %v; want %v", err, set.Problems(), tt.problems)
			}
			for i, want := range tt.problems {
				if got := set.Problems()[i].Error(); !strings.Contains(got, want) || !strings.Contains(err.Error(), want) {
					t.Errorf("Problems[%d] = %s, Load = %v; want %q in both", i, got, err, want)
				}
			}
		})
	}
}

func TestLoadWithoutDirectory(t *testing.T) {
	for _, dir := range []string{"", filepath.Join(t.TempDir(), "none")} {
		if set, err := providers.Load(dir); err != nil || len(set.Names()) != len(builtins(t, nil)) {
			t.Errorf("Load(%q) = %v; want the built-in ones", dir, err)
		}
	}
}

func TestLoadOfWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "mine.yaml"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "link.yaml")); err != nil {
		t.Fatal(err)
	}
	set, err := providers.Load(dir)
	if err == nil || len(set.Problems()) != 2 || set.Broken("mine") == nil || set.Broken("link") == nil {
		t.Errorf("Load = %v; want mine.yaml and link.yaml named", err)
	}
	if set.Broken("github") != nil {
		t.Errorf("Broken(github) = %v, want nil", set.Broken("github"))
	}
}

func TestUsersProviderWins(t *testing.T) {
	set, err := providers.Load(write(t, map[string]string{"github.yaml": provider("github", "github.example")}))
	if err != nil {
		t.Fatal(err)
	}
	p, ok := set.Get("github")
	if !ok || !cmp.Equal(p.Hosts(), []string{"github.example"}) {
		t.Errorf("Get(github) = %t with the hosts %v, want the user's", ok, p.Hosts())
	}
}

func TestKeeping(t *testing.T) {
	old, err := providers.Load(write(t, map[string]string{
		"github.yaml": provider("github", "old.example"), "gone.yaml": provider("gone", "gone.example"),
	}))
	if err != nil {
		t.Fatal(err)
	}
	bad, err := providers.Load(write(t, map[string]string{
		"github.yaml": "name: github", "new.yaml": provider("new", "new.example"), "bad.yaml": "name: bad",
	}))
	if err == nil {
		t.Fatal("Load = nil, want an error")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err = os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	unread, err := providers.Load(file)
	if err == nil || len(unread.Names()) != len(builtins(t, nil)) {
		t.Fatalf("Load(a file) = %v with %v, want an error beside the built-in ones", err, unread.Names())
	}
	for _, tt := range []struct {
		name     string
		set      *providers.Set
		names    []string
		problems int
	}{
		{"a bad file keeps its old provider, a removed one does not", bad, builtins(t, []string{"new"}), 2},
		{"a directory that cannot be read keeps all", unread, builtins(t, []string{"gone"}), 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			kept := tt.set.Keeping(old)
			if diff := cmp.Diff(tt.names, kept.Names()); diff != "" {
				t.Errorf("Names: -want +got\n%s", diff)
			}
			p, ok := kept.Get("github")
			if !ok || p.Hosts()[0] != "old.example" || len(kept.Problems()) != tt.problems {
				t.Errorf("Get(github) = %t, Problems = %v; want the old one and %d", ok, kept.Problems(), tt.problems)
			}
			if diff := cmp.Diff([]string{"github"}, kept.Overrides()); diff != "" {
				t.Errorf("Overrides: -want +got\n%s", diff)
			}
		})
	}
}

func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := providers.Load(""); err != nil {
			b.Fatal(err)
		}
	}
}
