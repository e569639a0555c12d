package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun_hasALicenceForEachModule(t *testing.T) {
	t.Chdir("../../..")
	file := filepath.Join(t.TempDir(), "moat")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", file, "./cmd/moat").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	var out bytes.Buffer
	if err := run(&out, []string{file}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"==== Go and its standard library: LICENSE\n", "==== github.com/spf13/cobra v", "==== golang.org/x/sys v",
		"Redistribution and use in source and binary forms", "Apache License",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("notices of moat do not have %q", want)
		}
	}
	if strings.Contains(out.String(), "go-cmp") {
		t.Error("notices of moat have a module that only its tests use")
	}
}

func TestNotice_refusesWhatHasNoLicence(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"license.go", "README", "LICENSES.md"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := notice(new(bytes.Buffer), "example.org/m", dir); err == nil || !strings.Contains(err.Error(), "example.org/m") {
		t.Errorf("notice of a module without a licence: %v, want an error that names it", err)
	}
}

func TestNotice_knowsTheNamesOfLicences(t *testing.T) {
	for _, name := range []string{"LICENSE", "LICENSE.txt", "LICENCE", "COPYING", "NOTICE.md", "License-MIT", "PATENTS"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("\nthe text\n\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		err := notice(&out, "m v1.0.0", dir)
		if want := "==== m v1.0.0: " + name + "\n\nthe text\n\n"; err != nil || out.String() != want {
			t.Errorf("notice of %s: %q, %v; want %q", name, out.String(), err, want)
		}
	}
}
