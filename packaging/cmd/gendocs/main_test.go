package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/moatd/moatd/packaging/internal/release"
	"github.com/moatd/moatd/pkg/moatd"
)

// generate writes all files, as the build does.
func generate(t *testing.T) (dir string) {
	t.Helper()
	t.Chdir("../../..")
	v, err := release.ParseVersion("v1.2.3-rc.1")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	if err := write(v, time.Unix(1795573130, 0).UTC(), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func read(t *testing.T, name ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(name...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The pages that people wrote must keep up with the program.
func TestManual_hasEveryFlagAndSettingOfTheDaemon(t *testing.T) {
	dir := generate(t)
	var help bytes.Buffer
	moatd.Main(moatd.Process{Args: []string{"serve", "-h"}, Getenv: func(string) string { return "" }, Stderr: &help})
	names := regexp.MustCompile(`(?m)^  -([a-z-]+) `).FindAllStringSubmatch(help.String(), -1)
	if len(names) < 9 {
		t.Fatalf("moatd serve -h has %d flags: %s", len(names), &help)
	}
	daemon, config := read(t, dir, "man", "moatd.8"), read(t, dir, "man", "moat-config.5")
	for _, m := range names {
		if flag := `Fl \-` + strings.ReplaceAll(m[1], "-", `\-`); strings.Count(daemon, flag) < 2 {
			t.Errorf("moatd(8) does not have --%s in its synopsis and in its text", m[1])
		}
		key := strings.ReplaceAll(m[1], "-", "_")
		if want := ".It Ic " + key + " , Ev MOAT_" + strings.ToUpper(key) + "\n"; m[1] != "home" && !strings.Contains(config, want) {
			t.Errorf("moat-config(5) does not have %s", key)
		}
	}
}

func TestManual_isCleanToMandoc(t *testing.T) {
	dir := generate(t)
	mandoc, err := exec.LookPath("mandoc")
	if err != nil {
		t.Skip("no mandoc here")
	}
	pages, err := filepath.Glob(filepath.Join(dir, "man", "*"))
	if err != nil || len(pages) < 8 {
		t.Fatalf("pages: %q, %v", pages, err)
	}
	out, err := exec.CommandContext(t.Context(), mandoc, append([]string{"-T", "lint", "-W", "warning"}, pages...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("mandoc -T lint: %v\n%s", err, out)
	}
}

func TestManual_refersToPagesThatExist(t *testing.T) {
	dir := generate(t)
	pages, err := filepath.Glob(filepath.Join(dir, "man", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		for _, m := range regexp.MustCompile(`(?m)^\.(?:It )?Xr (moat\S*) (\d)`).FindAllStringSubmatch(read(t, page), -1) {
			if _, err := os.Stat(filepath.Join(dir, "man", m[1]+"."+m[2])); err != nil {
				t.Errorf("%s refers to %s(%s): %v", filepath.Base(page), m[1], m[2], err)
			}
		}
	}
}

func TestEverythingSaysItsVersion(t *testing.T) {
	dir := generate(t)
	for file, want := range map[string]string{
		"man/moat.1":         ".Dd November 25, 2026\n.Dt MOAT 1\n.Os moatd 1.2.3-rc.1\n",
		"man/moatd.8":        ".Dd November 25, 2026\n.Dt MOATD 8\n.Os moatd 1.2.3-rc.1\n",
		"changelog.Debian":   "moatd (1.2.3~rc.1-1) unstable; urgency=medium\n",
		"changelog-rpm.yaml": "- semver: 1.2.3~rc.1-1\n",
	} {
		if text := read(t, dir, file); !strings.HasPrefix(text, want) {
			t.Errorf("%s begins with %.80q, want %q", file, text, want)
		}
	}
}

// complete has a shell of its own complete a line.
func complete(t *testing.T, shell string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(shell)
	if err != nil {
		t.Skipf("no %s here", shell)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", shell, err, out)
	}
	return string(out)
}

func TestCompletions_areScriptsOfTheirShells(t *testing.T) {
	dir := filepath.Join(generate(t), "completions")
	for shell, file := range map[string]string{"bash": "moat", "zsh": "_moat", "fish": "moat.fish"} {
		t.Run(shell, func(t *testing.T) { complete(t, shell, "-n", filepath.Join(dir, file)) })
	}
}

// completeInBash is what bash-completion does when the tab key is pressed.
const completeInBash = `
source /usr/share/bash-completion/bash_completion && source "$1" || exit
COMP_LINE="$2" COMP_POINT=${#2} COMP_TYPE=9 COMP_WORDS=($2) COMP_CWORD=1
[[ $2 != *" " ]] || { COMP_WORDS+=(""); }
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
compopt() { :; }   # it is for a completion that is under way
__start_moat
printf '%s\n' "${COMPREPLY[@]%% *}"`

func TestCompletion_ofBashCompletes(t *testing.T) {
	dir := generate(t)
	if _, err := os.Stat("/usr/share/bash-completion/bash_completion"); err != nil {
		t.Skip("no bash-completion here")
	}
	bin := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "./cmd/moat").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("HOME", t.TempDir())
	t.Setenv("MOAT_HOME", "")
	for _, tt := range []struct{ line, want string }{
		{"moat st", "status\n"},
		{"moat run --gr", "--grant\n"},
		{"moat run --policy ", "permissive\nstrict\n"},
		{"moat completion ", "bash\nfish\npowershell\nzsh\n"},
		{"moat grant anth", "anthropic\n"},
	} {
		if got := complete(t, "bash", "-c", completeInBash, "bash", filepath.Join(dir, "completions", "moat"), tt.line); got != tt.want {
			t.Errorf("%s<TAB>: %q, want %q", tt.line, got, tt.want)
		}
	}
}
