package daemon

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const ownSecret = "s3cret-of-the-run-0123456789"

// withOwnRules returns run a with a secret in each place that may have one.
func withOwnRules(grants ...string) *RunContext {
	rc := NewRunContext("a")
	rc.AuthToken, rc.Grants = "token-of-a", grants
	rc.SetCredential("own.example", ownSecret)
	rc.AddExtraHeader("own.example", "X-E", ownSecret)
	rc.SetTokenSubstitution("own.example", "PLACE", ownSecret)
	return rc
}

const ownOutcome = "Authorization: " + ownSecret + ", X-E: " + ownSecret + ", PLACE -> " + ownSecret

// restart restores what disk has into a registry without grants.
func restart(t *testing.T, disk runStore, s Sealer) (*Registry, *RunPersister, Restored) {
	t.Helper()
	r := NewRegistry()
	p := &RunPersister{registry: r, runs: disk, sealer: s}
	done, err := p.Restore(t.Context())
	if err != nil {
		t.Fatalf("Restore = %v", err)
	}
	return r, p, done
}

func TestRulesOfARunsOwnSurviveARestart(t *testing.T) {
	key, other := newSealer(t), newSealer(t)
	refused := func(why string) string {
		return "credential-unavailable: the credential for own.example:443 is not available: run a: " + why
	}
	for _, tt := range []struct {
		name          string
		before, after Sealer
		want          string
	}{
		{"with the key", key, key, ownOutcome},
		{"without the key they are not open", key, nil, refused("the rules that it was registered with are sealed, and this daemon has no key")},
		{"with another key neither", key, other, refused("the rules that it was registered with do not open: ")},
		{"where nothing can be sealed they are not kept", nil, key, refused("the credentials that it was registered with were not kept; register it again with its token")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			disk, reg := new(memStore), NewRegistry()
			first := withOwnRules()
			first.RegisteredAt = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
			reg.RegisterWithToken(first, first.AuthToken)
			if err := (&RunPersister{registry: reg, runs: disk, sealer: tt.before}).Save(); err != nil {
				t.Fatal(err)
			}
			// Each pass changes the run on disk; what cannot be read must not get lost by it.
			for pass := range 3 {
				r, p, done := restart(t, disk, tt.after)
				got := outcome(t, live(t, r, "token-of-a"), "own.example")
				if whole := tt.want == ownOutcome; !strings.HasPrefix(got, tt.want) || (done != Restored{1, 1}) != whole {
					t.Errorf("pass %d: a request gets %q, Restore = %+v; want %q", pass, got, done, tt.want)
				}
				rc, _ := r.Lookup("token-of-a")
				if !rc.RegisteredAt.Equal(first.RegisteredAt) {
					t.Errorf("pass %d: registered at %v, want %v", pass, rc.RegisteredAt, first.RegisteredAt)
				}
				rc.setContainerID("c")
				if err := p.put(rc); err != nil {
					t.Fatal(err)
				}
			}
			if tt.before == nil {
				return
			}
			r, _, _ := restart(t, disk, tt.before)
			if got := outcome(t, live(t, r, "token-of-a"), "own.example"); got != ownOutcome {
				t.Errorf("with the key again, a request gets %q, want %q", got, ownOutcome)
			}
		})
	}
}

func TestNoSecretIsInTheFile(t *testing.T) {
	for name, s := range map[string]Sealer{"sealed": newSealer(t), "without a sealer": nil} {
		t.Run(name, func(t *testing.T) {
			dir, r := t.TempDir(), NewRegistry()
			p := NewStorePersister(openStore(t, dir), s, r)
			if err := p.put(withOwnRules("github")); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join(dir, "moatd.db"))
			if err != nil || !bytes.Contains(data, []byte("token-of-a")) {
				t.Fatalf("the file (%v) has no trace of the run", err)
			}
			for i := range 3 { // base64 has three forms of a text, by where it begins
				form := base64.StdEncoding.EncodeToString([]byte(ownSecret[i:]))
				if bytes.Contains(data, []byte(form[:len(form)-4])) {
					t.Error("the file has the secret in base64")
				}
			}
			for _, form := range []string{ownSecret, hex.EncodeToString([]byte(ownSecret))} {
				if bytes.Contains(data, []byte(form)) {
					t.Error("the file has the secret")
				}
			}
		})
	}
}

func TestWithoutASealerGrantsFindTheRulesAgain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		run    func() *RunContext
		unkept bool
	}{
		{"no rules of its own", func() *RunContext { return NewRunContext("a") }, false},
		{"rules and no grants", func() *RunContext { return withOwnRules() }, true},
		{"rules that name no grant, and grants", func() *RunContext { return withOwnRules("github") }, false},
		{"a credential of a grant that it has", func() *RunContext {
			rc := withOwnRules("github")
			rc.SetCredentialWithGrant("api.example", "Authorization", ownSecret, "github")
			return rc
		}, false},
		{"a credential of a grant that it does not have", func() *RunContext {
			rc := withOwnRules("github")
			rc.SetCredentialWithGrant("api.example", "Authorization", ownSecret, "gitlab")
			return rc
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rc := tt.run()
			rc.AuthToken = "t"
			val, err := encode(rc, nil)
			if err != nil {
				t.Fatal(err)
			}
			rec, err := decode(val)
			if err != nil || rec.Unkept != tt.unkept || rec.Sealed != nil {
				t.Errorf("decode(encode) = unkept %t, sealed %d bytes, %v; want unkept %t", rec.Unkept, len(rec.Sealed), err, tt.unkept)
			}
		})
	}
}

func TestRestoreRuns(t *testing.T) {
	for _, tt := range []struct {
		name  string
		run   PersistedRun
		whole int
		live  bool
		want  string // of a request to github.example
	}{
		{"a run without grants", PersistedRun{AuthToken: "t", RunID: "a"}, 1, true, "as it is"},
		{"a run whose credential is there", PersistedRun{AuthToken: "t", RunID: "a", Grants: []string{"github"}}, 1, true, "Authorization: Bearer s3cret"},
		{
			"a run whose credential is missing",
			PersistedRun{AuthToken: "t", RunID: "a", Grants: []string{"github", "gitlab"}},
			0, true,
			"Authorization: Bearer s3cret",
		},
		{
			"a run whose rules make no sense",
			PersistedRun{AuthToken: "t", RunID: "a", NetworkAllow: []string{"*.*"}},
			0, true,
			"credential-unavailable: the rules of this run cannot be used: allow list: ",
		},
		{
			"a run whose own rules are sealed",
			PersistedRun{AuthToken: "t", RunID: "a", rest: kept{Sealed: []byte("x")}},
			0, true,
			"credential-unavailable: the credential for github.example:443 is not available: run a: the rules that it was registered with are sealed",
		},
		{"a run without a token", PersistedRun{RunID: "a"}, 0, false, ""},
		{"a run without an id", PersistedRun{AuthToken: "t"}, 0, false, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := NewRegistryWith(RegistryOptions{Granter: newVault(map[string]string{"github": "s3cret"})})
			good := PersistedRun{AuthToken: "tg", RunID: "good"}
			if got := RestoreRuns(t.Context(), r, []PersistedRun{tt.run, good}); got != tt.whole+1 {
				t.Errorf("RestoreRuns = %d, want %d, the good one included", got, tt.whole+1)
			}
			rc, ok := r.Lookup("t")
			if ok != tt.live {
				t.Fatalf("Lookup = %t, want %t", ok, tt.live)
			}
			if !tt.live {
				return
			}
			if got := outcome(t, live(t, r, "t"), "github.example"); !strings.HasPrefix(got, tt.want) {
				t.Errorf("a request gets %q, want %q", got, tt.want)
			}
			if rc.isDegraded() != (tt.whole == 0) || len(r.Degraded()) != 1-tt.whole {
				t.Errorf("degraded: %t, Degraded() = %v; want %t", rc.isDegraded(), r.Degraded(), tt.whole == 0)
			}
		})
	}
}

func TestLoadAndRestoreRunsLoseNothing(t *testing.T) {
	disk, s := new(memStore), newSealer(t)
	before := NewRegistry()
	before.RegisterWithToken(withOwnRules(), "token-of-a")
	if err := (&RunPersister{registry: before, runs: disk, sealer: s}).Save(); err != nil {
		t.Fatal(err)
	}
	r := NewRegistry()
	p := &RunPersister{registry: r, runs: disk}
	runs, err := p.Load()
	if n := RestoreRuns(t.Context(), r, runs); n != 0 || err != nil {
		t.Errorf("RestoreRuns(Load()) = %d, %v; want 0 whole runs", n, err)
	}
	if err := p.Save(); err != nil {
		t.Fatal(err)
	}
	r, _, _ = restart(t, disk, s)
	if got := outcome(t, live(t, r, "token-of-a"), "own.example"); got != ownOutcome {
		t.Errorf("after all, a request gets %q, want %q", got, ownOutcome)
	}
}

func TestRestoreGoesPastBadRecords(t *testing.T) {
	disk := new(memStore)
	disk.PutRun("bad", []byte(`{`))
	disk.PutRun("good", []byte(`{"v":1,"auth_token":"t","run_id":"good"}`))
	disk.PutRun("newer", []byte(`{"v":2,"auth_token":"t2","run_id":"newer"}`))
	done, err := (&RunPersister{registry: NewRegistry(), runs: disk}).Restore(t.Context())
	want := "restore the runs: run bad: the record is no JSON of a run\nrun newer: the record has version 2, written by a newer moatd"
	if done != (Restored{Runs: 1}) || err == nil || err.Error() != want {
		t.Errorf("Restore = %+v, %v; want one run, and\n%s", done, err, want)
	}
	if d := cmp.Diff([]string{"bad", "good", "newer"}, disk.ids()); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
}
