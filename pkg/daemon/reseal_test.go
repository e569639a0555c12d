package daemon

import (
	"context"
	"encoding/base64"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moatd/moatd/pkg/credential"
	"github.com/moatd/moatd/pkg/internal/store"
)

// newChain returns a key chain in dir, which has no key before it is unlocked.
func newChain(dir string) *credential.KeyChain {
	return credential.NewKeyChain(credential.KeyOptions{Home: dir, Credentials: filepath.Join(dir, "credentials")})
}

func unlock(tb testing.TB, c *credential.KeyChain) *credential.KeyChain {
	tb.Helper()
	if err := c.Unlock(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	return c
}

// keep stores a run with rules of its own, sealed by c.
func keep(t *testing.T, disk runStore, c *credential.KeyChain) {
	t.Helper()
	if err := (&RunPersister{registry: NewRegistry(), runs: disk, sealer: c.Sealer("runs")}).put(withOwnRules()); err != nil {
		t.Fatal(err)
	}
}

// recordOf returns the record of a run.
func recordOf(t *testing.T, disk runStore, id string) []byte {
	t.Helper()
	stored, err := disk.Runs()
	i := slices.IndexFunc(stored, func(r store.Record) bool { return r.ID == id })
	if err != nil || i < 0 {
		t.Fatalf("there is no record of run %s: %v", id, err)
	}
	return stored[i].Val
}

func TestRulesComeBackWhenTheirKeyIsUnlocked(t *testing.T) {
	disk, dir := new(memStore), t.TempDir()
	keep(t, disk, unlock(t, newChain(dir)))
	locked := newChain(dir)
	var seen []string
	r := NewRegistryWith(RegistryOptions{Granter: newVault(nil), Seen: func(s string) { seen = append(seen, s) }})
	p := &RunPersister{registry: r, runs: disk, sealer: locked.Sealer("runs")}
	if done, err := p.Restore(t.Context()); err != nil || done != (Restored{1, 1}) {
		t.Fatalf("Restore without the key = %+v, %v; want one run, degraded", done, err)
	}
	rc, _ := r.Lookup("token-of-a")
	for range 2 {
		if got := outcome(t, live(t, r, "token-of-a"), "own.example"); !strings.Contains(got, credential.ErrKeyUnavailable.Error()) {
			t.Errorf("without the key a request gets %q, want the reason", got)
		}
		if n := r.Refresh(t.Context()); n != 1 {
			t.Errorf("Refresh without the key = %d degraded, want 1", n)
		}
		if err := p.put(rc); err != nil { // as a change of its container does
			t.Fatal(err)
		}
	}
	if err := p.put(withOwnRules()); !errors.Is(err, credential.ErrKeyUnavailable) {
		t.Errorf("a new run with rules of its own: put = %v, want %v", err, credential.ErrKeyUnavailable)
	}
	unlock(t, locked)
	if n := r.Refresh(t.Context()); n != 0 || !slices.Contains(seen, ownSecret) {
		t.Errorf("Refresh with the key = %d degraded, want none; the log knows the secret: %t", n, slices.Contains(seen, ownSecret))
	}
	if got := outcome(t, live(t, r, "token-of-a"), "own.example"); got != ownOutcome {
		t.Errorf("with the key a request gets %q, want %q", got, ownOutcome)
	}
	if err := p.put(rc); err != nil {
		t.Fatal(err)
	}
	again, _, _ := restart(t, disk, unlock(t, newChain(dir)).Sealer("runs"))
	if got := outcome(t, live(t, again, "token-of-a"), "own.example"); got != ownOutcome {
		t.Errorf("after a restart a request gets %q, want %q", got, ownOutcome)
	}
}

func TestSealAgain(t *testing.T) {
	disk, dir := new(memStore), t.TempDir()
	old := unlock(t, newChain(dir))
	keep(t, disk, old)
	sealed, err := old.Sealer("runs").Seal(sealedName("newer"), []byte("of a newer version"))
	if err != nil {
		t.Fatal(err)
	}
	other := map[string]string{
		"bare":    `{"v":1,"auth_token":"t","run_id":"bare","later":[1]}`,
		"no-json": `{`,
		"foreign": `{"v":1,"auth_token":"t","run_id":"foreign","sealed":"Zm9yZWlnbg=="}`,
		"newer":   `{"v":9,"sealed":"` + base64.StdEncoding.EncodeToString(sealed) + `"}`,
	}
	for id, val := range other {
		if err = disk.PutRun(id, []byte(val)); err != nil {
			t.Fatal(err)
		}
	}
	p := &RunPersister{registry: NewRegistry(), runs: disk, sealer: old.Sealer("runs")}
	if _, err = old.Rekey(t.Context(), credential.KeyInFile, p.SealAgain); err != nil {
		t.Fatalf("Rekey = %v", err)
	}
	now := unlock(t, newChain(dir)).Sealer("runs")
	stored, err := disk.Runs()
	if err != nil || len(stored) != 5 {
		t.Fatalf("there are %d records, %v; want 5", len(stored), err)
	}
	for _, rec := range stored {
		if was, kept := other[rec.ID]; kept && rec.ID != "newer" && string(rec.Val) != was {
			t.Errorf("record %s is %s, want as it was, %s", rec.ID, rec.Val, was)
		}
		if rec.ID != "newer" {
			continue
		}
		again, failed := sealAgain(now, rec) // opens it with the new key
		if failed != nil || string(again) == string(rec.Val) || !strings.Contains(string(rec.Val), `"v":9`) {
			t.Errorf("the record of a newer version, %s, does not open with the new key: %v", rec.Val, failed)
		}
	}
	val := recordOf(t, disk, "a")
	rec, err := decode(val)
	if err != nil {
		t.Fatal(err)
	}
	if own, err := rec.open(now); err != nil || len(own.Credentials) != 1 {
		t.Errorf("the rules of run a, with the new key = %d, %v; want them", len(own.Credentials), err)
	}
}

// What cannot be sealed again stays as it was, and the move goes on later.
func TestSealAgainThatFails(t *testing.T) {
	disk, dir := new(memStore), t.TempDir()
	keys := unlock(t, newChain(dir))
	keep(t, disk, keys)
	before := recordOf(t, disk, "a")
	p := &RunPersister{registry: NewRegistry(), runs: disk, sealer: newChain(dir).Sealer("runs")} // it has no key
	if _, err := keys.Rekey(t.Context(), credential.KeyInFile, p.SealAgain); !errors.Is(err, credential.ErrKeyUnavailable) || !keys.Moving() {
		t.Fatalf("Rekey = %v, moving: %t; want an error, and that it goes on later", err, keys.Moving())
	}
	if after := recordOf(t, disk, "a"); string(after) != string(before) {
		t.Errorf("the record is %s, want as it was, %s", after, before)
	}
	p.sealer = keys.Sealer("runs")
	if _, err := keys.Finish(context.Background(), p.SealAgain); err != nil || keys.Moving() {
		t.Errorf("Finish = %v, moving: %t", err, keys.Moving())
	}
}
